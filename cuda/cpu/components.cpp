// Connected components of a graph, numbered by their smallest nodes.
#include "cpu/bindings.hpp"
#include "cpu/parallel.hpp"
#include "cpu/union_find.hpp"

namespace gs {
namespace {

// (number of components, component of each node).  Of a symmetric pattern one arc of each pair is
// enough.
nb::tuple components(In<int64_t> indptr, In<int32_t> indices, bool symmetric) {
  const CsrView<int32_t> g = view(indptr, indices);
  const int64_t n = g.num_nodes;
  Fresh<int32_t> label(n);
  int32_t count = 0;
  {
    nb::gil_scoped_release free;
    constexpr int64_t ahead = 32;
    UnionFind sets(n);
    for (int64_t u = 0; u < n; ++u)
      for (int64_t i = g.begin(u); i < g.end(u); ++i) {
        if (i + ahead < g.num_arcs()) sets.prefetch(g.indices[i + ahead]);
        if (symmetric && g.indices[i] > u) break;
        sets.unite(static_cast<int32_t>(u), g.indices[i]);
      }
    for (int64_t x = 0; x < n; ++x) {
      const int32_t root = sets.find(static_cast<int32_t>(x));
      label.data[x] = root == x ? count++ : label.data[root];
    }
  }
  return nb::make_tuple(count, label.release());
}

}  // namespace

void bind_components(nb::module_& m) {
  using namespace nb::literals;
  m.def("components", &components, "indptr"_a, "indices"_a, "symmetric"_a);
}

}  // namespace gs

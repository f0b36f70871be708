// Connected components of a graph, numbered by their smallest nodes, and shortest paths in hops.
#include "cpu/bindings.hpp"
#include "cpu/brandes.hpp"
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

// Hops from each source to every node, rows of n; -1 where there is no way.
NumpyArray<int32_t> hop_distances(In<int64_t> indptr, In<int32_t> indices, In<int32_t> sources,
                                  int num_threads) {
  const CsrView<int32_t> g = view(indptr, indices);
  const int64_t n = g.num_nodes, count = static_cast<int64_t>(sources.shape(0));
  Fresh<int32_t> dist(n * count);
  {
    nb::gil_scoped_release free;
#pragma omp parallel num_threads(threads_for(g.num_arcs() * count, num_threads))
    {
      std::vector<int32_t> queue(static_cast<size_t>(n));
#pragma omp for schedule(dynamic, 1)
      for (int64_t k = 0; k < count; ++k) {
        int32_t* mine = dist.data.get() + k * n;
        std::fill(mine, mine + n, -1);
        size_t last = 0;
        queue[last++] = sources.data()[k];
        mine[sources.data()[k]] = 0;
        for (size_t at = 0; at < last; ++at) {
          const int32_t v = queue[at];
          for (int64_t i = g.begin(v); i < g.end(v); ++i) {
            const int32_t x = g.indices[i];
            if (mine[x] >= 0) continue;
            mine[x] = mine[v] + 1;
            queue[last++] = x;
          }
        }
      }
    }
  }
  return dist.release();
}

// Dependencies of the sources k, k + groups, k + 2 groups, ... added up in row k of n values.
NumpyArray<double> path_dependencies(In<int64_t> indptr, In<int32_t> indices, In<int32_t> sources,
                                     int groups, int num_threads) {
  const CsrView<int32_t> g = view(indptr, indices);
  const int64_t n = g.num_nodes, count = static_cast<int64_t>(sources.shape(0));
  Fresh<double> sums(n * groups);
  {
    nb::gil_scoped_release free;
    std::fill(sums.data.get(), sums.data.get() + n * groups, 0.0);
#pragma omp parallel num_threads(threads_for(g.num_arcs() * count, num_threads))
    {
      Brandes search(g);
#pragma omp for schedule(dynamic, 1)
      for (int group = 0; group < groups; ++group)
        for (int64_t k = group; k < count; k += groups)
          search.add(sources.data()[k], sums.data.get() + group * n);
    }
  }
  return sums.release();
}

}  // namespace

void bind_components(nb::module_& m) {
  using namespace nb::literals;
  m.def("components", &components, "indptr"_a, "indices"_a, "symmetric"_a);
  m.def("hop_distances", &hop_distances, "indptr"_a, "indices"_a, "sources"_a, "threads"_a);
  m.def("path_dependencies", &path_dependencies, "indptr"_a, "indices"_a, "sources"_a, "groups"_a,
        "threads"_a);
}

}  // namespace gs

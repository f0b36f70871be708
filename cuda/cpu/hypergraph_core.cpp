// Core numbers of a hypergraph: nodes are peeled by smallest current degree, and a hyperedge dies
// with its first peeled member.  Buckets of equal degree, O(incidences) time.
#include <vector>

#include "cpu/bindings.hpp"
#include "cpu/parallel.hpp"

namespace gs {
namespace {

// Nodes sorted by current degree; a node whose degree falls by one swaps with its bucket's first.
class Peeling {
 public:
  explicit Peeling(const std::vector<int64_t>& degree)
      : degree_(degree), order_(degree.size()), place_(degree.size()) {
    int64_t most = 0;
    for (const int64_t d : degree) most = std::max(most, d);
    start_.assign(static_cast<size_t>(most) + 2, 0);
    for (const int64_t d : degree) ++start_[d + 1];
    for (size_t d = 1; d < start_.size(); ++d) start_[d] += start_[d - 1];
    std::vector<int64_t> next(start_);
    for (size_t v = 0; v < degree.size(); ++v) {
      place_[v] = next[degree[v]]++;
      order_[place_[v]] = static_cast<int64_t>(v);
    }
  }

  int64_t node(int64_t i) const { return order_[i]; }
  int64_t degree(int64_t v) const { return degree_[v]; }

  void lower(int64_t v) {
    const int64_t first = start_[degree_[v]]++, other = order_[first];
    std::swap(order_[place_[v]], order_[first]);
    std::swap(place_[v], place_[other]);
    --degree_[v];
  }

 private:
  std::vector<int64_t> degree_, order_, place_, start_;
};

void hypergraph_core(In<int64_t> node_ptr, In<int64_t> node_edges, In<int64_t> edge_ptr,
                     In<int64_t> edge_nodes, Out<int64_t> core) {
  nb::gil_scoped_release free;
  const auto n = static_cast<int64_t>(core.shape(0));
  const int64_t* ptr = node_ptr.data();
  const int64_t* ends = edge_ptr.data();
  std::vector<int64_t> degree(static_cast<size_t>(n));
  for (int64_t v = 0; v < n; ++v) degree[v] = ptr[v + 1] - ptr[v];
  Peeling peeling(degree);
  std::vector<char> dead(edge_ptr.shape(0));
  for (int64_t i = 0; i < n; ++i) {
    const int64_t v = peeling.node(i), level = peeling.degree(v);
    core.data()[v] = level;
    for (int64_t k = ptr[v]; k < ptr[v + 1]; ++k) {
      const int64_t e = node_edges.data()[k];
      if (dead[e]) continue;
      dead[e] = 1;
      for (int64_t j = ends[e]; j < ends[e + 1]; ++j) {
        const int64_t w = edge_nodes.data()[j];
        if (peeling.degree(w) > level) peeling.lower(w);
      }
    }
  }
}

}  // namespace

void bind_hypergraph_core(nb::module_& m) {
  using namespace nb::literals;
  m.def("hypergraph_core", &hypergraph_core, "node_ptr"_a.noconvert(), "node_edges"_a.noconvert(),
        "edge_ptr"_a.noconvert(), "edge_nodes"_a.noconvert(), "core"_a.noconvert());
}

}  // namespace gs

// Spanning forest of the tree sparsifier and the stretch of every edge along it.
// Input: a simple undirected graph without self-loops, and its edges (u < v) in the order of their
// numbers.  Order of edges everywhere: (key descending, tie hash of the number).
#include "core/tree.hpp"

#include <cmath>
#include <numeric>

#include "cpu/bindings.hpp"
#include "cpu/breadth_first.hpp"
#include "cpu/hashed_sort.hpp"
#include "cpu/parallel.hpp"
#include "cpu/union_find.hpp"

namespace gs {
namespace {

constexpr int64_t kSmall = 1 << 15;

// Edges by key: their positions in `graph.edges`.
Buffer<Keyed> edge_order(const CsrView<int32_t>& g, const BreadthFirst& graph, const double* w,
                         bool effective, uint64_t seed) {
  const int64_t n = g.num_nodes, m = graph.edges.size();
  Buffer<Keyed> items;
  items.resize_raw(m);
  Buffer<double> log_degree;
  log_degree.resize_raw(effective ? n : 0);
  for (int64_t i = 0; i < log_degree.size(); ++i) {
    const int32_t x = graph.order[i];
    log_degree[i] = static_cast<double>(g.end(x) - g.begin(x));
  }
  for (double& d : log_degree) d = std::log(d);
  for (int64_t at = 0; at < m; ++at) {
    const RankedEdge& e = graph.edges[at];
    double key = w[e.id];
    if (effective)
      key = effective_weight(key, std::max(log_degree[e.a], log_degree[e.b]),
                             int64_t{graph.depth[e.a]} + graph.depth[e.b]);
    items[at] = {descending(key), at};
  }
  sort_hashed_ties(items, seed, [&](int64_t at) { return graph.edges[at].id; });
  return items;
}

// Edges that join two trees: their positions, in the order taken.
Buffer<int64_t> kruskal(const Buffer<Keyed>& order, const BreadthFirst& graph) {
  constexpr int64_t ahead = 16;
  const int64_t n = graph.order.size(), m = order.size();
  const auto edge = [&](int64_t i) -> const RankedEdge& { return graph.edges[order[i].id]; };
  UnionFind trees(n);
  Buffer<int64_t> taken;
  taken.reserve(n);
  for (int64_t i = 0; i < m && taken.size() + 1 < n; ++i) {
    if (i + 2 * ahead < m) __builtin_prefetch(&edge(i + 2 * ahead));
    if (i + ahead < m) {
      trees.prefetch(edge(i + ahead).a);
      trees.prefetch(edge(i + ahead).b);
    }
    if (trees.unite(edge(i).a, edge(i).b)) taken.push_back(order[i].id);
  }
  return taken;
}

struct Link {
  int32_t to;
  double r;
};

// The forest as a graph on ranks: links of x are [ptr[x], ptr[x + 1]).
struct Links {
  Buffer<int64_t> ptr;
  Buffer<Link> links;
};

Links link_up(const Buffer<int64_t>& taken, const BreadthFirst& graph, const double* w) {
  const int64_t n = graph.order.size(), m = graph.edges.size();
  std::vector<bool> in_forest(static_cast<size_t>(m), false);
  for (const int64_t at : taken) in_forest[at] = true;
  Links out;
  out.ptr.resize(n + 1, 0);
  for (int64_t at = 0; at < m; ++at)
    if (in_forest[at]) ++out.ptr[graph.edges[at].a], ++out.ptr[graph.edges[at].b];
  std::partial_sum(out.ptr.begin(), out.ptr.end(), out.ptr.begin());
  out.links.resize_raw(2 * taken.size());
  for (int64_t at = 0; at < m; ++at) {
    if (!in_forest[at]) continue;
    const RankedEdge& e = graph.edges[at];
    const double r = 1.0 / w[e.id];
    out.links[--out.ptr[e.a]] = {e.b, r};
    out.links[--out.ptr[e.b]] = {e.a, r};
  }
  return out;
}

// Parents before children, one path after the other.
struct Rooted {
  Buffer<int32_t> order, parent;
  Buffer<double> depth;
};

Rooted root_all(const Links& forest, const BreadthFirst& graph) {
  const int64_t n = graph.order.size();
  Rooted out;
  out.order.reserve(n);
  out.parent.resize(n, -1);
  out.depth.resize(n, 0.0);
  Buffer<int32_t> open;
  for (int64_t root = 0; root < n; ++root) {
    if (graph.depth[root] != 0) continue;
    open.push_back(static_cast<int32_t>(root));
    while (open.size() > 0) {
      const int32_t x = open[open.size() - 1];
      open.resize_raw(open.size() - 1);
      out.order.push_back(x);
      for (int64_t i = forest.ptr[x]; i < forest.ptr[x + 1]; ++i) {
        const Link& link = forest.links[i];
        if (link.to == out.parent[x]) continue;
        out.parent[link.to] = x;
        out.depth[link.to] = out.depth[x] + link.r;
        open.push_back(link.to);
      }
    }
  }
  return out;
}

struct Forest {
  Buffer<int32_t> number;  // preorder number of each rank
  Buffer<TreeNode> nodes;  // by preorder number
};

// Number a rooted forest in preorder, heavy child first.
Forest number_forest(const Rooted& rooted) {
  const int64_t n = rooted.order.size();
  Buffer<int32_t> size, heavy, free;
  size.resize(n, 1);
  heavy.resize(n, -1);
  free.resize_raw(n);
  for (int64_t i = n; i-- > 0;) {
    const int32_t x = rooted.order[i], p = rooted.parent[x];
    if (p < 0) continue;
    size[p] += size[x];
    if (heavy[p] < 0 || size[x] >= size[heavy[p]]) heavy[p] = x;
  }
  Forest out;
  out.number.resize_raw(n);
  out.nodes.resize_raw(n);
  int32_t next_tree = 0;
  for (const int32_t x : rooted.order) {  // free[p]: next number among p's children
    const int32_t p = rooted.parent[x];
    int32_t at, head;
    if (p < 0) {
      at = head = next_tree;
      next_tree += size[x];
    } else if (heavy[p] == x) {
      at = out.number[p] + 1;
      head = out.nodes[out.number[p]].head;
    } else {
      at = head = free[p];
      free[p] += size[x];
    }
    out.number[x] = at;
    out.nodes[at] = {head, -1, rooted.depth[x]};
    if (head == at)
      out.nodes[at].above = p < 0 ? -1 : out.number[p];
    else
      out.nodes[at].above = out.nodes[head].above;
    free[x] = at + 1 + (heavy[x] < 0 ? 0 : size[heavy[x]]);
  }
  return out;
}

struct Tree {
  Buffer<int64_t> taken;  // positions in the order taken
  Fresh<double> stretch;  // by number of the edge
  double total;
};

Tree make_tree(const CsrView<int32_t>& g, const BreadthFirst& graph, const double* w,
               bool effective, uint64_t seed, int threads) {
  const int64_t m = graph.edges.size();
  Tree out{kruskal(edge_order(g, graph, w, effective, seed), graph), Fresh<double>(m), 0.0};
  check_signals();
  const Forest forest = number_forest(root_all(link_up(out.taken, graph, w), graph));
  check_signals();
  double* stretch = out.stretch.data.get();
#pragma omp parallel for num_threads(threads) schedule(static, 4096)
  for (int64_t at = 0; at < m; ++at) {
    const RankedEdge& e = graph.edges[at];
    stretch[e.id] =
        w[e.id] * tree_resistance(forest.nodes.data(), forest.number[e.a], forest.number[e.b]);
  }
  for (const int64_t at : out.taken) stretch[graph.edges[at].id] = 1.0;
  for (int64_t e = 0; e < m; ++e) out.total += stretch[e];
  return out;
}

// (effective, tree, stretch, total) of the tree of smaller total stretch among those asked for:
// edges of the forest in the order taken, w R_T of every edge, their sum.
nb::tuple spanning_tree(In<int64_t> indptr, In<int32_t> indices, In<int32_t> u, In<int32_t> v,
                        In<double> w, bool effective, bool max_weight, uint64_t seed,
                        int num_threads) {
  const CsrView<int32_t> g = view(indptr, indices);
  const int64_t m = static_cast<int64_t>(u.shape(0));
  Tree best{{}, Fresh<double>(0), 0.0};
  bool is_effective = false;
  Fresh<int64_t> ids(0);
  {
    nb::gil_scoped_release free;
    const int threads = m < kSmall ? 1 : resolve_threads(num_threads);
    const BreadthFirst graph = breadth_first(g, u.data(), v.data(), m);
    check_signals();
    if (effective) best = make_tree(g, graph, w.data(), true, seed, threads);
    is_effective = effective;
    if (max_weight) {
      Tree other = make_tree(g, graph, w.data(), false, seed, threads);
      if (!effective || other.total < best.total) {
        best = std::move(other);
        is_effective = false;
      }
    }
    ids = Fresh<int64_t>(best.taken.size());
    for (int64_t i = 0; i < ids.size; ++i) ids.data[i] = graph.edges[best.taken[i]].id;
  }
  return nb::make_tuple(is_effective, ids.release(), best.stretch.release(), best.total);
}

}  // namespace

void bind_tree(nb::module_& m) {
  using namespace nb::literals;
  m.def("spanning_tree", &spanning_tree, "indptr"_a, "indices"_a, "u"_a, "v"_a, "w"_a,
        "effective"_a, "max_weight"_a, "seed"_a, "threads"_a);
}

}  // namespace gs

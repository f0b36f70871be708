// Spanning forest of the tree sparsifier and the stretch of every edge along it.
// Input: a simple undirected graph without self-loops, and its edges (u < v) in the order of their
// numbers.  Order of edges everywhere: (key descending, tie hash, number).
#include "core/tree.hpp"

#include <cmath>
#include <cstring>
#include <numeric>

#include "cpu/bindings.hpp"
#include "cpu/hashed_sort.hpp"
#include "cpu/parallel.hpp"

namespace gs {
namespace {

constexpr int64_t kSmall = 1 << 15;

struct Edges {
  const int32_t* u;
  const int32_t* v;
  const double* w;
  int64_t size;
};

// Nodes in BFS order from the roots: in each component the node of largest degree, lowest number.
struct Layers {
  std::vector<int32_t> order, depth;
};

Layers bfs_layers(const CsrView<int32_t>& g) {
  const int64_t n = g.num_nodes;
  std::vector<Keyed> by_degree(static_cast<size_t>(n));
  for (int64_t x = 0; x < n; ++x) by_degree[x] = {~static_cast<uint64_t>(g.end(x) - g.begin(x)), x};
  std::vector<Keyed> scratch;
  radix_sort(by_degree.data(), n, scratch);
  Layers out{{}, std::vector<int32_t>(static_cast<size_t>(n), -1)};
  out.order.reserve(static_cast<size_t>(n));
  for (const Keyed& candidate : by_degree) {
    if (out.depth[candidate.id] >= 0) continue;
    out.depth[candidate.id] = 0;
    out.order.push_back(static_cast<int32_t>(candidate.id));
    for (size_t at = out.order.size() - 1; at < out.order.size(); ++at) {
      const int32_t x = out.order[at];
      for (int64_t i = g.begin(x); i < g.end(x); ++i) {
        const int32_t y = g.indices[i];
        if (out.depth[y] >= 0) continue;
        out.depth[y] = out.depth[x] + 1;
        out.order.push_back(y);
      }
    }
  }
  return out;
}

uint64_t descending(double key) {
  uint64_t bits;  // key >= 0: the bit pattern orders like the number
  std::memcpy(&bits, &key, sizeof bits);
  return ~bits;
}

std::vector<Keyed> edge_order(const CsrView<int32_t>& g, const Edges& edges, const Layers& layers,
                              bool effective, uint64_t seed) {
  std::vector<Keyed> items(static_cast<size_t>(edges.size));
  int64_t most = 0;
  for (int64_t x = 0; x < g.num_nodes; ++x) most = std::max(most, g.end(x) - g.begin(x));
  std::vector<double> log_table(effective ? static_cast<size_t>(most) + 1 : 0);
  for (size_t d = 1; d < log_table.size(); ++d) log_table[d] = std::log(static_cast<double>(d));
  for (int64_t e = 0; e < edges.size; ++e) {
    const int32_t u = edges.u[e], v = edges.v[e];
    double key = edges.w[e];
    if (effective) {
      const int64_t degree = std::max(g.end(u) - g.begin(u), g.end(v) - g.begin(v));
      key = effective_weight(key, log_table[degree], int64_t{layers.depth[u]} + layers.depth[v]);
    }
    items[e] = {descending(key), e};
  }
  sort_hashed_ties(items, seed);
  return items;
}

// Edges that join two trees, in the order taken.
std::vector<int64_t> kruskal(const std::vector<Keyed>& order, const Edges& edges, int64_t n) {
  std::vector<int32_t> parent(static_cast<size_t>(n));
  std::iota(parent.begin(), parent.end(), 0);
  const auto find = [&](int32_t x) {
    while (parent[x] != x) x = parent[x] = parent[parent[x]];
    return x;
  };
  std::vector<int64_t> taken;
  taken.reserve(static_cast<size_t>(n));
  for (const Keyed& item : order) {
    const int32_t a = find(edges.u[item.id]), b = find(edges.v[item.id]);
    if (a == b) continue;
    parent[std::max(a, b)] = std::min(a, b);
    taken.push_back(item.id);
    if (static_cast<int64_t>(taken.size()) == n - 1) break;
  }
  return taken;
}

struct Forest {
  std::vector<int32_t> number;  // preorder number of each node
  std::vector<TreeNode> nodes;  // by preorder number
};

// Root the forest at the first node of each component in `bfs`, number it in preorder.
Forest root_forest(const std::vector<int64_t>& taken, const Edges& edges, const Layers& layers) {
  const size_t n = layers.order.size();
  std::vector<int64_t> ptr(n + 1, 0);
  for (const int64_t e : taken) ++ptr[edges.u[e]], ++ptr[edges.v[e]];
  std::partial_sum(ptr.begin(), ptr.end(), ptr.begin());
  struct Link {
    int32_t to;
    double r;
  };
  std::vector<Link> link(2 * taken.size());
  for (const int64_t e : taken) {
    link[--ptr[edges.u[e]]] = {edges.v[e], 1.0 / edges.w[e]};
    link[--ptr[edges.v[e]]] = {edges.u[e], 1.0 / edges.w[e]};
  }
  std::vector<int32_t> order, parent(n, -1), size(n, 1);
  std::vector<double> depth(n, 0.0);
  order.reserve(n);
  for (const int32_t root : layers.order) {
    if (layers.depth[root] != 0) continue;
    order.push_back(root);
    for (size_t at = order.size() - 1; at < order.size(); ++at) {
      const int32_t x = order[at];
      for (int64_t i = ptr[x]; i < ptr[x + 1]; ++i) {
        if (link[i].to == parent[x]) continue;
        parent[link[i].to] = x;
        depth[link[i].to] = depth[x] + link[i].r;
        order.push_back(link[i].to);
      }
    }
  }
  std::vector<int32_t> heavy(n, -1), free(n);
  for (size_t i = n; i-- > 0;) {
    const int32_t x = order[i], p = parent[x];
    if (p < 0) continue;
    size[p] += size[x];
    if (heavy[p] < 0 || size[x] >= size[heavy[p]]) heavy[p] = x;
  }
  Forest out{std::vector<int32_t>(n), std::vector<TreeNode>(n)};
  int32_t next_tree = 0;
  for (const int32_t x : order) {  // parents come first; free[p]: next number among p's children
    const int32_t p = parent[x];
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
    out.nodes[at] = {head, -1, depth[x]};
    if (head == at)
      out.nodes[at].above = p < 0 ? -1 : out.number[p];
    else
      out.nodes[at].above = out.nodes[head].above;
    free[x] = at + 1 + (heavy[x] < 0 ? 0 : size[heavy[x]]);
  }
  return out;
}

// (tree, stretch, total): edges of the forest in the order taken, w R_T of every edge, their sum.
nb::tuple spanning_tree(In<int64_t> indptr, In<int32_t> indices, In<int32_t> u, In<int32_t> v,
                        In<double> w, bool effective, uint64_t seed, int num_threads) {
  const CsrView<int32_t> g = view(indptr, indices);
  const Edges edges{u.data(), v.data(), w.data(), static_cast<int64_t>(u.shape(0))};
  Fresh<double> stretch(edges.size);
  std::vector<int64_t> taken;
  double total = 0;
  {
    nb::gil_scoped_release free;
    const int threads = edges.size < kSmall ? 1 : resolve_threads(num_threads);
    const Layers layers = bfs_layers(g);
    check_signals();
    taken = kruskal(edge_order(g, edges, layers, effective, seed), edges, g.num_nodes);
    check_signals();
    const Forest forest = root_forest(taken, edges, layers);
    check_signals();
#pragma omp parallel for num_threads(threads) schedule(static, 4096)
    for (int64_t e = 0; e < edges.size; ++e)
      stretch.data[e] = edges.w[e] * tree_resistance(forest.nodes.data(), forest.number[edges.u[e]],
                                                     forest.number[edges.v[e]]);
    for (const int64_t e : taken) stretch.data[e] = 1.0;
    for (int64_t e = 0; e < edges.size; ++e) total += stretch.data[e];
  }
  Fresh<int64_t> tree(static_cast<int64_t>(taken.size()));
  std::copy(taken.begin(), taken.end(), tree.data.get());
  return nb::make_tuple(tree.release(), stretch.release(), total);
}

}  // namespace

void bind_tree(nb::module_& m) {
  using namespace nb::literals;
  m.def("spanning_tree", &spanning_tree, "indptr"_a, "indices"_a, "u"_a, "v"_a, "w"_a,
        "effective"_a, "seed"_a, "threads"_a);
}

}  // namespace gs

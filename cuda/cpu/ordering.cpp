// Symbolic half of a sparse factorisation: elimination order, elimination tree, column counts.
#include "cpu/bindings.hpp"
#include "cpu/minimum_degree.hpp"
#include "cpu/parallel.hpp"

namespace gs {
namespace {

// Nodes that are left with one neighbour make no fill: they go first, in the order they turn up.
// A grounded node counts as a neighbour, so that pivots of a tree are its weights, to the bit.
// `alive` is 0 at grounded nodes, which are no rows at all, and turns 0 as rows go.
std::vector<int32_t> peel(const CsrView<int32_t>& g, std::vector<char>& alive) {
  const int64_t n = g.num_nodes;
  std::vector<int64_t> degree(static_cast<size_t>(n));
  std::vector<int32_t> order;
  for (int64_t x = 0; x < n; ++x) degree[x] = g.end(x) - g.begin(x);
  const auto take = [&](int32_t x) {
    alive[x] = 0;
    order.push_back(x);
  };
  for (int64_t x = 0; x < n; ++x)
    if (alive[x] && degree[x] <= 1) take(static_cast<int32_t>(x));
  for (size_t at = 0; at < order.size(); ++at)
    for (int64_t i = g.begin(order[at]); i < g.end(order[at]); ++i) {
      const int32_t y = g.indices[i];
      if (alive[y] && --degree[y] <= 1) take(y);
    }
  return order;
}

// Minimum degree order of the rows that are alive, appended to `order`.  Returns a close bound on
// the entries of L, those of the rows before included.
double order_core(const CsrView<int32_t>& g, const std::vector<char>& alive,
                  std::vector<int32_t>& order) {
  std::vector<int32_t> node, number(static_cast<size_t>(g.num_nodes), -1), idx;
  for (int64_t x = 0; x < g.num_nodes; ++x) {
    if (!alive[x]) continue;
    number[x] = static_cast<int32_t>(node.size());
    node.push_back(static_cast<int32_t>(x));
  }
  std::vector<int64_t> ptr{0};
  for (const int32_t x : node) {
    for (int64_t i = g.begin(x); i < g.end(x); ++i)
      if (number[g.indices[i]] >= 0) idx.push_back(number[g.indices[i]]);
    ptr.push_back(static_cast<int64_t>(idx.size()));
  }
  const double before = static_cast<double>(order.size());
  MinimumDegree core(std::move(ptr), std::move(idx));
  for (const int32_t i : core.order()) order.push_back(node[i]);
  return before + core.fill();
}

std::vector<int32_t> positions(const std::vector<int32_t>& order, int64_t n) {
  std::vector<int32_t> at(static_cast<size_t>(n), -1);
  for (size_t k = 0; k < order.size(); ++k) at[order[k]] = static_cast<int32_t>(k);
  return at;
}

// Elimination tree (Liu): parent of row k is the first row below it in column k of L.
std::vector<int32_t> elimination_tree(const CsrView<int32_t>& g, const std::vector<int32_t>& order,
                                      const std::vector<int32_t>& at) {
  std::vector<int32_t> parent(order.size(), -1), ancestor(order.size(), -1);
  for (size_t k = 0; k < order.size(); ++k)
    for (int64_t i = g.begin(order[k]); i < g.end(order[k]); ++i) {
      int32_t r = at[g.indices[i]];
      while (r >= 0 && r < static_cast<int32_t>(k)) {
        const int32_t up = ancestor[r];
        ancestor[r] = static_cast<int32_t>(k);
        if (up < 0) {
          parent[r] = static_cast<int32_t>(k);
          break;
        }
        r = up;
      }
    }
  return parent;
}

// The same elimination with the rows of each subtree side by side: solves then walk memory in
// order.  Reorders `order` and `parent`.
void postorder(std::vector<int32_t>& order, std::vector<int32_t>& parent) {
  const int32_t k = static_cast<int32_t>(order.size());
  std::vector<int32_t> size(order.size(), 1), free(order.size()), rank(order.size());
  for (int32_t j = 0; j < k; ++j)
    if (parent[j] >= 0) size[parent[j]] += size[j];
  int32_t next_root = 0;
  for (int32_t j = k; j-- > 0;) {  // parents first; free[p]: first number not yet given below p
    int32_t& first = parent[j] >= 0 ? free[parent[j]] : next_root;
    free[j] = first;
    first += size[j];
    rank[j] = free[j] + size[j] - 1;
  }
  std::vector<int32_t> new_order(order.size()), new_parent(order.size());
  for (int32_t j = 0; j < k; ++j) {
    new_order[rank[j]] = order[j];
    new_parent[rank[j]] = parent[j] < 0 ? -1 : rank[parent[j]];
  }
  order.swap(new_order);
  parent.swap(new_parent);
}

// Entries below the diagonal in each column of L.
std::vector<int64_t> column_counts(const CsrView<int32_t>& g, const std::vector<int32_t>& order,
                                   const std::vector<int32_t>& at,
                                   const std::vector<int32_t>& parent) {
  std::vector<int64_t> count(order.size(), 0);
  std::vector<int32_t> seen(order.size(), -1);
  for (int32_t k = 0; k < static_cast<int32_t>(order.size()); ++k) {
    seen[k] = k;
    for (int64_t i = g.begin(order[k]); i < g.end(order[k]); ++i) {
      const int32_t r = at[g.indices[i]];
      if (r >= k) continue;
      for (int32_t j = r; j >= 0 && seen[j] != k; j = parent[j]) {
        seen[j] = k;
        ++count[j];
      }
    }
  }
  return count;
}

template <class T>
NumpyArray<T> to_numpy(const std::vector<T>& values) {
  Fresh<T> out(static_cast<int64_t>(values.size()));
  std::copy(values.begin(), values.end(), out.data.get());
  return out.release();
}

// (order, parent, counts, fill): rows of the grounded Laplacian in the order of elimination, their
// elimination tree, the entries in the columns of L, and a bound on their sum.  Where the bound
// exceeds `limit` the counts are not made.
nb::tuple elimination_order(In<int64_t> indptr, In<int32_t> indices, In<bool> grounded,
                            double limit) {
  const CsrView<int32_t> g = view(indptr, indices);
  std::vector<int32_t> order, parent;
  std::vector<int64_t> counts;
  double fill = 0.0;
  {
    nb::gil_scoped_release free;
    std::vector<char> alive(static_cast<size_t>(g.num_nodes));
    for (int64_t x = 0; x < g.num_nodes; ++x) alive[x] = !grounded.data()[x];
    order = peel(g, alive);
    check_signals();
    fill = order_core(g, alive, order);
    check_signals();
    parent = elimination_tree(g, order, positions(order, g.num_nodes));
    postorder(order, parent);
    if (fill <= limit) counts = column_counts(g, order, positions(order, g.num_nodes), parent);
  }
  return nb::make_tuple(to_numpy(order), to_numpy(parent), to_numpy(counts), fill);
}

// Sum of the costs on the path from each row to the root of its tree; a last entry for "no row".
NumpyArray<double> sum_to_root(In<double> cost, In<int32_t> parent) {
  const int64_t k = static_cast<int64_t>(parent.shape(0));
  Fresh<double> out(k + 1);
  out.data[k] = cost.data()[k];
  for (int64_t j = k; j-- > 0;)
    out.data[j] = cost.data()[j] + (parent.data()[j] < 0 ? 0.0 : out.data[parent.data()[j]]);
  return out.release();
}

}  // namespace

void bind_ordering(nb::module_& m) {
  using namespace nb::literals;
  m.def("sum_to_root", &sum_to_root, "cost"_a, "parent"_a);
  m.def("elimination_order", &elimination_order, "indptr"_a, "indices"_a, "grounded"_a, "limit"_a);
}

}  // namespace gs

// Steps of the tree sparsifier (feGRASS family; Liu, Yu, Feng): keys of the spanning tree, and the
// resistance between two nodes along it.
#pragma once
#include "core/hd.hpp"

namespace gs {

// Effective weight of an edge: heavy, near a hub, and near the root of the BFS.  `log_degree` is
// ln(max(deg_u, deg_v)), `layers` the sum of the two BFS depths (>= 1 inside a component).
GS_HD double effective_weight(double w, double log_degree, int64_t layers) {
  return (w * log_degree) / static_cast<double>(layers);
}

// A node of a rooted forest whose nodes are numbered in preorder, heavy child first: a heavy path
// is a run of consecutive numbers.
struct TreeNode {
  int32_t head;   // top of the heavy path
  int32_t above;  // parent of `head`; -1 at a root
  double depth;   // resistance to the root
};

// Lowest common ancestor of two nodes of one tree.  Of two paths the one whose head comes later in
// preorder cannot hold the ancestor, so it is left.  At most log2(n) turns.
GS_HD int32_t lowest_common_ancestor(const TreeNode* tree, int32_t a, int32_t b) {
  while (tree[a].head != tree[b].head) {
    if (tree[a].head > tree[b].head)
      a = tree[a].above;
    else
      b = tree[b].above;
  }
  return a < b ? a : b;
}

// R_T(a, b) = D_a + D_b - 2 D_lca; never negative, whatever the rounding.
GS_HD double tree_resistance(const TreeNode* tree, int32_t a, int32_t b) {
  const int32_t top = lowest_common_ancestor(tree, a, b);
  const double r = tree[a].depth + tree[b].depth - 2.0 * tree[top].depth;
  return r > 0.0 ? r : 0.0;
}

}  // namespace gs

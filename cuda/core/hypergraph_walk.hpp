// Second-order random walks on a hypergraph, as the features of edge-dependent node labels use
// them (Choe et al., WHATsNet, KDD 2023): from c, come from t, the next w has the weight
// kappa deg(w)^(-1/2) sum of 1/|e| over the hyperedges e of c and w; kappa = 1/q, times 1/p if a
// hyperedge holds t, c and w, times q if w is t or shares a hyperedge with it.
// No table of pairs: w is drawn from the sum by listing, then member, and accepted by the rest.
#pragma once
#include "core/philox.hpp"

namespace gs {

// Memberships both ways; the hyperedges of a node ascend.
struct Memberships {
  const int64_t* node_ptr;
  const int64_t* node_edges;
  const int64_t* edge_ptr;
  const int64_t* edge_nodes;
};

struct HypergraphWalk {
  uint64_t seed;
  uint32_t domain;
  double return_p, in_out_q;
};

// Whether edges[first, last), ascending, holds e.
GS_HD bool holds(const int64_t* edges, int64_t first, int64_t last, int64_t e) {
  while (first < last) {
    const int64_t middle = first + (last - first) / 2;
    if (edges[middle] < e)
      first = middle + 1;
    else if (edges[middle] > e)
      last = middle;
    else
      return true;
  }
  return false;
}

// Whether a hyperedge holds a and b, and c too unless it is negative.
GS_HD bool together(const Memberships& h, int64_t a, int64_t b, int64_t c) {
  if (h.node_ptr[a + 1] - h.node_ptr[a] > h.node_ptr[b + 1] - h.node_ptr[b]) {
    const int64_t other = a;
    a = b;
    b = other;
  }
  for (int64_t k = h.node_ptr[a]; k < h.node_ptr[a + 1]; ++k) {
    const int64_t e = h.node_edges[k];
    if (holds(h.node_edges, h.node_ptr[b], h.node_ptr[b + 1], e) &&
        (c < 0 || holds(h.node_edges, h.node_ptr[c], h.node_ptr[c + 1], e)))
      return true;
  }
  return false;
}

GS_HD double walk_bias(const Memberships& h, const HypergraphWalk& rule, int64_t t, int64_t c,
                       int64_t w) {
  if (t < 0) return 1.0;
  if (w != t && !together(h, w, t, -1)) return 1.0 / rule.in_out_q;
  return w == t || together(h, w, t, c) ? 1.0 / rule.return_p : 1.0;
}

// The next node of a walk; `attempt` counts its draws.  `scale` (n,) is deg^(-1/2), `bound` (n,)
// the largest of a node's neighbours, 0 without one: then the walk stays.
GS_HD int64_t walk_on(const Memberships& h, const HypergraphWalk& rule, const double* scale,
                      const double* bound, uint64_t walk, int64_t t, int64_t c, uint32_t& attempt) {
  if (bound[c] == 0.0) return c;
  double most = 1.0;
  if (t >= 0) {
    most = 1.0 / rule.in_out_q > most ? 1.0 / rule.in_out_q : most;
    most = 1.0 / rule.return_p > most ? 1.0 / rule.return_p : most;
  }
  const int64_t first = h.node_ptr[c], degree = h.node_ptr[c + 1] - first;
  for (;;) {
    const Draw bits = draw(rule.seed, walk, attempt++, rule.domain);
    const int64_t e = h.node_edges[first + static_cast<int64_t>(((bits.a >> 32) * degree) >> 32)];
    const int64_t begin = h.edge_ptr[e], size = h.edge_ptr[e + 1] - begin;
    const uint64_t low = bits.a & 0xFFFFFFFFu;
    const int64_t w = h.edge_nodes[begin + static_cast<int64_t>((low * size) >> 32)];
    if (w == c) continue;
    const double chance = u01(bits.b) * most * bound[c];
    if (chance < scale[w] * most && chance < scale[w] * walk_bias(h, rule, t, c, w)) return w;
  }
}

}  // namespace gs

// Repair after deletions that found no detour: the edges of G that join components of H again.
#pragma once
#include <vector>

#include "cpu/adjacency.hpp"

namespace gs {

// Edges of G to add to H, in the order of adding: Kruskal by (w descending, u, v) over the edges
// that join two components of H.
//
// `ends` are the ends of the deleted H edges without a detour.  If H had the components of G
// before, each component of H that is now smaller than its component of G holds one of them: follow
// an old H path out of it; all its deleted edges but those without a detour have been replaced.
// So searches that grow from all ends in turn, merge when they meet and end when one is left know
// every component but one per component of G, and no other edge can join two.
std::vector<int32_t> joining_edges(const EdgeTable& edges, const Adjacency& graph,
                                   const Adjacency& sparse, const std::vector<int32_t>& ends);

}  // namespace gs

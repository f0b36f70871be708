// Triangles of an undirected graph, each counted once: edges point from the end of lower (degree,
// id) to the other, so no list is longer than sqrt(2m).
#pragma once
#include "core/csr.hpp"

namespace gs {

// Oriented adjacency: heads of node u stand at [begin(u), end(u)), their edge numbers beside them.
struct Oriented {
  CsrView<int32_t> out;
  const int32_t* edge;
};

// Scratch of triangles_of: one entry per node, zero before and after; one per head of a node, and
// one more for the hits.
struct TriangleScratch {
  int32_t *mark, *tally, *hits;
};

// Adds to `count`, which has one entry per oriented edge in the order of `g`, the triangles whose
// lowest node is u.  The scan of a row has no branches: hits go to a list whose end moves.
GS_HD void triangles_of(const Oriented& g, int64_t u, const TriangleScratch& s, int32_t* count) {
  const CsrView<int32_t>& out = g.out;
  const int64_t begin = out.begin(u), end = out.end(u);
  for (int64_t i = begin; i < end; ++i) {
    s.mark[out.indices[i]] = static_cast<int32_t>(i - begin) + 1;
    s.tally[i - begin] = 0;
  }
  for (int64_t i = begin; i < end; ++i) {
    const int64_t v = out.indices[i];
    int32_t found = 0;
    for (int64_t k = out.begin(v); k < out.end(v); ++k) {
      const int32_t third = s.mark[out.indices[k]];
      s.hits[found] = third;
      found += third != 0;
      count[k] += third != 0;
    }
    for (int32_t h = 0; h < found; ++h) ++s.tally[s.hits[h] - 1];
    s.tally[i - begin] += found;
  }
  for (int64_t i = begin; i < end; ++i) {
    s.mark[out.indices[i]] = 0;
    count[i] += s.tally[i - begin];
  }
}

}  // namespace gs

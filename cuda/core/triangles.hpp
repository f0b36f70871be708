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

// Counts every triangle whose lowest node is u: once(e) for the edge across from u, and at the end
// add(e, triangles) for each edge at u.  `mark` has one entry per node and is zero before and
// after; `tally` has one per head of u.
template <class Once, class Add>
GS_HD void triangles_of(const Oriented& g, int64_t u, int32_t* mark, int32_t* tally, Once once,
                        Add add) {
  const CsrView<int32_t>& out = g.out;
  const int64_t begin = out.begin(u), end = out.end(u);
  for (int64_t i = begin; i < end; ++i) {
    mark[out.indices[i]] = static_cast<int32_t>(i - begin) + 1;
    tally[i - begin] = 0;
  }
  for (int64_t i = begin; i < end; ++i) {
    const int64_t v = out.indices[i];
    int32_t found = 0;
    for (int64_t k = out.begin(v); k < out.end(v); ++k) {
      const int32_t third = mark[out.indices[k]];
      if (!third) continue;
      ++found, ++tally[third - 1];
      once(g.edge[k]);
    }
    tally[i - begin] += found;
  }
  for (int64_t i = begin; i < end; ++i) {
    mark[out.indices[i]] = 0;
    if (tally[i - begin]) add(g.edge[i], tally[i - begin]);
  }
}

}  // namespace gs

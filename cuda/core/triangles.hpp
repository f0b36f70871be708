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

// Tells count(e1, e2, e3) of every triangle whose lowest node is u.  `mark` has one entry per node
// and is zero before and after.
template <class Count>
GS_HD void triangles_of(const Oriented& g, int64_t u, int32_t* mark, Count count) {
  const CsrView<int32_t>& out = g.out;
  for (int64_t i = out.begin(u); i < out.end(u); ++i) mark[out.indices[i]] = g.edge[i] + 1;
  for (int64_t i = out.begin(u); i < out.end(u); ++i) {
    const int64_t v = out.indices[i];
    for (int64_t k = out.begin(v); k < out.end(v); ++k) {
      const int32_t third = mark[out.indices[k]];
      if (third) count(g.edge[i], g.edge[k], third - 1);
    }
  }
  for (int64_t i = out.begin(u); i < out.end(u); ++i) mark[out.indices[i]] = 0;
}

}  // namespace gs

// Non-owning view of a compressed sparse row graph, passed by value to kernels.
#pragma once
#include "core/hd.hpp"

namespace gs {

template <class Index>
struct CsrView {
  int64_t num_nodes;
  const int64_t* indptr;  // (num_nodes + 1,)
  const Index* indices;   // (num_arcs,), ascending in each row

  GS_HD int64_t begin(int64_t u) const { return indptr[u]; }
  GS_HD int64_t end(int64_t u) const { return indptr[u + 1]; }
  GS_HD int64_t num_arcs() const { return indptr[num_nodes]; }

  // First position in row u whose column is >= v.
  GS_HD int64_t lower_bound(int64_t u, int64_t v) const {
    int64_t lo = indptr[u], hi = indptr[u + 1];
    while (lo < hi) {
      const int64_t mid = lo + ((hi - lo) >> 1);
      if (static_cast<int64_t>(indices[mid]) < v)
        lo = mid + 1;
      else
        hi = mid;
    }
    return lo;
  }
};

}  // namespace gs

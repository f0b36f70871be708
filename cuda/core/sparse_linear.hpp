// One output of a linear map whose weight is stored by compressed sparse rows, one row per output.
#pragma once
#include "core/hd.hpp"

namespace gs {

template <class T>
struct SparseLinear {
  const int32_t* indptr;   // (out_dim + 1,)
  const int32_t* indices;  // (nnz,) columns, ascending in each row
  const T* values;         // (nnz,)
  const T* bias;           // (out_dim,) or null
  int64_t in_dim, out_dim;
};

// Products are added in the order of the columns and the bias last: whoever computes the entry, in
// whatever batch, gets the same bits.
template <class T>
GS_HD T linear_entry(const SparseLinear<T>& map, const T* x, int64_t out) {
  T sum = T(0);
  for (int32_t e = map.indptr[out]; e < map.indptr[out + 1]; ++e)
    sum += map.values[e] * x[map.indices[e]];
  return map.bias ? sum + map.bias[out] : sum;
}

}  // namespace gs

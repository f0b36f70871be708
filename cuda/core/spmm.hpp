// Sparse matrix times dense matrix: one output entry.
#pragma once
#include "core/exact.hpp"

namespace gs {

// Entry (row, k) of A @ B + self_weight * B; B is (cols, width), row-major.
template <class T>
GS_HD T spmm_entry(const int64_t* indptr, const int32_t* indices, const T* values, const T* b,
                   int64_t width, T self_weight, int64_t row, int64_t k) {
  T sum = exact_double(self_weight) == 0.0 ? T(0) : exact_product(self_weight, b[row * width + k]);
  for (int64_t e = indptr[row]; e < indptr[row + 1]; ++e)
    sum = exact_sum(sum, exact_product(values[e], b[static_cast<int64_t>(indices[e]) * width + k]));
  return sum;
}

}  // namespace gs

// A loop over the rows of a CSR matrix, cut into ranges of about equal work.
#pragma once
#include "cpu/parallel.hpp"

namespace gs {

constexpr int64_t kFewNumbers = 1 << 18;  // numbers read below which one thread is faster

// Calls run(first, last) on ranges that cover all rows; a row costs itself and its entries.
template <class F>
void over_row_ranges(const int64_t* indptr, int64_t rows, int64_t width, int requested, F run) {
  const int64_t work = rows ? (indptr[rows] - indptr[0] + rows) * width : 0;
  const int threads = work < kFewNumbers ? 1 : resolve_threads(requested);
  const auto cut = balanced_rows(indptr, rows, threads);
#pragma omp parallel for num_threads(threads) schedule(static, 1)
  for (int p = 0; p < threads; ++p) run(cut[p], cut[p + 1]);
}

}  // namespace gs

// Norms of blocks of weights on the device, for the projection by blocks; the sums of
// cpu/project.cpp in their order.
#include "core/project.hpp"
#include "gpu/launch.cuh"

namespace gs {

// norms (down, across): squared l2 norm of each block, row by row.  One thread a block.
template <class Word>
__global__ void block_norms_kernel(const Word* words, int64_t rows, int64_t cols,
                                   int64_t block_rows, int64_t block_cols, int mantissa,
                                   const double* unit, double* norms) {
  const int64_t across = (cols + block_cols - 1) / block_cols;
  const int64_t blocks = (rows + block_rows - 1) / block_rows * across;
  for (int64_t b = global_thread(); b < blocks; b += grid_size()) {
    const int64_t top = b / across * block_rows, left = b % across * block_cols;
    double norm = 0.0;
    for (int64_t r = top; r < top + block_rows && r < rows; ++r)
      for (int64_t c = left; c < left + block_cols && c < cols; ++c) {
        const double x = value_of(words[r * cols + c], mantissa) * *unit;
        norm += x * x;
      }
    norms[b] = norm;
  }
}

#ifndef GS_EMULATED_DEVICE
#define GS_INSTANTIATE(Word)                                                                \
  template __global__ void block_norms_kernel<Word>(const Word*, int64_t, int64_t, int64_t, \
                                                    int64_t, int, const double*, double*);
GS_INSTANTIATE(uint16_t)
GS_INSTANTIATE(uint32_t)
GS_INSTANTIATE(uint64_t)
#undef GS_INSTANTIATE
#endif

}  // namespace gs

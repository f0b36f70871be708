// Where a thread stands in a one-dimensional launch, and sums over a warp.  Every kernel here loops
// with the size of the grid, so any launch geometry gives the same result.
#pragma once
#include "core/hd.hpp"

namespace gs {

constexpr unsigned kFullWarp = 0xFFFFFFFFu;

__device__ inline int64_t global_thread() {
  return static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
}

__device__ inline int64_t grid_size() { return static_cast<int64_t>(gridDim.x) * blockDim.x; }

__device__ inline int64_t warp_sum(int64_t x) {
  for (int step = 16; step > 0; step /= 2) x += __shfl_xor_sync(kFullWarp, x, step);
  return x;
}

}  // namespace gs

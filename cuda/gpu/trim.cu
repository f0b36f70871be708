// TEDDY on the device: node scores, pair keys, and an exact selection that never asks the host.
// The arithmetic is that of core/trim.hpp, so the mask is the CPU's to the bit.
#include "core/trim.hpp"

namespace gs {

constexpr unsigned kFullWarp = 0xFFFFFFFFu;
constexpr int kDigitBits = 11;
constexpr int kBins = 1 << kDigitBits;

__device__ inline int64_t warp_sum(int64_t x) {
  for (int step = 16; step > 0; step /= 2) x += __shfl_xor_sync(kFullWarp, x, step);
  return x;
}

__device__ inline int64_t global_thread() {
  return static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
}

__device__ inline int64_t grid_size() { return static_cast<int64_t>(gridDim.x) * blockDim.x; }

// t (n,): node scores; above (n,): arcs with column > row.  One warp per row, any grid.
template <class Index>
__global__ void node_scores_kernel(CsrView<Index> g, const int64_t* c, double unit, double* t,
                                   int64_t* above) {
  const int lane = static_cast<int>(threadIdx.x & 31);
  const int64_t warps = grid_size() / 32;
  for (int64_t u = global_thread() / 32; u < g.num_nodes; u += warps) {
    int64_t sum = 0, upper = 0;
    for (int64_t i = g.begin(u) + lane; i < g.end(u); i += 32) {
      const int64_t v = static_cast<int64_t>(g.indices[i]);
      sum += c[v];
      upper += v > u;
    }
    sum = warp_sum(sum);
    upper = warp_sum(upper);
    if (lane == 0) {
      t[u] = node_score(sum, g.end(u) - g.begin(u), unit);
      above[u] = upper;
    }
  }
}

// keys (pairs,): bit patterns of the scores of pairs u < v; upper (n + 1,): prefix sums of `above`.
template <class Index>
__global__ void pair_keys_kernel(CsrView<Index> g, const double* t, const int64_t* upper,
                                 double* keys) {
  const int lane = static_cast<int>(threadIdx.x & 31);
  const int64_t warps = grid_size() / 32;
  for (int64_t u = global_thread() / 32; u < g.num_nodes; u += warps) {
    const int64_t count = upper[u + 1] - upper[u];
    const Index* neighbours = g.indices + g.end(u) - count;
    for (int64_t i = lane; i < count; i += 32)
      keys[upper[u] + i] = pair_score(t[u], t[neighbours[i]]);
  }
}

// Where a selection stands; lives on the device.  Start: {0, 0, k}.
struct Selection {
  uint64_t prefix;  // the digits of the k-th largest key that are known
  uint64_t mask;    // which bits those are
  int64_t rank;     // its rank among the keys that agree with the prefix, from 1
};

// Counts the digit at `shift` of the keys that agree with the prefix.  bins (kBins,) start at 0.
__global__ void digit_histogram_kernel(const uint64_t* keys, int64_t size, const Selection* state,
                                       int shift, unsigned long long* bins) {
  __shared__ unsigned local[kBins];
  for (int b = static_cast<int>(threadIdx.x); b < kBins; b += static_cast<int>(blockDim.x))
    local[b] = 0;
  __syncthreads();
  const uint64_t prefix = state->prefix, mask = state->mask;
  for (int64_t i = global_thread(); i < size; i += grid_size())
    if (((keys[i] ^ prefix) & mask) == 0) atomicAdd(&local[(keys[i] >> shift) & (kBins - 1)], 1u);
  __syncthreads();
  for (int b = static_cast<int>(threadIdx.x); b < kBins; b += static_cast<int>(blockDim.x))
    if (local[b]) atomicAdd(&bins[b], static_cast<unsigned long long>(local[b]));
}

// Fixes the digit at `shift` and clears the bins.  One thread: 2,048 additions.
__global__ void pick_digit_kernel(unsigned long long* bins, int shift, Selection* state) {
  if (global_thread() != 0) return;
  int64_t rank = state->rank;
  int digit = kBins - 1;
  for (; digit > 0 && rank > static_cast<int64_t>(bins[digit]); --digit)
    rank -= static_cast<int64_t>(bins[digit]);
  state->rank = rank;
  state->prefix |= static_cast<uint64_t>(digit) << shift;
  state->mask |= static_cast<uint64_t>(kBins - 1) << shift;
  for (int b = 0; b < kBins; ++b) bins[b] = 0;
}

// Keys equal to the k-th largest in each chunk of blockDim.x keys: ties (chunks,).
__global__ void count_ties_kernel(const uint64_t* keys, int64_t size, const Selection* state,
                                  int64_t* ties) {
  __shared__ unsigned found;
  const int64_t chunks = (size + blockDim.x - 1) / blockDim.x;
  for (int64_t chunk = blockIdx.x; chunk < chunks; chunk += gridDim.x) {
    if (threadIdx.x == 0) found = 0;
    __syncthreads();
    const int64_t i = chunk * blockDim.x + threadIdx.x;
    if (i < size && keys[i] == state->prefix) atomicAdd(&found, 1u);
    __syncthreads();
    if (threadIdx.x == 0) ties[chunk] = found;
    __syncthreads();
  }
}

// mask (size,): larger keys, and the first `rank` equal ones by position.  before (chunks,): ties
// in earlier chunks.  Same blockDim.x as count_ties_kernel, a multiple of 32, at most 1,024.
__global__ void write_mask_kernel(const uint64_t* keys, int64_t size, const Selection* state,
                                  const int64_t* before, bool* mask) {
  __shared__ int in_warp[32];
  const int lane = static_cast<int>(threadIdx.x & 31), warp = static_cast<int>(threadIdx.x / 32);
  const int64_t chunks = (size + blockDim.x - 1) / blockDim.x;
  for (int64_t chunk = blockIdx.x; chunk < chunks; chunk += gridDim.x) {
    const int64_t i = chunk * blockDim.x + threadIdx.x;
    const bool tied = i < size && keys[i] == state->prefix;
    const unsigned votes = __ballot_sync(kFullWarp, tied);
    if (lane == 0) in_warp[warp] = __popc(votes);
    __syncthreads();
    int64_t earlier = before[chunk] + __popc(votes & ((1u << lane) - 1));
    for (int w = 0; w < warp; ++w) earlier += in_warp[w];
    if (i < size) mask[i] = keys[i] > state->prefix || (tied && earlier < state->rank);
    __syncthreads();
  }
}

#ifndef GS_EMULATED_DEVICE
template __global__ void node_scores_kernel<int32_t>(CsrView<int32_t>, const int64_t*, double,
                                                     double*, int64_t*);
template __global__ void node_scores_kernel<int64_t>(CsrView<int64_t>, const int64_t*, double,
                                                     double*, int64_t*);
template __global__ void pair_keys_kernel<int32_t>(CsrView<int32_t>, const double*, const int64_t*,
                                                   double*);
template __global__ void pair_keys_kernel<int64_t>(CsrView<int64_t>, const double*, const int64_t*,
                                                   double*);
#endif

}  // namespace gs

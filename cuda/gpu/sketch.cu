// FastRP on the device: the random projection, and one power of the walk as a fused pass: gather,
// sum, scale, row length, store, merge.  A lane owns four neighbouring columns of each 128, so a
// row of x is read in whole lines; rows are taken by a warp, a block, or, the longest ones, cut
// into pieces that blocks sum.  Sums of a row are added in a fixed order: results repeat.
#include "core/sketch.hpp"
#include "gpu/launch.cuh"

namespace gs {

constexpr int kBlockWarps = 8;  // blockDim.x is 256
constexpr int kLaneColumns = 4, kTile = 32 * kLaneColumns;

enum SketchFlags : int64_t { kUnit = 1, kLoop = 2, kFreshMerge = 4, kWholeQuads = 8 };

// One power; pointers may be null from `values` on.
template <class T>
struct SketchJob {
  const int64_t* begin;
  const int64_t* end;
  const int32_t* indices;
  const T* x;       // (n, width)
  const T* values;  // (arcs,)
  const T* scale;   // (n,)
  T* power;         // (n, width)
  T* merged;        // (n, stride), from its first column to write on
  int64_t width, stride;
  double alpha;
  int64_t flags;

  __device__ bool has(int64_t flag) const { return (flags & flag) != 0; }
};

// kLaneColumns numbers; `whole`: all of them lie in the row and the address suits one load.
template <class T>
__device__ inline void load_quad(const T* from, int64_t left, bool whole, T* to) {
#ifdef __CUDA_ARCH__
  if (whole && sizeof(T) == 4) {
    const float4 quad = *reinterpret_cast<const float4*>(from);
    to[0] = static_cast<T>(quad.x);
    to[1] = static_cast<T>(quad.y);
    to[2] = static_cast<T>(quad.z);
    to[3] = static_cast<T>(quad.w);
    return;
  }
#endif
#pragma unroll
  for (int c = 0; c < kLaneColumns; ++c) to[c] = c < left ? from[c] : T(0);
}

// Sum of the arcs [first, last) into this lane's columns of each tile.  The warp reads 32 columns
// of arcs at once and hands them round, so the rows of x are the only loads that wait for loads.
template <class T, int kTiles>
__device__ inline void gather(const SketchJob<T>& job, int64_t first, int64_t last, int lane,
                              T (&sum)[kTiles][kLaneColumns]) {
  const bool whole = job.has(kWholeQuads);
  for (int64_t start = first; start < last; start += 32) {
    const int64_t e = start + lane;
    const int32_t mine = e < last ? job.indices[e] : 0;
    const T weight = job.values && e < last ? job.values[e] : T(1);
    const int count = last - start < 32 ? static_cast<int>(last - start) : 32;
#pragma unroll 4
    for (int j = 0; j < count; ++j) {
      const int64_t row = __shfl_sync(kFullWarp, mine, j);
      const T factor = __shfl_sync(kFullWarp, weight, j);
#pragma unroll
      for (int t = 0; t < kTiles; ++t) {
        const int64_t column = t * kTile + lane * kLaneColumns;
        if (column >= job.width) continue;
        T quad[kLaneColumns];
        load_quad(job.x + row * job.width + column, job.width - column, whole, quad);
#pragma unroll
        for (int c = 0; c < kLaneColumns; ++c) sum[t][c] += job.values ? factor * quad[c] : quad[c];
      }
    }
  }
}

__device__ inline double warp_total(double x) {
  for (int step = 16; step > 0; step /= 2) x += __shfl_xor_sync(kFullWarp, x, step);
  return x;
}

__device__ inline double warp_most(double x) {
  for (int step = 16; step > 0; step /= 2) {
    const double other = __shfl_xor_sync(kFullWarp, x, step);
    x = other > x ? other : x;
  }
  return x;
}

// Euclidean length of a row whose columns lie in the lanes; also where squares over- or underflow.
template <class T, int kTiles>
__device__ inline double row_length(const T (&sum)[kTiles][kLaneColumns]) {
  double squares = 0.0, most = 0.0;
  for (int t = 0; t < kTiles; ++t)
    for (int c = 0; c < kLaneColumns; ++c) {
      const double x = static_cast<double>(sum[t][c]);
      squares += x * x;
      most = fabs(x) > most ? fabs(x) : most;
    }
  squares = warp_total(squares);
  if (squares > 1e-290 && squares < 1e290) return sqrt(squares);
  most = warp_most(most);
  if (most == 0.0 || !(most < 1.7e308)) return most;
  squares = 0.0;
  for (int t = 0; t < kTiles; ++t)
    for (int c = 0; c < kLaneColumns; ++c) {
      const double x = static_cast<double>(sum[t][c]) / most;
      squares += x * x;
    }
  return most * sqrt(warp_total(squares));
}

// What becomes of a summed row; as finish_row of cpu/sketch_rows.hpp.  All lanes of a warp.
template <class T, int kTiles>
__device__ inline void finish(const SketchJob<T>& job, int64_t row, int lane,
                              T (&sum)[kTiles][kLaneColumns]) {
  const T scale = job.scale ? job.scale[row] : T(1);
  for (int t = 0; t < kTiles; ++t)
    for (int c = 0; c < kLaneColumns; ++c) sum[t][c] *= scale;
  const bool measured = job.has(kUnit | kLoop);
  const double length = measured ? row_length(sum) : 1.0;
  if (job.has(kLoop))
    for (int t = 0; t < kTiles; ++t)
      for (int c = 0; c < kLaneColumns; ++c)
        sum[t][c] = length > 0.0 ? static_cast<T>(static_cast<double>(sum[t][c]) / length) : T(0);
  double divisor = 1.0;
  T factor = static_cast<T>(job.alpha);
  if (job.has(kUnit)) {
    factor = length > 0.0 ? static_cast<T>(job.alpha / length) : T(0);
    if (!(factor - factor == T(0))) {  // the length is below the range of its inverse
      divisor = length;
      factor = static_cast<T>(job.alpha);
    }
  }
  for (int t = 0; t < kTiles; ++t)
    for (int c = 0; c < kLaneColumns; ++c) {
      const int64_t column = t * kTile + lane * kLaneColumns + c;
      if (column >= job.width) continue;
      if (job.power) job.power[row * job.width + column] = sum[t][c];
      if (!job.merged) continue;
      const T part =
          divisor == 1.0 ? sum[t][c] : static_cast<T>(static_cast<double>(sum[t][c]) / divisor);
      T* to = job.merged + row * job.stride + column;
      *to = job.has(kFreshMerge) ? factor * part : *to + factor * part;
    }
}

// The rows of the list, a warp each.
template <class T, int kTiles>
__global__ void warp_rows_kernel(const SketchJob<T>* jobs, const int64_t* rows, int64_t count) {
  const SketchJob<T> job = *jobs;
  const int lane = static_cast<int>(threadIdx.x & 31);
  const int64_t warps = grid_size() / 32;
  for (int64_t r = global_thread() / 32; r < count; r += warps) {
    const int64_t row = rows[r];
    T sum[kTiles][kLaneColumns] = {};
    gather<T, kTiles>(job, job.begin[row], job.end[row], lane, sum);
    finish<T, kTiles>(job, row, lane, sum);
  }
}

// Arcs [first, last) by a whole block: warps take equal parts, which warp 0 adds in order.  The
// sum is whole in warp 0 afterwards.  `parts` is shared.
template <class T, int kTiles>
__device__ inline void block_gather(const SketchJob<T>& job, int64_t first, int64_t last, T* parts,
                                    T (&sum)[kTiles][kLaneColumns]) {
  const int lane = static_cast<int>(threadIdx.x & 31), warp = static_cast<int>(threadIdx.x / 32);
  const int64_t share = (last - first + kBlockWarps - 1) / kBlockWarps;
  const int64_t from = first + warp * share < last ? first + warp * share : last;
  const int64_t to = from + share < last ? from + share : last;
  gather<T, kTiles>(job, from, to, lane, sum);
  for (int t = 0; t < kTiles; ++t)
    for (int c = 0; c < kLaneColumns; ++c)
      parts[warp * kTiles * kTile + (t * kLaneColumns + c) * 32 + lane] = sum[t][c];
  __syncthreads();
  if (warp == 0)
    for (int w = 1; w < kBlockWarps; ++w)
      for (int t = 0; t < kTiles; ++t)
        for (int c = 0; c < kLaneColumns; ++c)
          sum[t][c] += parts[w * kTiles * kTile + (t * kLaneColumns + c) * 32 + lane];
  __syncthreads();
}

// The rows of the list, a block each.
template <class T, int kTiles>
__global__ void block_rows_kernel(const SketchJob<T>* jobs, const int64_t* rows, int64_t count) {
  __shared__ T parts[kBlockWarps * kTiles * kTile];
  const SketchJob<T> job = *jobs;
  for (int64_t r = blockIdx.x; r < count; r += gridDim.x) {
    const int64_t row = rows[r];
    T sum[kTiles][kLaneColumns] = {};
    block_gather<T, kTiles>(job, job.begin[row], job.end[row], parts, sum);
    if (threadIdx.x < 32) finish<T, kTiles>(job, row, static_cast<int>(threadIdx.x), sum);
  }
}

// Pieces of the longest rows, a block each: piece p is the arcs [cuts[2p], cuts[2p + 1]).
template <class T, int kTiles>
__global__ void hub_pieces_kernel(const SketchJob<T>* jobs, const int64_t* cuts, int64_t pieces,
                                  T* sums) {
  __shared__ T parts[kBlockWarps * kTiles * kTile];
  const SketchJob<T> job = *jobs;
  for (int64_t p = blockIdx.x; p < pieces; p += gridDim.x) {
    T sum[kTiles][kLaneColumns] = {};
    block_gather<T, kTiles>(job, cuts[2 * p], cuts[2 * p + 1], parts, sum);
    if (threadIdx.x >= 32) continue;
    for (int t = 0; t < kTiles; ++t)
      for (int c = 0; c < kLaneColumns; ++c)
        sums[(p * kTiles + t) * kTile + c * 32 + threadIdx.x] = sum[t][c];
  }
}

// The longest rows, a warp each: pieces [first[h], first[h + 1]) are added in order.
template <class T, int kTiles>
__global__ void hub_rows_kernel(const SketchJob<T>* jobs, const int64_t* rows, const int64_t* first,
                                int64_t count, const T* sums) {
  const SketchJob<T> job = *jobs;
  const int lane = static_cast<int>(threadIdx.x & 31);
  const int64_t warps = grid_size() / 32;
  for (int64_t h = global_thread() / 32; h < count; h += warps) {
    T sum[kTiles][kLaneColumns] = {};
    for (int64_t p = first[h]; p < first[h + 1]; ++p)
      for (int t = 0; t < kTiles; ++t)
        for (int c = 0; c < kLaneColumns; ++c)
          sum[t][c] += sums[(p * kTiles + t) * kTile + c * 32 + lane];
    finish<T, kTiles>(job, rows[h], lane, sum);
  }
}

// x (n, width): the random projection times the degree factors.  ids may be null.
template <class T>
__global__ void projection_kernel(uint64_t seed, uint32_t threshold, bool with_ids,
                                  const int64_t* ids, const double* ell, double size, int64_t n,
                                  int64_t width, T* x) {
  const int64_t groups = (width + 3) / 4;
  for (int64_t i = global_thread(); i < n * groups; i += grid_size()) {
    const int64_t row = i / groups, group = i - row * groups;
    const uint64_t id = static_cast<uint64_t>(with_ids ? ids[row] : row);
    const Philox4 words = projection_words(seed, id, static_cast<uint32_t>(group), kNodeTag);
    const T magnitude = static_cast<T>(size * ell[row]);
#pragma unroll
    for (int lane = 0; lane < 4; ++lane)
      if (4 * group + lane < width)
        x[row * width + 4 * group + lane] =
            code_value(sign_code(words.x[lane], threshold), magnitude);
  }
}

#ifndef GS_EMULATED_DEVICE
#define GS_INSTANTIATE(T, kTiles)                                                            \
  template __global__ void warp_rows_kernel<T, kTiles>(const SketchJob<T>*, const int64_t*,  \
                                                       int64_t);                             \
  template __global__ void block_rows_kernel<T, kTiles>(const SketchJob<T>*, const int64_t*, \
                                                        int64_t);                            \
  template __global__ void hub_pieces_kernel<T, kTiles>(const SketchJob<T>*, const int64_t*, \
                                                        int64_t, T*);                        \
  template __global__ void hub_rows_kernel<T, kTiles>(const SketchJob<T>*, const int64_t*,   \
                                                      const int64_t*, int64_t, const T*);
#define GS_INSTANTIATE_TYPE(T)                                                            \
  GS_INSTANTIATE(T, 1)                                                                    \
  GS_INSTANTIATE(T, 2)                                                                    \
  GS_INSTANTIATE(T, 4)                                                                    \
  template __global__ void projection_kernel<T>(uint64_t, uint32_t, bool, const int64_t*, \
                                                const double*, double, int64_t, int64_t, T*);
GS_INSTANTIATE_TYPE(float)
GS_INSTANTIATE_TYPE(double)
#undef GS_INSTANTIATE_TYPE
#undef GS_INSTANTIATE
#endif

}  // namespace gs

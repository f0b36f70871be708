// Path statistics of AMUD on the device: one warp per node counts the classes of its neighbours in
// shared memory.  All sums are integers, so they are the CPU's, in whatever order they are added.
#include "core/amud.hpp"
#include "gpu/launch.cuh"

namespace gs {

constexpr int kHistogram = 512;  // classes and the slot of nodes without a label
constexpr int kWarps = 8;        // of a block

__device__ inline void count_row(const CsrView<int32_t>& g, int64_t v, const uint32_t* codes,
                                 int32_t lane, int32_t* histogram) {
  for (int64_t e = g.begin(v) + lane; e < g.end(v); e += 32)
    atomicAdd(histogram + codes[g.indices[e]], 1);
}

// Neighbours of v on both sides: all, and those with a label.  Each lane looks its own up.
__device__ inline Shared shared_of(const CsrView<int32_t>& out, const CsrView<int32_t>& in,
                                   int64_t v, const uint32_t* codes, int64_t classes,
                                   int32_t lane) {
  Shared found{0, 0};
  for (int64_t e = out.begin(v) + lane; e < out.end(v); e += 32) {
    const int32_t u = out.indices[e];
    const int64_t at = in.lower_bound(v, u);
    if (at == in.end(v) || in.indices[at] != u) continue;
    ++found.all;
    found.labelled += static_cast<int64_t>(codes[u]) != classes;
  }
  return {warp_sum(found.all), warp_sum(found.labelled)};
}

__device__ inline void add_sum(unsigned long long* sums, int at, int64_t value) {
  if (value != 0) atomicAdd(sums + at, static_cast<unsigned long long>(value));
}

// sums (11,) as in graphsparse/patterns/counts.py; counts (n, 3): labelled out- and in-neighbours
// and nodes that are both; matches (n, 3): paths of AA, AA' and A'A to a node of the same label.
__global__ void path_counts_kernel(int64_t n, const int64_t* out_ptr, const int32_t* out_idx,
                                   const int64_t* in_ptr, const int32_t* in_idx,
                                   const uint32_t* codes, int64_t classes, bool per_node,
                                   unsigned long long* sums, int64_t* counts,
                                   unsigned long long* matches) {
  __shared__ int32_t histograms[kWarps][2][kHistogram];
  const CsrView<int32_t> out{n, out_ptr, out_idx}, in{n, in_ptr, in_idx};
  const int32_t lane = static_cast<int32_t>(threadIdx.x % 32);
  int32_t* f = histograms[threadIdx.x / 32 % kWarps][0];
  int32_t* b = histograms[threadIdx.x / 32 % kWarps][1];
  for (int64_t v = global_thread() / 32; v < n; v += grid_size() / 32) {
    for (int64_t c = lane; c <= classes; c += 32) f[c] = b[c] = 0;
    __syncwarp();
    count_row(out, v, codes, lane, f);
    count_row(in, v, codes, lane, b);
    __syncwarp();
    int64_t part[3] = {0, 0, 0};  // same_bf, same_bb, same_ff
    for (int64_t c = lane; c < classes; c += 32) {
      part[0] += int64_t{b[c]} * f[c];
      part[1] += int64_t{b[c]} * b[c];
      part[2] += int64_t{f[c]} * f[c];
    }
    for (int64_t& x : part) x = warp_sum(x);
    const int64_t outs = out.end(v) - out.begin(v), ins = in.end(v) - in.begin(v);
    const int64_t ahead = outs - f[classes], behind = ins - b[classes];
    const Shared shared = shared_of(out, in, v, codes, classes, lane);
    const uint32_t own = codes[v];
    if (lane == 0) {
      counts[3 * v] = ahead;
      counts[3 * v + 1] = behind;
      counts[3 * v + 2] = shared.all;
      const int64_t ends[6] = {behind * ahead, behind * behind, ahead * ahead,
                               part[0],        part[1],         part[2]};
      for (int k = 0; k < 6; ++k) add_sum(sums, k, ends[k]);
      if (static_cast<int64_t>(own) != classes) {
        const int64_t mine[5] = {shared.all, outs, ins, f[own], shared.labelled};
        for (int k = 0; k < 5; ++k) add_sum(sums, 6 + k, mine[k]);
      }
    }
    for (int64_t e = in.begin(v) + lane; per_node && e < in.end(v); e += 32) {
      const uint32_t c = codes[in.indices[e]];
      unsigned long long* to = matches + 3 * static_cast<int64_t>(in.indices[e]);
      if (static_cast<int64_t>(c) == classes) continue;
      atomicAdd(to, static_cast<unsigned long long>(f[c]));
      atomicAdd(to + 1, static_cast<unsigned long long>(b[c]));
    }
    for (int64_t e = out.begin(v) + lane; per_node && e < out.end(v); e += 32) {
      const uint32_t c = codes[out.indices[e]];
      unsigned long long* to = matches + 3 * static_cast<int64_t>(out.indices[e]);
      if (static_cast<int64_t>(c) == classes) continue;
      atomicAdd(to, static_cast<unsigned long long>(b[c]));
      atomicAdd(to + 2, static_cast<unsigned long long>(f[c]));
    }
    __syncwarp();
  }
}

// rows (n, 6): pairs and matches of each node in AA, AA' and A'A, start and end together.
__global__ void path_rows_kernel(int64_t n, const int64_t* out_ptr, const int32_t* out_idx,
                                 const int64_t* in_ptr, const int32_t* in_idx,
                                 const uint32_t* codes, int64_t classes, const int64_t* counts,
                                 const unsigned long long* matches, int64_t* rows) {
  const CsrView<int32_t> out{n, out_ptr, out_idx}, in{n, in_ptr, in_idx};
  for (int64_t i = global_thread(); i < n; i += grid_size()) {
    int64_t aa = 0, aat = 0, ata = 0;
    for (int64_t e = out.begin(i); e < out.end(i); ++e) {
      aa += counts[3 * int64_t{out.indices[e]}];
      aat += counts[3 * int64_t{out.indices[e]} + 1];
    }
    for (int64_t e = in.begin(i); e < in.end(i); ++e) {
      aa += counts[3 * int64_t{in.indices[e]} + 1];
      ata += counts[3 * int64_t{in.indices[e]}];
    }
    PathSums sums{aa, aat, ata};
    PathSums same{static_cast<int64_t>(matches[3 * i]), static_cast<int64_t>(matches[3 * i + 1]),
                  static_cast<int64_t>(matches[3 * i + 2])};
    const int64_t outs = out.end(i) - out.begin(i), ins = in.end(i) - in.begin(i);
    path_row(sums, same, counts[3 * i + 2], outs, ins, static_cast<int64_t>(codes[i]) != classes,
             rows + 6 * i);
  }
}

}  // namespace gs

// TEDDY scores on the device.  The arithmetic is that of core/trim.hpp: the CPU's bits.
#include "core/trim.hpp"
#include "gpu/launch.cuh"

namespace gs {

// t (n,): node scores; above (n,): arcs with column > row.  One warp per row, any grid.
template <class Index>
__global__ void node_scores_kernel(int64_t n, const int64_t* indptr, const Index* indices,
                                   const int64_t* c, double unit, double* t, int64_t* above) {
  const CsrView<Index> g{n, indptr, indices};
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
__global__ void pair_keys_kernel(int64_t n, const int64_t* indptr, const Index* indices,
                                 const double* t, const int64_t* upper, double* keys) {
  const CsrView<Index> g{n, indptr, indices};
  const int lane = static_cast<int>(threadIdx.x & 31);
  const int64_t warps = grid_size() / 32;
  for (int64_t u = global_thread() / 32; u < g.num_nodes; u += warps) {
    const int64_t count = upper[u + 1] - upper[u];
    const Index* neighbours = g.indices + g.end(u) - count;
    for (int64_t i = lane; i < count; i += 32)
      keys[upper[u] + i] = pair_score(t[u], t[neighbours[i]]);
  }
}

// out (n,): rint(S_v / d_v), one more hop of the neighbourhood mean.
template <class Index>
__global__ void neighbour_mean_kernel(int64_t n, const int64_t* indptr, const Index* indices,
                                      const int64_t* c, int64_t* out) {
  const CsrView<Index> g{n, indptr, indices};
  const int lane = static_cast<int>(threadIdx.x & 31);
  const int64_t warps = grid_size() / 32;
  for (int64_t u = global_thread() / 32; u < n; u += warps) {
    int64_t sum = 0;
    for (int64_t i = g.begin(u) + lane; i < g.end(u); i += 32) sum += c[g.indices[i]];
    sum = warp_sum(sum);
    const int64_t d = g.end(u) - g.begin(u);
    if (lane == 0)
      out[u] =
          d ? static_cast<int64_t>(rint(static_cast<double>(sum) / static_cast<double>(d))) : 0;
  }
}

// scores (arcs,): T_{u->v} = t_out[u] * t_in[v].
template <class Index>
__global__ void arc_scores_kernel(int64_t n, const int64_t* indptr, const Index* indices,
                                  const double* t_out, const double* t_in, double* scores) {
  const CsrView<Index> g{n, indptr, indices};
  const int lane = static_cast<int>(threadIdx.x & 31);
  const int64_t warps = grid_size() / 32;
  for (int64_t u = global_thread() / 32; u < n; u += warps)
    for (int64_t i = g.begin(u) + lane; i < g.end(u); i += 32)
      scores[i] = pair_score(t_out[u], t_in[g.indices[i]]);
}

#ifndef GS_EMULATED_DEVICE
#define GS_INSTANTIATE(Index)                                                                    \
  template __global__ void node_scores_kernel<Index>(int64_t, const int64_t*, const Index*,      \
                                                     const int64_t*, double, double*, int64_t*); \
  template __global__ void pair_keys_kernel<Index>(int64_t, const int64_t*, const Index*,        \
                                                   const double*, const int64_t*, double*);      \
  template __global__ void neighbour_mean_kernel<Index>(int64_t, const int64_t*, const Index*,   \
                                                        const int64_t*, int64_t*);               \
  template __global__ void arc_scores_kernel<Index>(int64_t, const int64_t*, const Index*,       \
                                                    const double*, const double*, double*);
GS_INSTANTIATE(int32_t)
GS_INSTANTIATE(int64_t)
#undef GS_INSTANTIATE
#endif

}  // namespace gs

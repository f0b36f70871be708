// Choosing edges on the device: random keys, tie hashes, masks of arcs, the best edges of each
// node. Same order and same ties as cpu/select.cpp.
#include "core/csr.hpp"
#include "core/philox.hpp"
#include "gpu/launch.cuh"

namespace gs {

// out (size,): the first 64 random bits of each item.
__global__ void draw_kernel(uint64_t seed, const uint64_t* items, int64_t size, uint32_t step,
                            uint32_t domain, uint64_t* out) {
  for (int64_t i = global_thread(); i < size; i += grid_size())
    out[i] = draw(seed, items[i], step, domain).a;
}

__global__ void tie_hash_kernel(uint64_t seed, const uint64_t* codes, int64_t size, uint64_t* out) {
  for (int64_t i = global_thread(); i < size; i += grid_size()) out[i] = tie_hash(seed, codes[i]);
}

// above (n,): arcs of each row with column > row (`or_equal`: >=).
template <class Index>
__global__ void upper_counts_kernel(int64_t n, const int64_t* indptr, const Index* indices,
                                    bool or_equal, int64_t* above) {
  const CsrView<Index> g{n, indptr, indices};
  for (int64_t u = global_thread(); u < n; u += grid_size())
    above[u] = g.end(u) - g.lower_bound(u, or_equal ? u : u + 1);
}

// codes: u << 32 | v of the arcs of the upper part, whose prefix counts are `upper` (n + 1,).
template <class Index>
__global__ void edge_codes_kernel(int64_t n, const int64_t* indptr, const Index* indices,
                                  const int64_t* upper, uint64_t* codes) {
  const CsrView<Index> g{n, indptr, indices};
  for (int64_t u = global_thread(); u < n; u += grid_size()) {
    const int64_t count = upper[u + 1] - upper[u];
    for (int64_t i = 0; i < count; ++i)
      codes[upper[u] + i] = edge_code(static_cast<uint64_t>(u),
                                      static_cast<uint64_t>(g.indices[g.end(u) - count + i]));
  }
}

// arcs (num_arcs,): each arc takes the mark of its pair u <= v; `upper` counts columns >= row.
// Parallel arcs are not supported here: the k-th copy would have to find its twin.
template <class Index>
__global__ void arc_mask_kernel(int64_t n, const int64_t* indptr, const Index* indices,
                                const int64_t* upper, const bool* edge_mask, bool* arcs) {
  const CsrView<Index> g{n, indptr, indices};
  const int lane = static_cast<int>(threadIdx.x & 31);
  const int64_t warps = grid_size() / 32;
  const auto first_upper = [&](int64_t u) { return g.end(u) - (upper[u + 1] - upper[u]); };
  for (int64_t u = global_thread() / 32; u < n; u += warps)
    for (int64_t i = g.begin(u) + lane; i < g.end(u); i += 32) {
      const int64_t v = static_cast<int64_t>(g.indices[i]);
      const int64_t low = u < v ? u : v;
      const int64_t at = u <= v ? i : g.lower_bound(v, u);
      arcs[i] = edge_mask[upper[low] + at - first_upper(low)];
    }
}

// What the rows of a graph look like; starts at {all ones, 0, 0}.
struct Inspection {
  unsigned long long first_fall;  // least arc whose column is below that of the arc before it
  unsigned long long parallel, loops;
};

template <class Index>
__global__ void inspect_kernel(int64_t n, const int64_t* indptr, const Index* indices,
                               Inspection* found) {
  const CsrView<Index> g{n, indptr, indices};
  const int lane = static_cast<int>(threadIdx.x & 31);
  const int64_t warps = grid_size() / 32;
  int64_t parallel = 0, loops = 0;
  for (int64_t u = global_thread() / 32; u < n; u += warps)
    for (int64_t i = g.begin(u) + lane; i < g.end(u); i += 32) {
      const int64_t v = static_cast<int64_t>(g.indices[i]);
      const int64_t before = i > g.begin(u) ? static_cast<int64_t>(g.indices[i - 1]) : -1;
      loops += v == u;
      parallel += v == before;
      if (v < before) atomicMin(&found->first_fall, static_cast<unsigned long long>(i));
    }
  parallel = warp_sum(parallel);
  loops = warp_sum(loops);
  if (lane != 0) return;
  if (parallel > 0) atomicAdd(&found->parallel, static_cast<unsigned long long>(parallel));
  if (loops > 0) atomicAdd(&found->loops, static_cast<unsigned long long>(loops));
}

// counts (n,): arcs of each row that the mask keeps.
__global__ void kept_counts_kernel(int64_t n, const int64_t* indptr, const bool* mask,
                                   int64_t* counts) {
  const int lane = static_cast<int>(threadIdx.x & 31);
  const int64_t warps = grid_size() / 32;
  for (int64_t u = global_thread() / 32; u < n; u += warps) {
    int64_t kept = 0;
    for (int64_t i = indptr[u] + lane; i < indptr[u + 1]; i += 32) kept += mask[i];
    kept = warp_sum(kept);
    if (lane == 0) counts[u] = kept;
  }
}

// The kept columns, and the kept arcs if `want_arcs`, row by row from new_indptr (n + 1,) on.
template <class Index>
__global__ void filter_kernel(int64_t n, const int64_t* indptr, const Index* indices,
                              const bool* mask, const int64_t* new_indptr, Index* new_indices,
                              bool want_arcs, int64_t* arcs) {
  const int lane = static_cast<int>(threadIdx.x & 31);
  const int64_t warps = grid_size() / 32;
  for (int64_t u = global_thread() / 32; u < n; u += warps) {
    int64_t to = new_indptr[u];
    for (int64_t start = indptr[u]; start < indptr[u + 1]; start += 32) {
      const int64_t i = start + lane;
      const bool keep = i < indptr[u + 1] && mask[i];
      const unsigned votes = __ballot_sync(kFullWarp, keep);
      const int64_t at = to + __popc(votes & ((1u << lane) - 1));
      if (keep) new_indices[at] = indices[i];
      if (keep && want_arcs) arcs[at] = i;
      to += __popc(votes);
    }
  }
}

// Best edge of each node, one kernel per level of the order; best_* start at 0 / max / max.
__global__ void best_key_kernel(const int64_t* u, const int64_t* v, const uint64_t* keys, int64_t m,
                                unsigned long long* best_key) {
  for (int64_t e = global_thread(); e < m; e += grid_size()) {
    atomicMax(&best_key[u[e]], static_cast<unsigned long long>(keys[e]));
    atomicMax(&best_key[v[e]], static_cast<unsigned long long>(keys[e]));
  }
}

__global__ void best_tie_kernel(const int64_t* u, const int64_t* v, const uint64_t* keys,
                                const uint64_t* ties, int64_t m, const unsigned long long* best_key,
                                unsigned long long* best_tie) {
  for (int64_t e = global_thread(); e < m; e += grid_size()) {
    if (keys[e] == best_key[u[e]])
      atomicMin(&best_tie[u[e]], static_cast<unsigned long long>(ties[e]));
    if (keys[e] == best_key[v[e]])
      atomicMin(&best_tie[v[e]], static_cast<unsigned long long>(ties[e]));
  }
}

// Lowest number among the edges that are best at a node; `mask` marks it in a last pass.
__global__ void best_edge_kernel(const int64_t* u, const int64_t* v, const uint64_t* keys,
                                 const uint64_t* ties, int64_t m,
                                 const unsigned long long* best_key,
                                 const unsigned long long* best_tie,
                                 unsigned long long* best_edge) {
  for (int64_t e = global_thread(); e < m; e += grid_size()) {
    const unsigned long long number = static_cast<unsigned long long>(e);
    if (keys[e] == best_key[u[e]] && ties[e] == best_tie[u[e]]) atomicMin(&best_edge[u[e]], number);
    if (keys[e] == best_key[v[e]] && ties[e] == best_tie[v[e]]) atomicMin(&best_edge[v[e]], number);
  }
}

#ifndef GS_EMULATED_DEVICE
#define GS_INSTANTIATE(Index)                                                                      \
  template __global__ void upper_counts_kernel<Index>(int64_t, const int64_t*, const Index*, bool, \
                                                      int64_t*);                                   \
  template __global__ void edge_codes_kernel<Index>(int64_t, const int64_t*, const Index*,         \
                                                    const int64_t*, uint64_t*);                    \
  template __global__ void arc_mask_kernel<Index>(int64_t, const int64_t*, const Index*,           \
                                                  const int64_t*, const bool*, bool*);             \
  template __global__ void inspect_kernel<Index>(int64_t, const int64_t*, const Index*,            \
                                                 Inspection*);                                     \
  template __global__ void filter_kernel<Index>(                                                   \
      int64_t, const int64_t*, const Index*, const bool*, const int64_t*, Index*, bool, int64_t*);
GS_INSTANTIATE(int32_t)
GS_INSTANTIATE(int64_t)
#undef GS_INSTANTIATE
#endif

}  // namespace gs

// Walks of dyGRASS on the device: one warp per update, its 32 walkers are one round.  The walkers
// are those of core/walk.hpp, so every hit is the CPU's to the bit.
#include "core/walk.hpp"

namespace gs {

constexpr unsigned kAllLanes = 0xFFFFFFFFu;

__device__ inline Hit warp_first(Hit hit) {
  for (int step = kRound / 2; step > 0; step /= 2) {
    const Hit other{__shfl_xor_sync(kAllLanes, hit.R, step),
                    __shfl_xor_sync(kAllLanes, hit.walker, step)};
    if (precedes(other, hit)) hit = other;
  }
  return hit;
}

// hits (count,): the first round with a hit decides, or with Best the least of all rounds.
// Persistent warps draw updates from `next` (starts at 0); who draws what changes nothing.
template <bool Best>
__global__ void walk_kernel(SlackView graph, WalkRule rule, const WalkQuery* queries, int64_t count,
                            unsigned long long* next, Hit* hits, unsigned long long* steps) {
  const int32_t lane = static_cast<int32_t>(threadIdx.x % kRound);
  int64_t walked = 0;
  for (;;) {
    unsigned long long drawn = 0;
    if (lane == 0) drawn = atomicAdd(next, 1ull);
    const int64_t i = static_cast<int64_t>(__shfl_sync(kAllLanes, drawn, 0));
    if (i >= count) break;
    const WalkQuery query = queries[i];
    Hit best = no_hit();
    if (within(query.r0, query.w, rule.limit, kUnbounded)) {
      for (int32_t first = 0; first < rule.walkers; first += kRound) {
        const double bound = best.walker < 0 ? kUnbounded : best.R;
        Walker walker;
        const bool hit =
            run_walker(graph, rule, query, first + lane, bound, walker, walked, NoTrace{});
        const Hit round = warp_first(hit ? Hit{walker.R, first + lane} : no_hit());
        if (precedes(round, best)) best = round;
        if (!Best && best.walker >= 0) break;
      }
    }
    if (lane == 0) hits[i] = best;
  }
  if (walked > 0) atomicAdd(steps, static_cast<unsigned long long>(walked));
}

#ifndef GS_EMULATED_DEVICE
template __global__ void walk_kernel<false>(SlackView, WalkRule, const WalkQuery*, int64_t,
                                            unsigned long long*, Hit*, unsigned long long*);
template __global__ void walk_kernel<true>(SlackView, WalkRule, const WalkQuery*, int64_t,
                                           unsigned long long*, Hit*, unsigned long long*);
#endif

}  // namespace gs

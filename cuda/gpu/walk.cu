// Walks of dyGRASS on the device: one warp per update, its 32 walkers are one round.  The walkers
// are those of core/walk.hpp, so every hit is the CPU's to the bit.
#include "core/walk.hpp"
#include "gpu/launch.cuh"

namespace gs {

// What a launch counts; starts at 0.
struct WalkCounters {
  unsigned long long next;   // first update that no warp has drawn
  unsigned long long steps;  // by all walkers
};

__device__ inline Hit warp_first(Hit hit) {
  for (int step = kRound / 2; step > 0; step /= 2) {
    const Hit other{__shfl_xor_sync(kFullWarp, hit.R, step),
                    __shfl_xor_sync(kFullWarp, hit.walker, step)};
    if (precedes(other, hit)) hit = other;
  }
  return hit;
}

// hits (count,): the first round with a hit decides, or with Best the least of all rounds.
// Persistent warps draw updates from the counter; who draws what changes nothing.  blockDim.x is a
// multiple of 32, so every warp is whole, and all its lanes take the branches outside run_walker
// together: they depend on shuffled or voted values only.
template <bool Best>
__global__ void walk_kernel(const NodeRecord* nodes, const Entry* pool, const WalkRule* rules,
                            const WalkQuery* queries, int64_t count, WalkCounters* counters,
                            Hit* hits) {
  const SlackView graph{nodes, pool};
  const WalkRule rule = *rules;
  const int32_t lane = static_cast<int32_t>(threadIdx.x % kRound);
  int64_t walked = 0;
  for (;;) {
    unsigned long long drawn = 0;
    if (lane == 0) drawn = atomicAdd(&counters->next, 1ull);
    const int64_t i = static_cast<int64_t>(__shfl_sync(kFullWarp, drawn, 0));
    if (i >= count) break;
    const WalkQuery query = queries[i];
    Hit best = no_hit();
    if (within(query.r0, query.w, rule.limit, kUnbounded)) {
      for (int32_t first = 0; first < rule.walkers; first += kRound) {
        const double bound = best.walker < 0 ? kUnbounded : best.R;
        Walker walker;
        const bool hit =
            run_walker(graph, rule, query, first + lane, bound, walker, walked, NoTrace{});
        if (__ballot_sync(kFullWarp, hit) == 0) continue;
        const Hit round = warp_first(hit ? Hit{walker.R, first + lane} : no_hit());
        if (precedes(round, best)) best = round;
        if (!Best) break;
      }
    }
    if (lane == 0) hits[i] = best;
  }
  walked = warp_sum(walked);
  if (lane == 0 && walked > 0) atomicAdd(&counters->steps, static_cast<unsigned long long>(walked));
}

// Brings the rows up to date: records[i] goes to node which[i], entries[i] to slots[i].  A place
// that is named twice gets the same bytes twice.
__global__ void scatter_rows_kernel(NodeRecord* nodes, Entry* pool, const NodeRecord* records,
                                    const int32_t* which, int64_t num_nodes, const Entry* entries,
                                    const int64_t* slots, int64_t num_slots) {
  for (int64_t i = global_thread(); i < num_nodes; i += grid_size()) nodes[which[i]] = records[i];
  for (int64_t i = global_thread(); i < num_slots; i += grid_size()) pool[slots[i]] = entries[i];
}

#ifndef GS_EMULATED_DEVICE
template __global__ void walk_kernel<false>(const NodeRecord*, const Entry*, const WalkRule*,
                                            const WalkQuery*, int64_t, WalkCounters*, Hit*);
template __global__ void walk_kernel<true>(const NodeRecord*, const Entry*, const WalkRule*,
                                           const WalkQuery*, int64_t, WalkCounters*, Hit*);
#endif

}  // namespace gs

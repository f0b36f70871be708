// Which arcs of a row a neighbour sampler takes.  Draw w of a node depends on (seed, batch, place
// of the node in the batch, w) only, so a batch is the same on any number of threads.
#pragma once
#include "core/philox.hpp"

namespace gs {

constexpr uint32_t kNeighborSampling = 71;  // graphsparse.rng.NEIGHBOR_SAMPLING
constexpr int64_t kListed = 64;             // fan-outs up to this are kept as a sorted list

struct NodeDraws {
  uint64_t seed;
  uint32_t batch;
  uint64_t place;

  GS_HD uint64_t bits(uint64_t w) const {
    return draw(seed, (place << 32) | w, batch, kNeighborSampling).a;
  }
  // Uniform in [0, bound), bound < 2^32: the high bits of a product.
  GS_HD int64_t below(uint64_t w, uint64_t bound) const {
    const uint64_t x = bits(w), low = 0xFFFFFFFFull;
    return static_cast<int64_t>(((x >> 32) * bound + (((x & low) * bound) >> 32)) >> 32);
  }
};

// k of [0, d) without replacement, ascending (R. Floyd, CACM 30, 1987; k draws).
GS_HD void choose_listed(const NodeDraws& from, int64_t d, int64_t k, int64_t* out) {
  for (int64_t i = 0; i < k; ++i) {
    const int64_t top = d - k + i;
    int64_t pick = from.below(static_cast<uint64_t>(i), static_cast<uint64_t>(top) + 1);
    int64_t at = i;
    while (at > 0 && out[at - 1] > pick) --at;
    if (at > 0 && out[at - 1] == pick) {
      pick = top;  // larger than all that are listed
      at = i;
    }
    for (int64_t j = i; j > at; --j) out[j] = out[j - 1];
    out[at] = pick;
  }
}

// The same for long lists: each of [0, d) in turn is taken or not (Knuth's algorithm S, d draws).
GS_HD void choose_scanned(const NodeDraws& from, int64_t d, int64_t k, int64_t* out) {
  for (int64_t i = 0, taken = 0; taken < k; ++i)
    if (from.below(static_cast<uint64_t>(i), static_cast<uint64_t>(d - i)) < k - taken)
      out[taken++] = i;
}

GS_HD void choose_without(const NodeDraws& from, int64_t d, int64_t k, int64_t* out) {
  if (k == d)
    for (int64_t i = 0; i < d; ++i) out[i] = i;
  else if (k <= kListed)
    choose_listed(from, d, k, out);
  else
    choose_scanned(from, d, k, out);
}

GS_HD void choose_with(const NodeDraws& from, int64_t d, int64_t k, int64_t* out) {
  for (int64_t i = 0; i < k; ++i)
    out[i] = from.below(static_cast<uint64_t>(i), static_cast<uint64_t>(d));
}

// In proportion to weights whose running sums are given: the first sum above a uniform number.
GS_HD void choose_weighted_with(const NodeDraws& from, const double* sums, int64_t d, int64_t k,
                                int64_t* out) {
  for (int64_t i = 0; i < k; ++i) {
    const double target = u01(from.bits(static_cast<uint64_t>(i))) * sums[d - 1];
    int64_t lo = 0, hi = d - 1;
    while (lo < hi) {
      const int64_t mid = lo + ((hi - lo) >> 1);
      if (sums[mid] > target)
        hi = mid;
      else
        lo = mid + 1;
    }
    out[i] = lo;
  }
}

}  // namespace gs

// Sorting items by a 64-bit key, ties by hash: least-significant-digit radix sort.
#pragma once
#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "core/philox.hpp"

namespace gs {

struct Keyed {
  uint64_t key;
  int64_t id;
};

// Stable, ascending by key.  Digits that are equal in all items cost nothing but their histogram.
inline void radix_sort(Keyed* items, int64_t size, std::vector<Keyed>& scratch) {
  constexpr int kBits = 11, kDigits = 6, kBuckets = 1 << kBits;
  if (size < 512) {
    std::stable_sort(items, items + size,
                     [](const Keyed& a, const Keyed& b) { return a.key < b.key; });
    return;
  }
  std::vector<std::array<int64_t, kBuckets>> count(kDigits);
  for (auto& c : count) c.fill(0);
  for (int64_t i = 0; i < size; ++i)
    for (int d = 0; d < kDigits; ++d) ++count[d][(items[i].key >> (kBits * d)) & (kBuckets - 1)];
  if (static_cast<int64_t>(scratch.size()) < size) scratch.resize(static_cast<size_t>(size));
  Keyed *from = items, *to = scratch.data();
  for (int d = 0; d < kDigits; ++d) {
    const int shift = kBits * d;
    auto& c = count[d];
    if (c[(from[0].key >> shift) & (kBuckets - 1)] == size) continue;
    int64_t sum = 0;
    for (auto& x : c) {
      const int64_t n = x;
      x = sum;
      sum += n;
    }
    for (int64_t i = 0; i < size; ++i) to[c[(from[i].key >> shift) & (kBuckets - 1)]++] = from[i];
    std::swap(from, to);
  }
  if (from != items) std::copy(from, from + size, items);
}

// Order by (key, tie_hash(seed, id), id) ascending; the ids come in ascending.
inline void sort_hashed_ties(std::vector<Keyed>& items, uint64_t seed) {
  std::vector<Keyed> scratch;
  const int64_t size = static_cast<int64_t>(items.size());
  radix_sort(items.data(), size, scratch);
  for (int64_t begin = 0, end; begin < size; begin = end) {
    end = begin + 1;
    while (end < size && items[end].key == items[begin].key) ++end;
    if (end - begin == 1) continue;
    const uint64_t key = items[begin].key;
    for (int64_t i = begin; i < end; ++i)
      items[i].key = tie_hash(seed, static_cast<uint64_t>(items[i].id));
    radix_sort(items.data() + begin, end - begin, scratch);
    for (int64_t i = begin; i < end; ++i) items[i].key = key;
  }
}

}  // namespace gs

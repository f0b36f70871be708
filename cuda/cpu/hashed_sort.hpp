// Sorting items by a 64-bit key, ties by hash: least-significant-digit radix sort.
#pragma once
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#include "core/philox.hpp"
#include "cpu/buffer.hpp"

namespace gs {

struct Keyed {
  uint64_t key;
  int64_t id;
};

// Sorts ascending a number that is not negative from the largest down: bit patterns order like it.
inline uint64_t descending(double key) {
  uint64_t bits;
  std::memcpy(&bits, &key, sizeof bits);
  return ~bits;
}

constexpr int kSortBits = 11, kSortDigits = 6;

// Stable, ascending by the digits first .. 5 of the key.  Digits that are equal in all items cost
// nothing but their histogram.
inline void radix_sort(Keyed* items, int64_t size, Buffer<Keyed>& scratch, int first = 0) {
  constexpr int buckets = 1 << kSortBits;
  if (size < 512) {
    std::stable_sort(items, items + size,
                     [](const Keyed& a, const Keyed& b) { return a.key < b.key; });
    return;
  }
  std::vector<std::array<int64_t, buckets>> count(kSortDigits);
  for (auto& c : count) c.fill(0);
  for (int64_t i = 0; i < size; ++i)
    for (int d = first; d < kSortDigits; ++d)
      ++count[d][(items[i].key >> (kSortBits * d)) & (buckets - 1)];
  if (scratch.size() < size) scratch.resize_raw(size);
  Keyed *from = items, *to = scratch.data();
  for (int d = first; d < kSortDigits; ++d) {
    const int shift = kSortBits * d;
    auto& c = count[d];
    if (c[(from[0].key >> shift) & (buckets - 1)] == size) continue;
    int64_t sum = 0;
    for (auto& x : c) sum += std::exchange(x, sum);
    for (int64_t i = 0; i < size; ++i) to[c[(from[i].key >> shift) & (buckets - 1)]++] = from[i];
    std::swap(from, to);
  }
  if (from != items) std::copy(from, from + size, items);
}

// Ascending by keys that are spread evenly: the upper half of their bits leaves hardly a pair out
// of order.
inline void sort_spread(Keyed* items, int64_t size, Buffer<Keyed>& scratch) {
  radix_sort(items, size, scratch, kSortDigits / 2);
  for (int64_t i = 1; i < size; ++i)
    for (int64_t j = i; j > 0 && items[j].key < items[j - 1].key; --j)
      std::swap(items[j], items[j - 1]);
}

// Order by (key, tie_hash(seed, number(id))) ascending; no two numbers have one hash.
template <class Number>
void sort_hashed_ties(Buffer<Keyed>& items, uint64_t seed, Number&& number) {
  Buffer<Keyed> scratch;
  const int64_t size = items.size();
  radix_sort(items.data(), size, scratch);
  for (int64_t begin = 0, end; begin < size; begin = end) {
    end = begin + 1;
    while (end < size && items[end].key == items[begin].key) ++end;
    if (end - begin == 1) continue;
    const uint64_t key = items[begin].key;
    for (int64_t i = begin; i < end; ++i)
      items[i].key = tie_hash(seed, static_cast<uint64_t>(number(items[i].id)));
    sort_spread(items.data() + begin, end - begin, scratch);
    for (int64_t i = begin; i < end; ++i) items[i].key = key;
  }
}

}  // namespace gs

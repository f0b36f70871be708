// Copying the few keys that lie in a range: the inner loop of the radix selection.
#pragma once
#include "core/hd.hpp"

#ifdef __SSE4_1__
#include <smmintrin.h>
#endif

namespace gs {

#ifdef __SSE4_1__
// Byte shuffles that move the chosen ones of four 32-bit lanes to the front.
struct LaneTable {
  alignas(16) uint8_t bytes[16][16];
  uint8_t count[16];

  constexpr LaneTable() : bytes{}, count{} {
    for (int chosen = 0; chosen < 16; ++chosen) {
      int to = 0;
      for (int lane = 0; lane < 4; ++lane)
        if (chosen >> lane & 1) {
          for (int b = 0; b < 4; ++b)
            bytes[chosen][4 * to + b] = static_cast<uint8_t>(4 * lane + b);
          ++to;
        }
      count[chosen] = static_cast<uint8_t>(to);
    }
  }
};
inline constexpr LaneTable lane_table{};

// Keys = words & bits.  Handles whole groups of four; returns how many keys went to `out`.
inline int64_t compress_lanes(const uint32_t* words, int64_t size, uint32_t bits, uint32_t low,
                              uint32_t width, uint32_t* out) {
  const __m128i mask = _mm_set1_epi32(static_cast<int>(bits));
  const __m128i base = _mm_set1_epi32(static_cast<int>(low));
  const __m128i most = _mm_set1_epi32(static_cast<int>(width));
  int64_t at = 0;
  for (int64_t i = 0; i + 4 <= size; i += 4) {
    const __m128i word = _mm_loadu_si128(reinterpret_cast<const __m128i*>(words + i));
    const __m128i key = _mm_and_si128(word, mask);
    const __m128i over = _mm_sub_epi32(key, base);
    const __m128i hit = _mm_cmpeq_epi32(_mm_min_epu32(over, most), over);
    const int chosen = _mm_movemask_ps(_mm_castsi128_ps(hit));
    const __m128i order =
        _mm_load_si128(reinterpret_cast<const __m128i*>(lane_table.bytes[chosen]));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out + at), _mm_shuffle_epi8(key, order));
    at += lane_table.count[chosen];
  }
  return at;
}
#endif

// Copies the keys in [low, low + width] to `out`, which has room for `size` + 4; returns how many.
template <class Word, class KeyOf, class Key>
int64_t compress(const Word* words, int64_t size, KeyOf key, Key low, Key width, Key* out) {
  int64_t at = 0, i = 0;
#ifdef __SSE4_1__
  if constexpr (sizeof(Key) == 4) {
    at = compress_lanes(words, size, key(~Key{0}), low, width, out);
    i = size & ~int64_t{3};
  }
#endif
  for (; i < size; ++i) {
    const Key x = key(words[i]);
    out[at] = x;
    at += static_cast<Key>(x - low) <= width;
  }
  return at;
}

}  // namespace gs

// What a power of FastRP gathers: dense rows, rows of bfloat16, or rows of packed signs.
#pragma once
#include <limits>
#include <type_traits>

#include "core/sketch.hpp"
#include "cpu/vectors.hpp"

namespace gs {

using Half __attribute__((vector_size(32), aligned(2), may_alias)) = uint16_t;

GS_INLINE uint16_t to_bfloat16(float x) {
  uint32_t bits;
  __builtin_memcpy(&bits, &x, 4);
  if ((bits & 0x7FFFFFFFu) > 0x7F800000u) return static_cast<uint16_t>((bits >> 16) | 64u);  // NaN
  return static_cast<uint16_t>((bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16);
}

// Rows of T.  The last vector of a row may overlap the one before it: see `column_of`.
template <class Type>
struct DenseRows {
  using T = Type;
  static constexpr bool kOverlap = true;
  const T* x;  // (n, width)
  int64_t width;

  GS_INLINE T entry(int64_t j, int64_t k) const { return x[j * width + k]; }
  GS_INLINE T factor(int64_t) const { return T(1); }
  template <int kVectors>
  GS_INLINE void add(Vec<T>* sum, int64_t j, int64_t k, T, bool weighted, T value) const {
    const Vec<T>* row = vec(x + j * width + k);
    if (weighted)
      for (int v = 0; v < kVectors; ++v) sum[v] += value * row[v];
    else
      for (int v = 0; v < kVectors; ++v) sum[v] += row[v];
  }
  template <int kVectors>
  GS_INLINE void prefetch(int64_t j, int64_t k) const {
    const T* row = x + j * width + k;
    for (int v = 0; v < kVectors; ++v) __builtin_prefetch(row + v * kLanes<T>, 0, 2);
  }
};

struct HalfRows {
  using T = float;
  static constexpr bool kOverlap = true;
  const uint16_t* x;  // (n, width)
  int64_t width;

  GS_INLINE float entry(int64_t j, int64_t k) const {
    const uint32_t bits = static_cast<uint32_t>(x[j * width + k]) << 16;
    float value;
    __builtin_memcpy(&value, &bits, 4);
    return value;
  }
  GS_INLINE float factor(int64_t) const { return 1.0f; }
  template <int kVectors>
  GS_INLINE void add(Vec<float>* sum, int64_t j, int64_t k, float, bool weighted,
                     float value) const {
    const Half* row = reinterpret_cast<const Half*>(x + j * width + k);
    for (int v = 0; v < kVectors; ++v) {
      const Vec<uint32_t> wide = __builtin_convertvector(row[v], Vec<uint32_t>) << 16;
      const Vec<float> entries = reinterpret_cast<const Vec<float>&>(wide);
      sum[v] += weighted ? value * entries : entries;
    }
  }
  template <int kVectors>
  GS_INLINE void prefetch(int64_t j, int64_t k) const {
    const uint16_t* row = x + j * width + k;
    for (int v = 0; v < kVectors; v += 2) __builtin_prefetch(row + v * 16, 0, 2);
  }
};

// L R: signs of `packed_code` times the factor of the row.
template <class Type>
struct SignRows {
  using T = Type;
  static constexpr bool kOverlap = false;
  const uint16_t* codes;  // (n, blocks, 16)
  const T* factors;       // (n,)
  int64_t blocks;

  GS_INLINE T entry(int64_t j, int64_t k) const {
    return code_value(packed_code(codes, blocks, j, k), factors[j]);
  }
  GS_INLINE T factor(int64_t j) const { return factors[j]; }
  GS_INLINE const uint16_t* block_of(int64_t j, int64_t k) const {
    return codes + (j * blocks + k / kCodeBlock) * kCodeLanes;
  }
  // A code is shifted to the top: its second bit is then the sign, its first one, spread over
  // the word, tells the magnitude from zero.  No branch and no table.
  template <int kVectors>
  GS_INLINE void add(Vec<T>* sum, int64_t j, int64_t k, T factor, bool weighted, T value) const {
    using S = std::conditional_t<sizeof(T) == 4, int32_t, int64_t>;
    constexpr int kParts = 16 / static_cast<int>(kLanes<T>), kTop = 8 * sizeof(T) - 1;
    using Part __attribute__((vector_size(2 * kLanes<T>), aligned(2), may_alias)) = uint16_t;
    const Part* block = reinterpret_cast<const Part*>(block_of(j, k));
    Vec<S> words[kParts];
    for (int p = 0; p < kParts; ++p) words[p] = __builtin_convertvector(block[p], Vec<S>);
    const Vec<T> magnitude = Vec<T>{} + (weighted ? value * factor : factor);
    const Vec<S> bits = reinterpret_cast<const Vec<S>&>(magnitude);
    const int start = static_cast<int>(k % kCodeBlock / kCodeLanes);
    for (int v = 0; v < kVectors; ++v) {
      const Vec<S> code = words[v % kParts] << (kTop - 1 - 2 * (start + v / kParts));
      const Vec<S> some = (code << 1) >> kTop;
      const Vec<S> entry = (bits & some) | (code & (std::numeric_limits<S>::min()));
      sum[v] += reinterpret_cast<const Vec<T>&>(entry);
    }
  }
  template <int kVectors>
  GS_INLINE void prefetch(int64_t j, int64_t k) const {
    __builtin_prefetch(block_of(j, k));
    if (k == 0) __builtin_prefetch(factors + j);
  }
};

}  // namespace gs

// Vectors of one cache line that GCC lowers to whatever the processor has.
// Products and sums are never contracted, so every instruction set gives the same bits.
#pragma once
#include <cstdint>

#define GS_CLONES __attribute__((target_clones("default", "avx2", "avx512f")))
#define GS_INLINE inline __attribute__((always_inline))

namespace gs {

template <class T>
using Vec __attribute__((vector_size(64), aligned(sizeof(T)), may_alias)) = T;

template <class T>
constexpr int64_t kLanes = 64 / static_cast<int64_t>(sizeof(T));

template <class T>
GS_INLINE const Vec<T>* vec(const T* p) {
  return reinterpret_cast<const Vec<T>*>(p);
}
template <class T>
GS_INLINE Vec<T>* vec(T* p) {
  return reinterpret_cast<Vec<T>*>(p);
}

// Dot product in a fixed order: lanes first, then across the lanes, then the tail.
template <class T>
GS_INLINE T dot(const T* a, const T* b, int64_t size) {
  Vec<T> lanes = {};
  int64_t k = 0;
  for (; k + kLanes<T> <= size; k += kLanes<T>) lanes += *vec(a + k) * *vec(b + k);
  T sum = T(0);
  for (int j = 0; j < kLanes<T>; ++j) sum += lanes[j];
  for (; k < size; ++k) sum += a[k] * b[k];
  return sum;
}

GS_INLINE float lane_sum(const Vec<float>& x) {
  const auto half = __builtin_shufflevector(x, x, 0, 1, 2, 3, 4, 5, 6, 7) +
                    __builtin_shufflevector(x, x, 8, 9, 10, 11, 12, 13, 14, 15);
  const auto quarter = __builtin_shufflevector(half, half, 0, 1, 2, 3) +
                       __builtin_shufflevector(half, half, 4, 5, 6, 7);
  return (quarter[0] + quarter[2]) + (quarter[1] + quarter[3]);
}
GS_INLINE double lane_sum(const Vec<double>& x) {
  const auto half =
      __builtin_shufflevector(x, x, 0, 1, 2, 3) + __builtin_shufflevector(x, x, 4, 5, 6, 7);
  return (half[0] + half[2]) + (half[1] + half[3]);
}

// As `dot`, with the lanes added pairwise: fewer dependent additions.
template <class T>
GS_INLINE T head_dot(const T* a, const T* b, int64_t size) {
  Vec<T> lanes = {};
  int64_t k = 0;
  for (; k + kLanes<T> <= size; k += kLanes<T>) lanes += *vec(a + k) * *vec(b + k);
  T sum = lane_sum(lanes);
  for (; k < size; ++k) sum += a[k] * b[k];
  return sum;
}

// y += factor * x
template <class T>
GS_INLINE void add_scaled(T* y, T factor, const T* x, int64_t size) {
  int64_t k = 0;
  for (; k + kLanes<T> <= size; k += kLanes<T>) *vec(y + k) += factor * *vec(x + k);
  for (; k < size; ++k) y[k] += factor * x[k];
}

}  // namespace gs

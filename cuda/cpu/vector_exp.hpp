// exp of many numbers.  Single precision is a polynomial in written-out arithmetic: the same bits
// on every processor, within 2 units in the last place, and 0 below the smallest normal number.
#pragma once
#include <cmath>
#include <cstring>

#include "cpu/vectors.hpp"

namespace gs {

using Words __attribute__((vector_size(64))) = int32_t;

GS_INLINE void exp_lanes(Vec<float>& x) {
  constexpr float kRound = 12582912.0f;  // 1.5 * 2^23: adding it leaves the nearest integer
  const Words tiny = x < -87.3f;
  x = x > 88.0f ? Vec<float>{} + 88.0f : x;
  x = tiny ? Vec<float>{} - 87.3f : x;
  const Vec<float> shifted = x * 1.44269504088896341f + kRound;
  const Vec<float> n = shifted - kRound;
  const Vec<float> r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  Vec<float> p = r * 1.9875691500e-4f + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * (r * r) + r + 1.0f;
  const Words exponent = ((Words)shifted - (Words)(Vec<float>{} + kRound)) << 23;
  const Vec<float> scaled = (Vec<float>)((Words)p + exponent);
  x = tiny ? Vec<float>{} : scaled;
}

// x (size,) becomes exp(x).
GS_INLINE void exp_all(float* x, int64_t size) {
  int64_t k = 0;
  for (; k + kLanes<float> <= size; k += kLanes<float>) exp_lanes(*vec(x + k));
  if (k == size) return;
  Vec<float> rest = {};
  std::memcpy(&rest, x + k, static_cast<size_t>(size - k) * sizeof(float));
  exp_lanes(rest);
  std::memcpy(x + k, &rest, static_cast<size_t>(size - k) * sizeof(float));
}
GS_INLINE void exp_all(double* x, int64_t size) {
  for (int64_t k = 0; k < size; ++k) x[k] = std::exp(x[k]);
}

}  // namespace gs

// One row of attention: dot products with the rows it refers to, and weighted sums of them.
// A row is (heads * dim,); a weight or a product belongs to one reference and one head.
#pragma once
#include <algorithm>

#include "cpu/vectors.hpp"

namespace gs {

struct Heads {
  int64_t count, dim;
  int64_t width() const { return count * dim; }
};

constexpr int64_t kAhead = 6;  // references whose rows are fetched before they are used

GS_INLINE void prefetch_bytes(const void* p, int64_t bytes) {
  const char* line = static_cast<const char*>(p);
  for (int64_t k = 0; k < bytes; k += 64) __builtin_prefetch(line + k);
}

// out (count, heads) = q . rows[cols[e]] per head.  Fetches the same rows of `next` meanwhile.
template <class T>
GS_INLINE void row_dots(const T* q, const T* rows, const T* next, const int32_t* cols,
                        int64_t count, int64_t left, Heads heads, T* out) {
  const int64_t width = heads.width(), bytes = width * static_cast<int64_t>(sizeof(T));
  for (int64_t e = 0; e < count; ++e) {
    if (e + kAhead < left) prefetch_bytes(rows + cols[e + kAhead] * width, bytes);
    if (next) prefetch_bytes(next + cols[e] * width, bytes);
    const T* row = rows + cols[e] * width;
    for (int64_t h = 0; h < heads.count; ++h)
      out[e * heads.count + h] = head_dot(q + h * heads.dim, row + h * heads.dim, heads.dim);
  }
}

// Columns [k, k + kVectors * kLanes) of out = sum_e weight[e, head] * rows[cols[e]].
template <class T, int kVectors>
GS_INLINE void sum_tile(const T* rows, const int32_t* cols, int64_t count, const T* weight,
                        int64_t stride, Heads heads, int64_t k, T* out) {
  Vec<T> sum[kVectors] = {};
  int64_t head[kVectors];
  for (int j = 0; j < kVectors; ++j) head[j] = (k + j * kLanes<T>) / heads.dim;
  const int64_t width = heads.width();
  for (int64_t e = 0; e < count; ++e) {
    const Vec<T>* row = vec(rows + cols[e] * width + k);
    const T* w = weight + e * stride;
    for (int j = 0; j < kVectors; ++j) sum[j] += w[head[j]] * row[j];
  }
  for (int j = 0; j < kVectors; ++j) *vec(out + k + j * kLanes<T>) = sum[j];
}

// out (heads * dim,) = sum over e of weight[e * stride + head] * rows[cols[e]].
template <class T>
GS_INLINE void row_sum(const T* rows, const int32_t* cols, int64_t count, const T* weight,
                       int64_t stride, Heads heads, T* out) {
  const int64_t width = heads.width();
  if (heads.dim % kLanes<T> == 0) {
    int64_t k = 0;
    for (; k + 8 * kLanes<T> <= width; k += 8 * kLanes<T>)
      sum_tile<T, 8>(rows, cols, count, weight, stride, heads, k, out);
    for (; k + 2 * kLanes<T> <= width; k += 2 * kLanes<T>)
      sum_tile<T, 2>(rows, cols, count, weight, stride, heads, k, out);
    for (; k < width; k += kLanes<T>)
      sum_tile<T, 1>(rows, cols, count, weight, stride, heads, k, out);
    return;
  }
  std::fill(out, out + width, T(0));
  for (int64_t e = 0; e < count; ++e)
    for (int64_t h = 0; h < heads.count; ++h)
      add_scaled(out + h * heads.dim, weight[e * stride + h],
                 rows + cols[e] * width + h * heads.dim, heads.dim);
}

}  // namespace gs

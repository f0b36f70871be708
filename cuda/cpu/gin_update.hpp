// The isomorphic update of a block of rows and one group: c v + a, W1, dropout, rms, silu, W2.
// Rows of a block lie in scratch, padded with zeros to whole vectors; so do the weights.
#pragma once
#include <algorithm>
#include <cmath>

#include "cpu/drop_range.hpp"
#include "cpu/vector_exp.hpp"
#include "cpu/vectors.hpp"

namespace gs {

constexpr int64_t kBlock = 8;  // rows that share a load of the weights

template <class T>
int64_t padded(int64_t size) {
  return (size + kLanes<T> - 1) / kLanes<T> * kLanes<T>;
}

struct UpdateShape {
  int64_t rows, groups, width, hidden;  // a row is (groups * width,)
  bool normed;                          // rms between W1 and silu
  int64_t dim() const { return groups * width; }
};

// Weights and biases of one group, or their gradients.
template <class T>
struct UpdateWeights {
  T* in;        // (width, padded hidden): W1 transposed
  T* in_bias;   // (padded hidden,)
  T* gain;      // (padded hidden,)
  T* out;       // (hidden, padded width): W2 transposed
  T* out_bias;  // (padded width,)
  T* own;       // (padded width,): c of every column

  static int64_t size(const UpdateShape& s) {
    const int64_t h = padded<T>(s.hidden), w = padded<T>(s.width);
    return s.width * h + 2 * h + s.hidden * w + 2 * w;
  }
  static UpdateWeights at(T* p, const UpdateShape& s) {
    const int64_t h = padded<T>(s.hidden), w = padded<T>(s.width);
    UpdateWeights a;
    a.in = p;
    a.in_bias = a.in + s.width * h;
    a.gain = a.in_bias + h;
    a.out = a.gain + h;
    a.out_bias = a.out + s.hidden * w;
    a.own = a.out_bias + w;
    return a;
  }
};

// Random bits of the hidden units, (rows, groups, hidden), or none.
template <class T>
struct HiddenDrop {
  const void* bits;
  bool wide;  // 16 bits per entry, else 8
  int32_t threshold;
  T scale;

  GS_INLINE void apply(T* y, int64_t first, int64_t size) const {
    if (!bits) return;
    if (wide)
      drop_range(y, static_cast<const uint16_t*>(bits) + first, threshold, scale, y, size);
    else
      drop_range(y, static_cast<const uint8_t*>(bits) + first, threshold, scale, y, size);
  }
};

// out (kBlock, columns) = start (columns,) + left (kBlock, terms) @ right (terms, columns).
template <class T>
GS_INLINE void block_product(const T* left, int64_t left_stride, int64_t terms, const T* right,
                             int64_t columns, const T* start, T* out) {
  for (int64_t c = 0; c < columns; c += kLanes<T>) {
    Vec<T> sum[kBlock];
    for (int r = 0; r < kBlock; ++r) sum[r] = start ? *vec(start + c) : Vec<T>{};
    for (int64_t k = 0; k < terms; ++k) {
      const Vec<T> w = *vec(right + k * columns + c);
      for (int r = 0; r < kBlock; ++r) sum[r] += left[r * left_stride + k] * w;
    }
    for (int r = 0; r < kBlock; ++r) *vec(out + r * columns + c) = sum[r];
  }
}

// sums (terms, columns) += left (kBlock, terms) transposed @ right (kBlock, columns).
template <class T>
GS_INLINE void block_outer(const T* left, int64_t left_stride, int64_t terms, const T* right,
                           int64_t columns, T* sums) {
  for (int64_t c = 0; c < columns; c += kLanes<T>) {
    Vec<T> row[kBlock];
    for (int r = 0; r < kBlock; ++r) row[r] = *vec(right + r * columns + c);
    for (int64_t k = 0; k < terms; ++k) {
      Vec<T> sum = *vec(sums + k * columns + c);
      for (int r = 0; r < kBlock; ++r) sum += left[r * left_stride + k] * row[r];
      *vec(sums + k * columns + c) = sum;
    }
  }
}

// Column sums of a block, added to `sums`.
template <class T>
GS_INLINE void block_sum(const T* block, int64_t columns, T* sums) {
  for (int64_t r = 0; r < kBlock; ++r) add_scaled(sums, T(1), block + r * columns, columns);
}

// What a block needs between its steps.  Pads are zero from the start and stay so.
template <class T>
struct UpdateScratch {
  T *z, *y, *act, *sig, *result, *grad, *grad_y, *grad_z;
  T inverse[kBlock];

  static int64_t size(const UpdateShape& s) {
    return kBlock * (4 * padded<T>(s.width) + 4 * padded<T>(s.hidden));
  }
  static UpdateScratch at(T* p, const UpdateShape& s) {
    const int64_t w = kBlock * padded<T>(s.width), h = kBlock * padded<T>(s.hidden);
    UpdateScratch a;
    a.z = p;
    a.result = a.z + w;
    a.grad = a.result + w;
    a.grad_z = a.grad + w;
    a.y = a.grad_z + w;
    a.act = a.y + h;
    a.sig = a.act + h;
    a.grad_y = a.sig + h;
    return a;
  }
};

// Columns of one group of `count` rows, copied to a block whose other rows are zero.
template <class T>
GS_INLINE void load_block(const T* rows, int64_t stride, int64_t count, int64_t width, T* block) {
  const int64_t w = padded<T>(width);
  for (int64_t r = 0; r < count; ++r) std::copy_n(rows + r * stride, width, block + r * w);
  std::fill(block + count * w, block + kBlock * w, T(0));
}
template <class T>
GS_INLINE void store_block(const T* block, int64_t stride, int64_t count, int64_t width, T* rows) {
  for (int64_t r = 0; r < count; ++r)
    std::copy_n(block + r * padded<T>(width), width, rows + r * stride);
}

// Fills z, y (after dropout), inverse, sig and act from own values and aggregates.
template <class T>
GS_INLINE void block_forward(const UpdateShape& s, const UpdateWeights<T>& p, const T* own,
                             const T* aggregate, const HiddenDrop<T>& drop, int64_t first_bit,
                             int64_t count, T eps, UpdateScratch<T>& a) {
  const int64_t w = padded<T>(s.width), h = padded<T>(s.hidden);
  load_block(aggregate, s.dim(), count, s.width, a.z);
  for (int64_t r = 0; r < count; ++r)
    for (int64_t k = 0; k < s.width; ++k) a.z[r * w + k] += p.own[k] * own[r * s.dim() + k];
  block_product(a.z, w, s.width, p.in, h, p.in_bias, a.y);
  for (int64_t r = 0; r < count; ++r)
    drop.apply(a.y + r * h, first_bit + r * s.groups * s.hidden, s.hidden);
  for (int64_t r = 0; r < kBlock; ++r) {
    T* y = a.y + r * h;
    a.inverse[r] =
        s.normed ? T(1) / std::sqrt(dot(y, y, h) / static_cast<T>(s.hidden) + eps) : T(1);
    for (int64_t j = 0; j < h; ++j) a.act[r * h + j] = y[j] * a.inverse[r] * p.gain[j];
  }
  for (int64_t j = 0; j < kBlock * h; ++j) a.sig[j] = -a.act[j];
  exp_all(a.sig, kBlock * h);
  for (int64_t j = 0; j < kBlock * h; ++j) a.sig[j] = T(1) / (T(1) + a.sig[j]);
  for (int64_t j = 0; j < kBlock * h; ++j) a.act[j] *= a.sig[j];
}

// Fills grad_y (before dropout) and grad_z from grad, and adds to the gradients of the weights.
template <class T>
GS_INLINE void block_backward(const UpdateShape& s, const UpdateWeights<T>& p, const T* in_rows,
                              const T* out_rows, const HiddenDrop<T>& drop, int64_t first_bit,
                              int64_t count, UpdateScratch<T>& a, const UpdateWeights<T>& d) {
  const int64_t w = padded<T>(s.width), h = padded<T>(s.hidden);
  block_product(a.grad, w, s.width, out_rows, h, static_cast<const T*>(nullptr), a.grad_y);
  block_outer(a.act, h, s.hidden, a.grad, w, d.out);
  block_sum(a.grad, w, d.out_bias);
  // silu(u) = u sig: act is that already, so u sig (1 - sig) = act (1 - sig).
  for (int64_t j = 0; j < kBlock * h; ++j) a.grad_y[j] *= a.sig[j] + a.act[j] * (T(1) - a.sig[j]);
  if (s.normed)
    for (int64_t r = 0; r < kBlock; ++r) {
      T *g = a.grad_y + r * h, *y = a.y + r * h;
      for (int64_t j = 0; j < h; ++j) d.gain[j] += g[j] * y[j] * a.inverse[r];
      for (int64_t j = 0; j < h; ++j) g[j] *= p.gain[j];
      const T back = dot(g, y, h) * a.inverse[r] * a.inverse[r] / static_cast<T>(s.hidden);
      for (int64_t j = 0; j < h; ++j) g[j] = a.inverse[r] * (g[j] - y[j] * back);
    }
  for (int64_t r = 0; r < count; ++r)
    drop.apply(a.grad_y + r * h, first_bit + r * s.groups * s.hidden, s.hidden);
  block_outer(a.z, w, s.width, a.grad_y, h, d.in);
  block_sum(a.grad_y, h, d.in_bias);
  block_product(a.grad_y, h, s.hidden, in_rows, w, static_cast<const T*>(nullptr), a.grad_z);
}

}  // namespace gs

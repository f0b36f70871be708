// Products of tall matrices with small weights, in registers: tiles of kRows rows by kVectors
// vectors.  Weights are packed once into panels of as many columns, so a panel is read in order.
// Sums of products may be contracted: results depend on the instruction set, as any BLAS's do,
// but not on the number of threads.
#pragma once
#include <algorithm>
#include <cstring>
#include <vector>

#include "core/segment.hpp"
#include "cpu/vectors.hpp"

namespace gs {

// One instruction set: bytes of a vector, and the tile that fits its registers.
template <int kBytes_, int kRows_, int kVectors_>
struct Machine {
  static constexpr int kBytes = kBytes_, kRows = kRows_, kVectors = kVectors_;
};

template <class T, class M>
struct Tall {
  using Lane __attribute__((vector_size(M::kBytes), aligned(sizeof(T)), may_alias)) = T;
  static constexpr int64_t kLanes = M::kBytes / static_cast<int64_t>(sizeof(T));
  static constexpr int64_t kPanel = kLanes * M::kVectors;

  static Lane* lanes(T* p) { return reinterpret_cast<Lane*>(p); }
  static const Lane* lanes(const T* p) { return reinterpret_cast<const Lane*>(p); }
  static int64_t padded(int64_t columns) { return (columns + kLanes - 1) / kLanes * kLanes; }
};

// A factor on the left, with the width that it shares with its weight.
template <class T>
struct Factor {
  Rows<const T> x;
  int64_t width;
};

// out = start + sum of factors times panels, or x + relu(that) with x the first factor.
template <class T>
struct TallJob {
  const Factor<T>* factors;
  int64_t num_factors, depth;  // depth: sum of the widths
  const T* panels;             // (padded columns, depth) in blocks of kPanel columns
  const T* bias;               // (padded columns,), or null
  Rows<const T> base;          // added instead of the bias where it is not null
  const int64_t* base_row;     // which row of base each row gets, or null: its own
  bool residual;
  Rows<T> out;
  int64_t columns;
};

// columns [0, columns) of a weight w (columns, depth), given by strides, into panels.
template <class T, class M>
void pack_panels(const T* w, int64_t column_stride, int64_t depth_stride, int64_t columns,
                 int64_t first_depth, int64_t width, int64_t depth, T* panels) {
  using A = Tall<T, M>;
  const int64_t padded = A::padded(columns);
  for (int64_t j = 0; j < padded; j += A::kPanel) {
    const int64_t wide = std::min(A::kPanel, padded - j);
    T* panel = panels + j * depth + first_depth * wide;
    for (int64_t p = 0; p < width; ++p)
      for (int64_t c = 0; c < wide; ++c)
        panel[p * wide + c] =
            j + c < columns ? w[(j + c) * column_stride + p * depth_stride] : T(0);
  }
}

template <class T, class M, int kRows, int kVectors>
GS_INLINE void tall_tile(const TallJob<T>& a, int64_t row, int64_t column) {
  using A = Tall<T, M>;
  typename A::Lane sum[kRows][kVectors];
  const int64_t live = std::min<int64_t>(kVectors * A::kLanes, a.columns - column);
  const bool whole = live == kVectors * A::kLanes;
  T spare[kVectors * A::kLanes];
  for (int i = 0; i < kRows; ++i) {
    const T* start = a.bias ? a.bias + column : nullptr;
    if (a.base.data) {
      start = a.base[a.base_row ? a.base_row[row + i] : row + i] + column;
      if (!whole) start = static_cast<T*>(std::memcpy(spare, start, sizeof(T) * live));
    }
    for (int j = 0; j < kVectors; ++j)
      sum[i][j] = start ? *A::lanes(start + j * A::kLanes) : typename A::Lane{};
  }
  const T* panel = a.panels + column * a.depth;
  for (int64_t f = 0; f < a.num_factors; ++f) {
    const Factor<T>& factor = a.factors[f];
    const T* x[kRows];
    for (int i = 0; i < kRows; ++i) x[i] = factor.x[row + i];
    for (int64_t p = 0; p < factor.width; ++p, panel += kVectors * A::kLanes) {
      typename A::Lane w[kVectors];
      for (int j = 0; j < kVectors; ++j) w[j] = *A::lanes(panel + j * A::kLanes);
      for (int i = 0; i < kRows; ++i)
        for (int j = 0; j < kVectors; ++j) sum[i][j] += x[i][p] * w[j];
    }
  }
  for (int i = 0; i < kRows; ++i) {
    T* out = a.out[row + i] + column;
    if (a.residual) {
      const T* x = a.factors[0].x[row + i] + column;
      if (!whole) x = static_cast<T*>(std::memcpy(spare, x, sizeof(T) * live));
      for (int j = 0; j < kVectors; ++j) {
        const typename A::Lane zero{}, y = sum[i][j];
        sum[i][j] = *A::lanes(x + j * A::kLanes) + (y > zero ? y : zero);
      }
    }
    for (int j = 0; j < kVectors; ++j) *A::lanes((whole ? out : spare) + j * A::kLanes) = sum[i][j];
    if (!whole) std::memcpy(out, spare, sizeof(T) * live);
  }
}

template <class T, class M, int kVectors>
GS_INLINE void tall_panel(const TallJob<T>& a, int64_t first, int64_t last, int64_t column) {
  int64_t row = first;
  for (; row + M::kRows <= last; row += M::kRows)
    tall_tile<T, M, M::kRows, kVectors>(a, row, column);
  for (; row < last; ++row) tall_tile<T, M, 1, kVectors>(a, row, column);
}

// Rows [first, last): blocks of rows that stay in cache while the panels go by.
template <class T, class M>
GS_INLINE void tall_rows(const TallJob<T>& a, int64_t first, int64_t last) {
  using A = Tall<T, M>;
  constexpr int64_t kBlock = 192;
  const int64_t padded = A::padded(a.columns);
  for (int64_t r = first; r < last; r += kBlock) {
    const int64_t end = std::min(last, r + kBlock);
    int64_t column = 0;
    for (; column + A::kPanel <= padded; column += A::kPanel)
      tall_panel<T, M, M::kVectors>(a, r, end, column);
    const int64_t rest = (padded - column) / A::kLanes;
    if (rest == 1) tall_panel<T, M, 1>(a, r, end, column);
    if (rest == 2) tall_panel<T, M, std::min(2, M::kVectors)>(a, r, end, column);
    if (rest == 3) tall_panel<T, M, std::min(3, M::kVectors)>(a, r, end, column);
  }
}

// sums (width, padded): += x' grad over `rows` rows; grad has padded columns.
template <class T, class M, int kRows, int kVectors>
GS_INLINE void gradient_tile(Rows<const T> x, Rows<const T> grad, int64_t rows, int64_t padded,
                             T* sums) {
  using A = Tall<T, M>;
  typename A::Lane sum[kRows][kVectors];
  for (int i = 0; i < kRows; ++i)
    for (int j = 0; j < kVectors; ++j) sum[i][j] = *A::lanes(sums + i * padded + j * A::kLanes);
  for (int64_t r = 0; r < rows; ++r) {
    const T *left = x[r], *right = grad[r];
    typename A::Lane g[kVectors];
    for (int j = 0; j < kVectors; ++j) g[j] = *A::lanes(right + j * A::kLanes);
    for (int i = 0; i < kRows; ++i)
      for (int j = 0; j < kVectors; ++j) sum[i][j] += left[i] * g[j];
  }
  for (int i = 0; i < kRows; ++i)
    for (int j = 0; j < kVectors; ++j) *A::lanes(sums + i * padded + j * A::kLanes) = sum[i][j];
}

template <class T, class M, int kVectors>
GS_INLINE void gradient_panel(Rows<const T> x, int64_t width, Rows<const T> grad, int64_t rows,
                              int64_t padded, T* sums) {
  int64_t p = 0;
  for (; p + M::kRows <= width; p += M::kRows)
    gradient_tile<T, M, M::kRows, kVectors>({x.data + p, x.stride}, grad, rows, padded,
                                            sums + p * padded);
  for (; p < width; ++p)
    gradient_tile<T, M, 1, kVectors>({x.data + p, x.stride}, grad, rows, padded, sums + p * padded);
}

template <class T, class M>
GS_INLINE void gradient_rows(Rows<const T> x, int64_t width, Rows<const T> grad, int64_t rows,
                             int64_t padded, T* sums) {
  using A = Tall<T, M>;
  int64_t column = 0;
  for (; column + A::kPanel <= padded; column += A::kPanel)
    gradient_panel<T, M, M::kVectors>(x, width, {grad.data + column, grad.stride}, rows, padded,
                                      sums + column);
  for (; column < padded; column += A::kLanes)
    gradient_panel<T, M, 1>(x, width, {grad.data + column, grad.stride}, rows, padded,
                            sums + column);
}

}  // namespace gs

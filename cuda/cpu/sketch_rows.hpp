// One power of FastRP on a range of rows: gather-sum in registers, scale, norm, store, merge.
#pragma once
#include <algorithm>
#include <cmath>

#include "cpu/sketch_source.hpp"

namespace gs {

constexpr int64_t kAhead = 24;  // arcs between the prefetch of a row, into L2, and its use

// What becomes of a row once it is summed; pointers may be null.
template <class T>
struct RowSink {
  const T* scale = nullptr;   // (n,)
  T* power = nullptr;         // (rows, width)
  uint16_t* half = nullptr;   // (rows, width), instead of `power`
  T* merged = nullptr;        // (rows, width)
  double* squares = nullptr;  // (rows,): sums of squares
  int64_t width = 0, stride = 0;
  double earlier = 0.0;  // weight in `merged` of the rows that are gathered
  double alpha = 1.0;    // weight in `merged`
  bool unit = false;     // merge rows of length 1
  bool loop = false;     // the power itself has rows of length 1
  bool fresh = false;    // write `merged` instead of adding to it
};

// Rows that are worth several threads each, in pieces that are summed beforehand.
template <class T>
struct Hubs {
  const int64_t* rows;   // positions, ascending
  const int64_t* first;  // first piece of each, (count + 1,)
  int64_t count;
  T* sums;  // (pieces, padded)
};

constexpr int64_t padded(int64_t width) { return (width + 15) / 16 * 16; }

// Vectors of columns [k, ...) of the arcs [first, last) into sum[k ...].
template <class Source, class Index, int kVectors>
GS_INLINE void gather_tile(const ArcView<typename Source::T, Index>& arcs, const Source& x,
                           int64_t first, int64_t last, int64_t limit, int64_t k,
                           typename Source::T* out) {
  using T = typename Source::T;
  Vec<T> sum[kVectors] = {};
  const Index* indices = arcs.indices;
  if (arcs.values) {
    for (int64_t e = first; e < last; ++e) {
      x.template prefetch<kVectors>(indices[std::min(e + kAhead, limit)], k);
      const int64_t j = indices[e];
      x.template add<kVectors>(sum, j, k, x.factor(j), true, arcs.values[e]);
    }
  } else {
    for (int64_t e = first; e < last; ++e) {
      x.template prefetch<kVectors>(indices[std::min(e + kAhead, limit)], k);
      const int64_t j = indices[e];
      x.template add<kVectors>(sum, j, k, x.factor(j), false, T(1));
    }
  }
  for (int v = 0; v < kVectors; ++v) vec(out + k)[v] = sum[v];
}

// One piece of a row, all columns: out has room for padded(width).
template <class Source, class Index>
GS_INLINE void gather_piece(const ArcView<typename Source::T, Index>& arcs, const Source& x,
                            int64_t first, int64_t last, int64_t limit, int64_t width,
                            typename Source::T* out) {
  using T = typename Source::T;
  constexpr int64_t lanes = kLanes<T>;
  if (Source::kOverlap && width < lanes) {
    for (int64_t k = 0; k < width; ++k)
      out[k] = piece_entry(arcs, first, last, [&](int64_t j) { return x.entry(j, k); });
    return;
  }
  const int64_t columns = Source::kOverlap ? width : padded(width);
  int64_t k = 0;
  for (; k + 8 * lanes <= columns; k += 8 * lanes)
    gather_tile<Source, Index, 8>(arcs, x, first, last, limit, k, out);
  for (; k + 4 * lanes <= columns; k += 4 * lanes)
    gather_tile<Source, Index, 4>(arcs, x, first, last, limit, k, out);
  if constexpr (!Source::kOverlap && lanes == 8) {
    for (; k + 2 * lanes <= columns; k += 2 * lanes)
      gather_tile<Source, Index, 2>(arcs, x, first, last, limit, k, out);
  } else {
    for (; k + lanes <= columns; k += lanes)
      gather_tile<Source, Index, 1>(arcs, x, first, last, limit, k, out);
  }
  if (Source::kOverlap && k < columns)  // the same sums again for columns already done
    gather_tile<Source, Index, 1>(arcs, x, first, last, limit, columns - lanes, out);
}

template <class T>
GS_INLINE double sum_of_squares(const T* x, int64_t width) {
  using Few __attribute__((vector_size(8 * sizeof(T)), aligned(sizeof(T)), may_alias)) = T;
  Vec<double> lanes = {};
  int64_t k = 0;
  for (; k + 8 <= width; k += 8) {
    const Vec<double> wide =
        __builtin_convertvector(*reinterpret_cast<const Few*>(x + k), Vec<double>);
    lanes += wide * wide;
  }
  double sum = 0.0;
  for (int j = 0; j < 8; ++j) sum += lanes[j];
  for (; k < width; ++k) sum += static_cast<double>(x[k]) * static_cast<double>(x[k]);
  return sum;
}

// Euclidean length; also where the squares over- or underflow.
template <class T>
GS_INLINE double row_length(const T* x, int64_t width, double squares) {
  if (squares > 1e-290 && squares < 1e290) return std::sqrt(squares);
  double most = 0.0, sum = 0.0;
  for (int64_t k = 0; k < width; ++k) most = std::max(most, std::abs(static_cast<double>(x[k])));
  if (most == 0.0 || !std::isfinite(most)) return most;
  for (int64_t k = 0; k < width; ++k) sum += (x[k] / most) * (x[k] / most);
  return most * std::sqrt(sum);
}

// Adds alpha times a row, or its direction, to the merged result; the row is spent afterwards.
template <class T>
GS_INLINE void merge_row(const RowSink<T>& sink, T* row, int64_t r, double length, double alpha,
                         bool fresh) {
  T factor = static_cast<T>(alpha);
  if (sink.unit) {
    factor = length > 0.0 ? static_cast<T>(alpha / length) : T(0);
    if (!std::isfinite(factor)) {  // the length is below the range of its inverse
      for (int64_t k = 0; k < sink.width; ++k) row[k] = static_cast<T>(row[k] / length);
      factor = static_cast<T>(alpha);
    }
  }
  T* to = sink.merged + r * sink.stride;
  if (fresh)
    for (int64_t k = 0; k < sink.width; ++k) to[k] = factor * row[k];
  else
    for (int64_t k = 0; k < sink.width; ++k) to[k] += factor * row[k];
}

// Scale, measure, store and merge one summed row; r is its place in the results.
template <class T>
GS_INLINE void finish_row(const RowSink<T>& sink, T* sum, int64_t row, int64_t r) {
  const int64_t width = sink.width;
  if (sink.scale) {
    const T scale = sink.scale[row];
    for (int64_t k = 0; k < width; ++k) sum[k] *= scale;
  }
  double length = 0.0;
  if (sink.unit || sink.loop || sink.squares) {
    const double squares = sum_of_squares(sum, width);
    if (sink.squares) sink.squares[r] = squares;
    length = row_length(sum, width, squares);
  }
  if (sink.loop)
    for (int64_t k = 0; k < width; ++k)
      sum[k] = length > 0.0 ? static_cast<T>(sum[k] / length) : T(0);
  if (sink.half)
    for (int64_t k = 0; k < width; ++k)
      sink.half[r * width + k] = to_bfloat16(static_cast<float>(sum[k]));
  if (sink.power) std::copy(sum, sum + width, sink.power + r * width);
  if (sink.merged) merge_row(sink, sum, r, length, sink.alpha, sink.fresh);
}

}  // namespace gs

// FastRP (Chen, Sultan, Tian, Chen, Skiena, CIKM 2019, arXiv 1908.11512): entries of the random
// projection, and the sum over a row of arcs that one power of the walk consists of.
#pragma once
#include "core/hd.hpp"
#include "core/philox.hpp"

#ifndef __CUDACC_RTC__
#include <cmath>
#endif

namespace gs {

// Last word of the counter: what the numbers are for.
constexpr uint32_t kNodeTag = 0, kPropertyTag = 1, kGaussianTag = 2;

// Four words of the projection: columns 4 * group .. 4 * group + 3 of a row.
GS_HD Philox4 projection_words(uint64_t seed, uint64_t row, uint32_t group, uint32_t tag) {
  return philox4x32(static_cast<uint32_t>(row), static_cast<uint32_t>(row >> 32), group, tag,
                    static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32));
}

// Sign of a word for the threshold T = round(2^31 / s) in [1, 2^31]: bit 0 tells that it is not
// zero, bit 1 that it is negative.
GS_HD uint32_t sign_code(uint32_t word, uint32_t threshold) {
  const uint32_t last = 2u * threshold - 1u;  // 2 T - 1: 2 T itself may be 2^32
  return word < threshold ? 1u : (word <= last ? 3u : 0u);
}

// A code times a magnitude.
template <class T>
GS_HD T code_value(uint32_t code, T magnitude) {
  return code == 0 ? T(0) : (code == 1 ? magnitude : -magnitude);
}

// Standard normal number `lane` (0..3) of four words, by Box and Muller.
GS_HD double normal_value(const Philox4& words, int lane) {
  const int first = lane & 2;
  const double a = (words.x[first] + 0.5) * 0x1p-32, b = (words.x[first + 1] + 0.5) * 0x1p-32;
  const double radius = sqrt(-2.0 * log(a)), angle = 6.283185307179586476925 * b;
  return radius * ((lane & 1) ? sin(angle) : cos(angle));
}

// The codes of 128 columns take 16 words of 16 bits: column c has bits 2 * (c / 16) of word c % 16.
constexpr int64_t kCodeLanes = 16, kCodeBlock = 128;

GS_HD uint32_t packed_code(const uint16_t* codes, int64_t blocks, int64_t row, int64_t column) {
  const int64_t word = (row * blocks + column / kCodeBlock) * kCodeLanes + column % kCodeLanes;
  return (codes[word] >> (2 * (column % kCodeBlock / kCodeLanes))) & 3u;
}

// The arcs of row u are [begin[u], end[u]).  A CSR has end = begin + 1.
template <class T, class Index>
struct ArcView {
  const int64_t* begin;
  const int64_t* end;
  const Index* indices;
  const T* values;  // null: all are 1
};

// A row is summed in pieces of this many arcs, added in order: any number of threads, same bits.
constexpr int64_t kPiece = 4096;

// Column k of the rows that the arcs [first, last) of one piece lead to, summed in arc order.
template <class T, class Index, class Load>
GS_HD T piece_entry(const ArcView<T, Index>& arcs, int64_t first, int64_t last, Load load) {
  T sum = T(0);
  for (int64_t e = first; e < last; ++e) {
    const T x = load(static_cast<int64_t>(arcs.indices[e]));
    sum += arcs.values ? arcs.values[e] * x : x;
  }
  return sum;
}

// Entry of A @ X: `load(j)` is X[j, k].
template <class T, class Index, class Load>
GS_HD T sketch_entry(const ArcView<T, Index>& arcs, int64_t row, Load load) {
  T sum = T(0);
  for (int64_t first = arcs.begin[row]; first < arcs.end[row]; first += kPiece) {
    const int64_t last = first + kPiece < arcs.end[row] ? first + kPiece : arcs.end[row];
    const T piece = piece_entry(arcs, first, last, load);
    sum = first == arcs.begin[row] ? piece : sum + piece;
  }
  return sum;
}

}  // namespace gs

// Attention over the hops of a pattern: dot products with every hop, and their weighted sum.
// A node's features lie together, [own][pattern 0: hops 1..K][pattern 1: ...]; the own features are
// hop 0 of every pattern.
#pragma once
#include "core/hd.hpp"

namespace gs {

template <class T>
struct HopFeatures {
  const T* data;  // (rows, 1 + patterns * hops, width)
  int64_t rows, patterns, hops, width;

  GS_HD const T* at(int64_t row, int64_t pattern, int64_t hop) const {
    const int64_t block = hop == 0 ? 0 : 1 + pattern * hops + hop - 1;
    return data + (row * (1 + patterns * hops) + block) * width;
  }
};

}  // namespace gs

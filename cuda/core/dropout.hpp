// Dropout from given random bits: an entry survives when its bits are below the threshold.
#pragma once
#include "core/hd.hpp"

namespace gs {

template <class T, class Bits>
GS_HD T drop(T x, Bits bits, int32_t threshold, T scale) {
  // A product, not a choice: compilers vectorise it.
  return x * (scale * static_cast<T>(static_cast<int32_t>(bits) < threshold));
}

}  // namespace gs

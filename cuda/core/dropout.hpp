// Dropout from given random bits: an entry survives when its bits are below the threshold.
#pragma once
#include "core/hd.hpp"

namespace gs {

template <class T, class Bits>
GS_HD T drop(T x, Bits bits, int32_t threshold, T scale) {
  return static_cast<int32_t>(bits) < threshold ? x * scale : T(0);
}

}  // namespace gs

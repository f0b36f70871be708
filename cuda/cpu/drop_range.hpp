// Dropout of a run of entries, in vectors of 16.
#pragma once
#include "core/dropout.hpp"
#include "cpu/vectors.hpp"

namespace gs {

// GCC does not vectorise the widening of the bits by itself.
template <class T, class Bits>
GS_INLINE void drop_range(const T* x, const Bits* bits, int32_t threshold, T scale, T* out,
                          int64_t size) {
  typedef Bits BitVec __attribute__((vector_size(16 * sizeof(Bits)), aligned(1), may_alias));
  typedef int32_t IntVec __attribute__((vector_size(64)));
  typedef T RealVec __attribute__((vector_size(16 * sizeof(T)), aligned(sizeof(T)), may_alias));
  int64_t i = 0;
  for (; i + 16 <= size; i += 16) {
    const BitVec b = *reinterpret_cast<const BitVec*>(bits + i);
    const IntVec kept = __builtin_convertvector(b, IntVec) < threshold;  // 0 or -1
    const RealVec factor = __builtin_convertvector(kept, RealVec) * -scale;
    *reinterpret_cast<RealVec*>(out + i) = *reinterpret_cast<const RealVec*>(x + i) * factor;
  }
  for (; i < size; ++i) out[i] = drop(x[i], bits[i], threshold, scale);
}

}  // namespace gs

// float32 arithmetic that keeps subnormal numbers on a GPU: CuPy compiles every kernel with
// -ftz=true, whatever options it is given, and only instructions written out escape that.
#pragma once
#include "core/hd.hpp"

namespace gs {

template <class T>
GS_HD T exact_product(T a, T b) {
  return a * b;
}
template <class T>
GS_HD T exact_sum(T a, T b) {
  return a + b;
}
GS_HD double exact_double(double x) { return x; }
GS_HD double exact_double(float x) {
#ifdef __CUDA_ARCH__
  double wide;
  asm("cvt.f64.f32 %0, %1;" : "=d"(wide) : "f"(x));
  return wide;
#else
  return static_cast<double>(x);
#endif
}

#ifdef __CUDA_ARCH__
template <>
GS_HD float exact_product<float>(float a, float b) {
  float c;
  asm("mul.rn.f32 %0, %1, %2;" : "=f"(c) : "f"(a), "f"(b));
  return c;
}
template <>
GS_HD float exact_sum<float>(float a, float b) {
  float c;
  asm("add.rn.f32 %0, %1, %2;" : "=f"(c) : "f"(a), "f"(b));
  return c;
}
#endif

}  // namespace gs

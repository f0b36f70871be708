// Steps of edge attention shared by the CPU and the GPU: what turns scores into coefficients, and
// its gradient.
#pragma once
#include "core/hd.hpp"

namespace gs {

// How scores become coefficients.
enum class Normalize : int { kSoftmax = 0, kSigmoid = 1 };

// d score of one entry from its coefficient `a`, d coefficient `da`, and the row's sum of a * da.
template <class T>
GS_HD T score_gradient(Normalize kind, T a, T da, T row_sum) {
  return kind == Normalize::kSoftmax ? a * (da - row_sum) : a * (T(1) - a) * da;
}

template <class T>
GS_HD T minus_infinity() {
  return static_cast<T>(-(1e300 * 1e10));  // written so that NVRTC, without headers, has it too
}

// Softmax over a stream of scores, weights relative to the largest score so far.
template <class T>
struct OnlineSoftmax {
  T top, total;

  // Takes a score; `rescale` is the factor for what was summed before, the result its weight.
  template <class Exp>
  GS_HD T push(T score, T& rescale, Exp exponential) {
    rescale = T(1);
    if (score > top) {
      rescale = exponential(top - score);
      total *= rescale;
      top = score;
    }
    const T weight = exponential(score - top);
    total += weight;
    return weight;
  }
};

}  // namespace gs

// Ranking weights by magnitude on their bit patterns (l0 projection, Seo, Yun, Yang, ICLR 2024,
// arXiv 2402.01261).  Without its sign bit an IEEE number orders like an unsigned integer, so
// float16, bfloat16, float32 and float64 need no arithmetic: a word is 16, 32 or 64 bits.
#pragma once
#include "core/exact.hpp"

#ifndef __CUDACC_RTC__
#include <cmath>
#endif

namespace gs {

// Key of a number that orders as it is.
struct SameKey {
  template <class Word>
  GS_HD Word operator()(Word word) const {
    return word;
  }
};

// Key of a weight: its pattern without the sign.  NaN and infinity have the largest keys.
struct Magnitude {
  template <class Word>
  GS_HD Word operator()(Word word) const {
    return static_cast<Word>(word & (static_cast<Word>(~Word{0}) >> 1));
  }
};

// The number in a word.  float16 has 10 bits of mantissa, bfloat16 has 7; the wider ones ignore it.
template <class Word>
GS_HD double value_of(Word word, int mantissa) {
  if constexpr (sizeof(Word) == 8) {
    union {
      Word word;
      double value;
    } bits{word};
    return bits.value;
  } else if constexpr (sizeof(Word) == 4) {
    union {
      Word word;
      float value;
    } bits{word};
    return exact_double(bits.value);
  } else {
    const int exponent = (word & 0x7FFF) >> mantissa, bias = (1 << (14 - mantissa)) - 1;
    const int fraction = word & ((1 << mantissa) - 1);
    if (exponent == 0) return ldexp(static_cast<double>(fraction), 1 - bias - mantissa);
    return ldexp(static_cast<double>(fraction + (1 << mantissa)), exponent - bias - mantissa);
  }
}

// A removed weight is +0, a kept one is unchanged to the bit.
template <class Word>
GS_HD Word keep_or_zero(Word word, bool keep) {
  return keep ? word : Word{0};
}

// Does entry i of a short group rank among its `keep` largest?  Equal: lower position first.
template <class Word>
GS_HD bool ranks_among(const Word* group, int length, int i, int keep) {
  const Magnitude key;
  const Word mine = key(group[i]);
  int ahead = 0;
  for (int j = 0; j < i; ++j) ahead += key(group[j]) >= mine;
  for (int j = i + 1; j < length; ++j) ahead += key(group[j]) > mine;
  return ahead < keep;
}

}  // namespace gs

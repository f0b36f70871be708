// Decimal digits eight at a time: the hot step of every text reader.
// A caller guarantees kPadding readable bytes behind the last one, and a byte that is no digit.
#pragma once
#include "core/hd.hpp"

namespace gs {

constexpr int64_t kPadding = 64;  // bytes a reader may look past the end of its text

GS_HD uint64_t load8(const char* p) {
  uint64_t x;
  __builtin_memcpy(&x, p, 8);
  return x;
}

// Top bit of each byte set where the byte is no digit; exact up to the first such byte, which is
// all that is asked for (a carry can only spoil the bytes behind it).
GS_HD uint64_t non_digits(uint64_t x) {
  const uint64_t d = x ^ 0x3030303030303030ull;
  return ((d + 0x7676767676767676ull) | d) & 0x8080808080808080ull;
}

GS_HD int lowest_byte(uint64_t mask) {
#ifdef __CUDA_ARCH__
  return (__ffsll(static_cast<long long>(mask)) - 1) >> 3;
#else
  return __builtin_ctzll(mask) >> 3;
#endif
}

// Value of eight digits, first one in the lowest byte: pairs, then fours, then eight.
GS_HD uint64_t eight_digits(uint64_t d) {
  d = d * 10 + (d >> 8);
  return (((d & 0x000000FF000000FFull) * 0x000F424000000064ull) +
          (((d >> 16) & 0x000000FF000000FFull) * 0x0000271000000001ull)) >>
         32;
}

// Read the run of digits at p.  Returns their count; *value is exact up to 18 digits and
// meaningless above (any count over 18 is reported as 19).
GS_HD int scan_digits(const char* p, uint64_t* value) {
  constexpr uint64_t kZeros = 0x3030303030303030ull;
  constexpr uint64_t kPower[9] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000};
  uint64_t total = 0;
  int count = 0;
  for (;;) {
    const uint64_t x = load8(p + count);
    const uint64_t stop = non_digits(x);
    if (stop) {
      const int more = lowest_byte(stop);
      if (more) total = total * kPower[more] + eight_digits((x ^ kZeros) << (64 - 8 * more));
      count += more;
      break;
    }
    total = total * kPower[8] + eight_digits(x ^ kZeros);
    count += 8;
    if (count > 18) break;
  }
  *value = total;
  return count > 18 ? 19 : count;
}

}  // namespace gs

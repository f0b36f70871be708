// Lines, fields and numbers of the text formats; what can be wrong with them.
// Text ends with a newline (close_text sees to it) and has kPadding bytes behind its end.
#pragma once
#include <charconv>
#include <cmath>
#include <cstring>
#include <stdexcept>
#include <string>

#include "core/digits.hpp"

namespace gs {

// Codes as graphsparse/io/text_faults.py words them.
enum class Problem : int {
  kNone = 0,
  kNotAnId = 1,
  kNegativeId = 2,
  kIdTooLarge = 3,
  kIdBelowBase = 4,
  kIdAboveLimit = 5,
  kColumns = 6,
  kNotAWeight = 7,
  kWeightNotFinite = 8,
  kWeightRange = 9,
  kQuote = 10,
  kBinary = 11,
  kCarriageReturn = 12,
  kTooManyRows = 13,
  kMissingWeight = 14,  // size 0: of a node, 1: of an edge
};

struct Fault {
  Problem problem = Problem::kNone;
  const char* at = nullptr;
  int64_t size = 0;  // bytes of the field, or the number of columns found
  explicit operator bool() const { return problem != Problem::kNone; }
};

struct Field {
  const char* begin = nullptr;
  const char* end = nullptr;
  bool quoted = false;
  Fault fault(Problem problem) const { return {problem, begin, end - begin}; }
};

// How a line of an edge list is to be read.
struct LineSpec {
  char delimiter;              // 0: any run of blanks
  int num_columns;             // that every line must have
  int source, target, weight;  // columns; weight < 0: none
  int comments;                // bits: 1 '#', 2 '%', 4 "//"
  int64_t base;                // id of the first node in the file
  uint64_t limit;              // ids, counted from 0, must be below this
};

constexpr uint64_t kMaxId = (1ull << 63) - 1;

inline bool is_blank(char c) { return c == ' ' || c == '\t'; }

inline bool has_control(const Field& f) {
  for (const char* p = f.begin; p < f.end; ++p)
    if (static_cast<unsigned char>(*p) < 0x20 && *p != '\t') return true;
  return false;
}

// Put a newline behind a text that has none at its end; what follows whole lines is left alone.
inline const char* close_text(uint8_t* text, size_t capacity, int64_t size) {
  if (size < 0 || size > INT32_MAX || static_cast<int64_t>(capacity) < size + kPadding)
    throw std::invalid_argument("text must be below 2 GiB and have 64 bytes of room behind it");
  if (size > 0 && text[size - 1] != '\n') std::memset(text + size, '\n', kPadding);
  return reinterpret_cast<const char*>(text);
}

// The end of the line that starts at p; there is always a newline at or before `end`.
inline const char* line_end(const char* p, const char* end) {
  return static_cast<const char*>(std::memchr(p, '\n', static_cast<size_t>(end - p) + 1));
}

inline bool is_comment(const char* p, int comments) {
  return ((comments & 1) && p[0] == '#') || ((comments & 2) && p[0] == '%') ||
         ((comments & 4) && p[0] == '/' && p[1] == '/');
}

// A number of digits without sign, of any length.
inline Problem parse_id(const Field& f, const LineSpec& spec, uint64_t* id) {
  if (f.begin == f.end) return Problem::kNotAnId;
  const char* p = f.begin;
  if (*p == '-' && p + 1 < f.end && p[1] >= '0' && p[1] <= '9') return Problem::kNegativeId;
  uint64_t value = 0;
  bool large = false;
  for (; p < f.end; ++p) {
    const unsigned digit = static_cast<unsigned char>(*p) - '0';
    if (digit > 9) return has_control(f) ? Problem::kBinary : Problem::kNotAnId;
    large = large || value > (kMaxId - digit) / 10;
    value = large ? value : value * 10 + digit;
  }
  if (large) return Problem::kIdTooLarge;
  if (value < static_cast<uint64_t>(spec.base)) return Problem::kIdBelowBase;
  *id = value - static_cast<uint64_t>(spec.base);
  return *id >= spec.limit ? Problem::kIdAboveLimit : Problem::kNone;
}

// Any finite decimal number, correctly rounded.
inline Problem parse_real(const Field& f, double* value) {
  const char* p = f.begin;
  if (p < f.end && *p == '+' && p + 1 < f.end && p[1] != '-') ++p;
  const auto [stop, error] = std::from_chars(p, f.end, *value);
  if (error == std::errc::result_out_of_range && stop == f.end) return Problem::kWeightRange;
  if (error != std::errc() || stop != f.end)
    return has_control(f) ? Problem::kBinary : Problem::kNotAWeight;
  return std::isfinite(*value) ? Problem::kNone : Problem::kWeightNotFinite;
}

// The common numbers: up to 15 digits, no exponent.  m / 10^k is then the correctly rounded value,
// as both are exact doubles.  Returns where the number ends, or null for any other.
inline const char* scan_plain_real(const char* p, double* value) {
  static constexpr double kTen[16] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                      1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
  const bool negative = *p == '-';
  p += negative;
  uint64_t whole = 0, part = 0;
  const int digits = scan_digits(p, &whole);
  p += digits;
  int places = 0;
  if (*p == '.') {
    places = scan_digits(p + 1, &part);
    p += places + 1;
  }
  if (digits == 0 || digits + places > 15) return nullptr;
  const double m = static_cast<double>(whole) * kTen[places] + static_cast<double>(part);
  *value = (negative ? -m : m) / kTen[places];
  return p;
}

// Split [p, eol) at the delimiter; keep the three fields that matter.
inline Fault split_fields(const char* p, const char* eol, const LineSpec& spec, Field* source,
                          Field* target, Field* weight) {
  const char d = spec.delimiter;
  const auto blank = [d](char c) { return (c == ' ' || c == '\t') && c != d; };
  int column = 0;
  for (;; ++column) {
    while (p < eol && blank(*p)) ++p;
    if (p == eol && (d == 0 || column == 0)) break;
    Field f{p, p};
    if (p < eol && *p == '"') {
      const char* q = p + 1;
      while (q < eol && (*q != '"' || (q + 1 < eol && q[1] == '"'))) q += *q == '"' ? 2 : 1;
      if (q >= eol) return {Problem::kQuote, p, eol - p};
      f = {p + 1, q, true};
      p = q + 1;
      if (p < eol && !blank(*p) && *p != d)
        return {Problem::kQuote, f.begin - 1, eol - f.begin + 1};
    } else {
      while (p < eol && (d ? *p != d : !is_blank(*p))) ++p;
      f.end = p;
      while (f.end > f.begin && blank(f.end[-1])) --f.end;
    }
    if (column == spec.source) *source = f;
    if (column == spec.target) *target = f;
    if (column == spec.weight) *weight = f;
    if (d == 0) continue;
    while (p < eol && blank(*p)) ++p;
    if (p == eol) {
      ++column;
      break;
    }
    ++p;  // the delimiter: another field follows, even at the end of the line
  }
  if (column != spec.num_columns) return {Problem::kColumns, eol, column};
  return {};
}

}  // namespace gs

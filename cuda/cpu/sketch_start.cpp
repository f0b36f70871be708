// The random projection of FastRP: packed signs, or a dense matrix L R.
#include <nanobind/stl/optional.h>

#include <optional>

#ifdef __x86_64__
#include <immintrin.h>
#endif

#include "core/sketch.hpp"
#include "cpu/bindings.hpp"
#include "cpu/parallel.hpp"
#include "cpu/vectors.hpp"

namespace gs {
namespace {

constexpr int64_t kBatch = 64;  // columns drawn at once: sixteen counters

// Words of the sixteen groups of columns from `group` on, in the order of the columns.
__attribute__((target("default"))) void batch_words(uint64_t seed, uint64_t row, uint32_t group,
                                                    uint32_t tag, uint32_t* words) {
  for (uint32_t l = 0; l < 16; ++l) {
    const Philox4 four = projection_words(seed, row, group + l, tag);
    std::copy(four.x, four.x + 4, words + 4 * l);
  }
}

#ifdef __x86_64__
struct Product {
  __m512i low, high;
};

// Both halves of sixteen products: GCC has no vector type for them.
__attribute__((target("avx512f"))) inline Product multiply(__m512i a, uint32_t by) {
  const __m512i factor = _mm512_set1_epi64(by);
  const __m512i even = _mm512_mul_epu32(a, factor);
  const __m512i odd = _mm512_mul_epu32(_mm512_srli_epi64(a, 32), factor);
  return {_mm512_mask_blend_epi32(0xAAAA, even, _mm512_slli_epi64(odd, 32)),
          _mm512_mask_blend_epi32(0xAAAA, _mm512_srli_epi64(even, 32), odd)};
}

__attribute__((target("avx512f"))) inline __m512i xor3(__m512i a, __m512i b, uint32_t c) {
  return _mm512_ternarylogic_epi32(a, b, _mm512_set1_epi32(static_cast<int>(c)), 0x96);
}

__attribute__((target("avx512f"))) void batch_words(uint64_t seed, uint64_t row, uint32_t group,
                                                    uint32_t tag, uint32_t* words) {
  const auto all = [](uint64_t x) __attribute__((target("avx512f"))) {
    return _mm512_set1_epi32(static_cast<int>(static_cast<uint32_t>(x)));
  };
  const __m512i lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  __m512i c0 = all(row), c1 = all(row >> 32), c2 = _mm512_add_epi32(all(group), lane),
          c3 = all(tag);
  uint32_t k0 = static_cast<uint32_t>(seed), k1 = static_cast<uint32_t>(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    const Product p0 = multiply(c0, 0xD2511F53u), p1 = multiply(c2, 0xCD9E8D57u);
    c0 = xor3(p1.high, c1, k0);
    c2 = xor3(p0.high, c3, k1);
    c1 = p1.low;
    c3 = p0.low;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  alignas(64) uint32_t part[4][16];
  _mm512_store_si512(part[0], c0);
  _mm512_store_si512(part[1], c1);
  _mm512_store_si512(part[2], c2);
  _mm512_store_si512(part[3], c3);
  for (int l = 0; l < 16; ++l)
    for (int k = 0; k < 4; ++k) words[4 * l + k] = part[k][l];
}
#endif

uint64_t id_of(const int64_t* ids, int64_t i) { return static_cast<uint64_t>(ids ? ids[i] : i); }

struct SignTask {
  uint64_t seed;
  uint32_t threshold;
  const int64_t* ids;            // or null: row numbers
  int64_t first, width, blocks;  // columns first .. first + width - 1; first is a multiple of 4
  uint16_t* codes;
};

GS_CLONES void pack_rows(const SignTask& task, int64_t from, int64_t to) {
  using Short __attribute__((vector_size(32), may_alias, aligned(2))) = uint16_t;
  const uint32_t last = 2u * task.threshold - 1u;
  for (int64_t i = from; i < to; ++i)
    for (int64_t b = 0; b < task.blocks; ++b) {
      alignas(64) uint32_t words[kCodeBlock];
      const int64_t columns = std::min(kCodeBlock, task.width - b * kCodeBlock);
      for (int64_t c = 0; c < columns; c += kBatch)
        batch_words(task.seed, id_of(task.ids, i),
                    static_cast<uint32_t>((task.first + b * kCodeBlock + c) / 4), kNodeTag,
                    words + c);
      for (int64_t c = columns; c < kCodeBlock; ++c) words[c] = ~0u;
      Vec<uint32_t> packed = {};
      for (int64_t j = 0; j < 8 && j * kCodeLanes < columns; ++j) {
        const Vec<uint32_t> word = *vec(words + j * kCodeLanes);
        const Vec<uint32_t> negative = reinterpret_cast<Vec<uint32_t>>(word >= task.threshold);
        const Vec<uint32_t> some = reinterpret_cast<Vec<uint32_t>>(word <= last);
        Vec<uint32_t> code = some & ((negative & 2u) | 1u);
        for (int64_t c = std::max<int64_t>(columns - j * kCodeLanes, 0); c < kCodeLanes; ++c)
          code[c] = 0;
        packed |= code << static_cast<uint32_t>(2 * j);
      }
      *reinterpret_cast<Short*>(task.codes + (i * task.blocks + b) * kCodeLanes) =
          __builtin_convertvector(packed, Short);
    }
}

template <class Body>
void over_rows(int64_t n, int threads, Body&& body) {
  constexpr int64_t kRows = 1024;
  const int64_t chunks = (n + kRows - 1) / kRows;
#pragma omp parallel for num_threads(threads) schedule(dynamic, 1)
  for (int64_t c = 0; c < chunks; ++c) body(c * kRows, std::min((c + 1) * kRows, n));
}

using Ids = std::optional<In<int64_t>>;
using CodesOut = nb::ndarray<uint16_t, nb::ndim<3>, nb::c_contig, nb::device::cpu>;
template <class T>
using Matrix = nb::ndarray<T, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

void sign_codes(uint64_t seed, uint64_t threshold, Ids ids, int64_t first, int64_t width,
                CodesOut codes, int num_threads) {
  nb::gil_scoped_release free;
  const int64_t n = static_cast<int64_t>(codes.shape(0));
  const SignTask task{seed,
                      static_cast<uint32_t>(threshold),
                      ids ? ids->data() : nullptr,
                      first,
                      width,
                      static_cast<int64_t>(codes.shape(1)),
                      codes.data()};
  over_rows(n, threads_for(n * width, num_threads),
            [&](int64_t from, int64_t to) { pack_rows(task, from, to); });
}

// out[i, at + k] = amplitude * factor_i * R[id_i, first + k] for k in [0, width).
template <class T>
struct FillTask {
  uint64_t seed;
  uint64_t threshold;  // 0: normal numbers
  uint32_t tag;
  const int64_t* ids;
  const double* factors;  // or null
  double amplitude;
  int64_t first, width, stride;
  T* out;  // column `at` of row 0
};

template <class T>
void fill_rows(const FillTask<T>& task, int64_t from, int64_t to) {
  for (int64_t i = from; i < to; ++i) {
    const double size = task.amplitude * (task.factors ? task.factors[i] : 1.0);
    T* row = task.out + i * task.stride;
    for (int64_t c = task.first / 4 * 4; c < task.first + task.width; c += 4) {
      const Philox4 words =
          projection_words(task.seed, id_of(task.ids, i), static_cast<uint32_t>(c / 4), task.tag);
      for (int lane = 0; lane < 4; ++lane) {
        const int64_t k = c + lane - task.first;
        if (k < 0 || k >= task.width) continue;
        const uint32_t threshold = static_cast<uint32_t>(task.threshold);
        row[k] = static_cast<T>(task.threshold == 0
                                    ? size * normal_value(words, lane)
                                    : code_value(sign_code(words.x[lane], threshold), size));
      }
    }
  }
}

template <class T>
void projection_fill(uint64_t seed, uint64_t threshold, uint32_t tag, Ids ids,
                     std::optional<In<double>> factors, double amplitude, int64_t first,
                     int64_t width, Matrix<T> out, int64_t at, int num_threads) {
  nb::gil_scoped_release free;
  const int64_t n = static_cast<int64_t>(out.shape(0));
  const FillTask<T> task{seed,
                         threshold,
                         tag,
                         ids ? ids->data() : nullptr,
                         factors ? factors->data() : nullptr,
                         amplitude,
                         first,
                         width,
                         static_cast<int64_t>(out.shape(1)),
                         out.data() + at};
  over_rows(n, threads_for(n * task.width, num_threads),
            [&](int64_t from, int64_t to) { fill_rows(task, from, to); });
}

// Sums of the values (or of their magnitudes) of the arcs of each row, in arc order.
template <class T>
void row_sums(In<int64_t> begin, In<int64_t> end, std::optional<In<int64_t>> rows, In<T> values,
              bool magnitude, Out<double> out, int num_threads) {
  nb::gil_scoped_release free;
  const int64_t n = static_cast<int64_t>(out.shape(0));
  over_rows(n, threads_for(static_cast<int64_t>(values.shape(0)), num_threads),
            [&](int64_t from, int64_t to) {
              for (int64_t r = from; r < to; ++r) {
                const int64_t row = rows ? rows->data()[r] : r;
                double sum = 0.0;
                for (int64_t e = begin.data()[row]; e < end.data()[row]; ++e) {
                  const double value = values.data()[e];
                  sum += magnitude ? std::abs(value) : value;
                }
                out.data()[r] = sum;
              }
            });
}

// Words of the projection: what the test vectors hold.
void projection_word_rows(uint64_t seed, uint32_t tag, In<int64_t> ids, Matrix<uint32_t> out) {
  const int64_t n = static_cast<int64_t>(out.shape(0)), width = static_cast<int64_t>(out.shape(1));
  for (int64_t i = 0; i < n; ++i)
    for (int64_t c = 0; c < width; ++c)
      out.data()[i * width + c] =
          projection_words(seed, id_of(ids.data(), i), static_cast<uint32_t>(c / 4), tag).x[c % 4];
}

template <class T>
void bind_type(nb::module_& m) {
  using namespace nb::literals;
  m.def("projection_fill", &projection_fill<T>, "seed"_a, "threshold"_a, "tag"_a,
        "ids"_a.noconvert().none(), "factors"_a.noconvert().none(), "amplitude"_a, "first"_a,
        "width"_a, "out"_a.noconvert(), "at"_a, "threads"_a);
  m.def("row_sums", &row_sums<T>, "begin"_a.noconvert(), "end"_a.noconvert(),
        "rows"_a.noconvert().none(), "values"_a.noconvert(), "magnitude"_a, "out"_a.noconvert(),
        "threads"_a);
}

}  // namespace

void bind_sketch_start(nb::module_& m) {
  using namespace nb::literals;
  m.def("sign_codes", &sign_codes, "seed"_a, "threshold"_a, "ids"_a.noconvert().none(), "first"_a,
        "width"_a, "codes"_a.noconvert(), "threads"_a);
  m.def("projection_words", &projection_word_rows, "seed"_a, "tag"_a, "ids"_a.noconvert(),
        "out"_a.noconvert());
  bind_type<float>(m);
  bind_type<double>(m);
}

}  // namespace gs

// A @ B for a CSR matrix A and a dense B, row-parallel, columns in tiles that stay in registers,
// and the gradient of the values of A.
#include "core/spmm.hpp"

#include "cpu/bindings.hpp"
#include "cpu/parallel.hpp"
#include "cpu/vectors.hpp"

namespace gs {
namespace {

template <class T>
using Dense = nb::ndarray<const T, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
template <class T>
using DenseOut = nb::ndarray<T, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

template <class T>
struct SpmmTask {
  const int64_t* indptr;
  const int32_t* indices;
  const T* values;      // (nnz,)
  const T* b;           // (cols, width)
  const uint8_t* live;  // (cols,): 0 where a row of b is all zero, or null
  T self_weight;
  int64_t width;
  T* out;  // (rows, width)
};

// Entries ahead whose rows of b are fetched: rows of A are short, and b lies anywhere.
constexpr int64_t kAhead = 12;

// Columns [k, k + 64 * kVectors bytes) of the rows [first, last).
template <class T, int kVectors>
GS_INLINE void tile(const SpmmTask<T>& a, int64_t first, int64_t last, int64_t k) {
  using V = Vec<T>;
  const int64_t end = a.indptr[last];
  for (int64_t row = first; row < last; ++row) {
    V sum[kVectors] = {};
    if (a.self_weight != T(0)) {
      const V* b = vec(a.b + row * a.width + k);
      for (int j = 0; j < kVectors; ++j) sum[j] = a.self_weight * b[j];
    }
    for (int64_t e = a.indptr[row]; e < a.indptr[row + 1]; ++e) {
      const int64_t col = a.indices[e];
      if (!a.live && e + kAhead < end) {
        const T* next = a.b + int64_t{a.indices[e + kAhead]} * a.width + k;
        for (int j = 0; j < kVectors; ++j) __builtin_prefetch(next + j * kLanes<T>);
      }
      if (a.live && !a.live[col]) continue;
      const T value = a.values[e];
      const V* b = vec(a.b + col * a.width + k);
      for (int j = 0; j < kVectors; ++j) sum[j] += value * b[j];
    }
    V* out = vec(a.out + row * a.width + k);
    for (int j = 0; j < kVectors; ++j) out[j] = sum[j];
  }
}

template <class T>
GS_INLINE void rows_body(const SpmmTask<T>& a, int64_t first, int64_t last) {
  int64_t k = 0;
  for (; k + 8 * kLanes<T> <= a.width; k += 8 * kLanes<T>) tile<T, 8>(a, first, last, k);
  for (; k + 4 * kLanes<T> <= a.width; k += 4 * kLanes<T>) tile<T, 4>(a, first, last, k);
  for (; k + 2 * kLanes<T> <= a.width; k += 2 * kLanes<T>) tile<T, 2>(a, first, last, k);
  for (; k + kLanes<T> <= a.width; k += kLanes<T>) tile<T, 1>(a, first, last, k);
  for (int64_t row = first; row < last && k < a.width; ++row)
    for (int64_t c = k; c < a.width; ++c)
      a.out[row * a.width + c] =
          spmm_entry(a.indptr, a.indices, a.values, a.b, a.width, a.self_weight, row, c);
}

// One body, compiled for three instruction sets.
GS_CLONES void spmm_rows(const SpmmTask<float>& a, int64_t first, int64_t last) {
  rows_body(a, first, last);
}
GS_CLONES void spmm_rows(const SpmmTask<double>& a, int64_t first, int64_t last) {
  rows_body(a, first, last);
}

template <class T>
void spmm(In<int64_t> indptr, In<int32_t> indices, In<T> values, Dense<T> b, DenseOut<T> out,
          double self_weight, bool skip_zero_rows, int num_threads) {
  nb::gil_scoped_release free;
  const int64_t n = static_cast<int64_t>(out.shape(0));
  const int64_t width = static_cast<int64_t>(out.shape(1)), cols = static_cast<int64_t>(b.shape(0));
  SpmmTask<T> a{indptr.data(), indices.data(), values.data(),
                b.data(),      nullptr,        static_cast<T>(self_weight),
                width,         out.data()};
  std::vector<uint8_t> live;
  if (skip_zero_rows) {
    live.resize(static_cast<size_t>(cols));
    for (int64_t r = 0; r < cols; ++r) {
      const T* row = a.b + r * width;
      int64_t k = 0;
      while (k < width && row[k] == T(0)) ++k;
      live[static_cast<size_t>(r)] = k < width;
    }
    a.live = live.data();
  }
  const int64_t work = (a.indptr[n] + n) * width;
  const int threads = work < (1 << 18) ? 1 : resolve_threads(num_threads);
  const auto cut = balanced_rows(a.indptr, n, threads);
#pragma omp parallel for num_threads(threads) schedule(static, 1)
  for (int p = 0; p < threads; ++p) spmm_rows(a, cut[p], cut[p + 1]);
}

// dot(a[row], b[col]) for every entry (row, col): the gradient of the values of a product.
template <class T>
GS_INLINE void dots_body(const int64_t* indptr, const int32_t* indices, const T* a, const T* b,
                         int64_t width, T* out, int64_t first, int64_t last) {
  for (int64_t row = first; row < last; ++row)
    for (int64_t e = indptr[row]; e < indptr[row + 1]; ++e)
      out[e] = dot(a + row * width, b + int64_t{indices[e]} * width, width);
}

GS_CLONES void dots_rows(const int64_t* indptr, const int32_t* indices, const float* a,
                         const float* b, int64_t width, float* out, int64_t p, int64_t q) {
  dots_body(indptr, indices, a, b, width, out, p, q);
}
GS_CLONES void dots_rows(const int64_t* indptr, const int32_t* indices, const double* a,
                         const double* b, int64_t width, double* out, int64_t p, int64_t q) {
  dots_body(indptr, indices, a, b, width, out, p, q);
}

template <class T>
void entry_dots(In<int64_t> indptr, In<int32_t> indices, Dense<T> a, Dense<T> b, Out<T> out,
                int num_threads) {
  nb::gil_scoped_release free;
  const int64_t n = static_cast<int64_t>(a.shape(0)), width = static_cast<int64_t>(a.shape(1));
  const int64_t work = indptr.data()[n] * width;
  const int threads = work < (1 << 18) ? 1 : resolve_threads(num_threads);
  const auto cut = balanced_rows(indptr.data(), n, threads);
#pragma omp parallel for num_threads(threads) schedule(static, 1)
  for (int p = 0; p < threads; ++p)
    dots_rows(indptr.data(), indices.data(), a.data(), b.data(), width, out.data(), cut[p],
              cut[p + 1]);
}

template <class T>
void bind_type(nb::module_& m) {
  using namespace nb::literals;
  m.def("spmm", &spmm<T>, "indptr"_a.noconvert(), "indices"_a.noconvert(), "values"_a.noconvert(),
        "b"_a.noconvert(), "out"_a.noconvert(), "self_weight"_a, "skip_zero_rows"_a, "threads"_a);
  m.def("entry_dots", &entry_dots<T>, "indptr"_a.noconvert(), "indices"_a.noconvert(),
        "a"_a.noconvert(), "b"_a.noconvert(), "out"_a.noconvert(), "threads"_a);
}

}  // namespace

void bind_spmm(nb::module_& m) {
  bind_type<float>(m);
  bind_type<double>(m);
}

}  // namespace gs

// The attention of core/hop_attention.hpp and its gradients.  Every pass reads the features once;
// gradients of the vectors are summed over rows in order, one block of columns at a time, so the
// bits do not depend on the threads.
#include "core/hop_attention.hpp"

#include "cpu/bindings.hpp"
#include "cpu/parallel.hpp"
#include "cpu/vectors.hpp"

namespace gs {
namespace {

template <class T>
using Cube = nb::ndarray<const T, nb::ndim<3>, nb::c_contig, nb::device::cpu>;
template <class T>
using CubeOut = nb::ndarray<T, nb::ndim<3>, nb::c_contig, nb::device::cpu>;

constexpr int64_t kColumns = 512;  // columns of a gradient that stay in the cache

template <class T>
HopFeatures<T> features_of(const Cube<T>& features, int64_t patterns) {
  const int64_t blocks = static_cast<int64_t>(features.shape(1));
  return {features.data(), static_cast<int64_t>(features.shape(0)), patterns,
          (blocks - 1) / patterns, static_cast<int64_t>(features.shape(2))};
}

template <class T>
int work_threads(const HopFeatures<T>& h, int requested) {
  const int64_t work = h.rows * h.patterns * (h.hops + 1) * h.width;
  return work < (1 << 18) ? 1 : resolve_threads(requested);
}

// scores[row, p, k] = <last[p], H_k> + sum_j <reference[p, j], H_j>, j below the references.
template <class T>
GS_INLINE void score_row(const HopFeatures<T>& h, const T* vectors, int64_t references, int64_t row,
                         T* scores) {
  const int64_t f = h.width;
  for (int64_t p = 0; p < h.patterns; ++p) {
    const T* w = vectors + p * (references + 1) * f;
    T shared = T(0);
    for (int64_t k = 0; k <= h.hops; ++k) {
      const T* features = h.at(row, p, k);
      scores[p * (h.hops + 1) + k] = dot(w + references * f, features, f);
      if (k < references) shared += dot(w + k * f, features, f);
    }
    for (int64_t k = 0; k <= h.hops; ++k) scores[p * (h.hops + 1) + k] += shared;
  }
}

template <class T>
GS_INLINE void combine_row(const HopFeatures<T>& h, const T* alpha, int64_t row, T* out) {
  for (int64_t p = 0; p < h.patterns; ++p) {
    T* to = out + p * h.width;
    const T* a = alpha + p * (h.hops + 1);
    std::fill(to, to + h.width, T(0));
    for (int64_t k = 0; k <= h.hops; ++k) add_scaled(to, a[k], h.at(row, p, k), h.width);
  }
}

template <class T>
GS_INLINE void alpha_row(const HopFeatures<T>& h, const T* grad, int64_t row, T* out) {
  for (int64_t p = 0; p < h.patterns; ++p)
    for (int64_t k = 0; k <= h.hops; ++k)
      out[p * (h.hops + 1) + k] = dot(grad + p * h.width, h.at(row, p, k), h.width);
}

// Columns [c, c + size) of the gradient of the vectors of pattern p.
template <class T>
GS_INLINE void vector_block(const HopFeatures<T>& h, const T* grad, int64_t references, int64_t p,
                            int64_t c, int64_t size, T* out) {
  const int64_t f = h.width, count = h.hops + 1;
  T* w = out + p * (references + 1) * f + c;
  for (int64_t j = 0; j <= references; ++j) std::fill(w + j * f, w + j * f + size, T(0));
  for (int64_t row = 0; row < h.rows; ++row) {
    const T* g = grad + (row * h.patterns + p) * count;
    T total = T(0);
    for (int64_t k = 0; k < count; ++k) total += g[k];
    for (int64_t k = 0; k < count; ++k) {
      const T* features = h.at(row, p, k) + c;
      add_scaled(w + references * f, g[k], features, size);
      if (k < references) add_scaled(w + k * f, total, features, size);
    }
  }
}

// Rows [first, last) of each pass, compiled for three instruction sets.
#define GS_PASSES(T)                                                                               \
  GS_CLONES void score_rows(const HopFeatures<T>& h, const T* vectors, int64_t references,         \
                            int64_t first, int64_t last, T* out) {                                 \
    for (int64_t row = first; row < last; ++row)                                                   \
      score_row(h, vectors, references, row, out + row * h.patterns * (h.hops + 1));               \
  }                                                                                                \
  GS_CLONES void combine_rows(const HopFeatures<T>& h, const T* alpha, int64_t first,              \
                              int64_t last, T* out) {                                              \
    for (int64_t row = first; row < last; ++row)                                                   \
      combine_row(h, alpha + row * h.patterns * (h.hops + 1), row,                                 \
                  out + row * h.patterns * h.width);                                               \
  }                                                                                                \
  GS_CLONES void alpha_rows(const HopFeatures<T>& h, const T* grad, int64_t first, int64_t last,   \
                            T* out) {                                                              \
    for (int64_t row = first; row < last; ++row)                                                   \
      alpha_row(h, grad + row * h.patterns * h.width, row, out + row * h.patterns * (h.hops + 1)); \
  }                                                                                                \
  GS_CLONES void vector_columns(const HopFeatures<T>& h, const T* grad, int64_t references,        \
                                int64_t p, int64_t c, int64_t size, T* out) {                      \
    vector_block(h, grad, references, p, c, size, out);                                            \
  }
GS_PASSES(float)
GS_PASSES(double)

template <class Body>
void over_rows(int64_t rows, int threads, Body&& body) {
#pragma omp parallel for num_threads(threads) schedule(static, 1)
  for (int p = 0; p < threads; ++p)
    body(even_cut(rows, threads, p), even_cut(rows, threads, p + 1));
}

template <class T>
void hop_scores(Cube<T> features, Cube<T> vectors, CubeOut<T> out, int num_threads) {
  nb::gil_scoped_release free;
  const auto h = features_of(features, static_cast<int64_t>(vectors.shape(0)));
  const int64_t references = static_cast<int64_t>(vectors.shape(1)) - 1;
  over_rows(h.rows, work_threads(h, num_threads), [&](int64_t a, int64_t b) {
    score_rows(h, vectors.data(), references, a, b, out.data());
  });
}

template <class T>
void hop_vector_grad(Cube<T> features, Cube<T> grad, CubeOut<T> out, int num_threads) {
  nb::gil_scoped_release free;
  const auto h = features_of(features, static_cast<int64_t>(out.shape(0)));
  const int64_t references = static_cast<int64_t>(out.shape(1)) - 1;
  const int64_t parts = (h.width + kColumns - 1) / kColumns;
  const int threads = work_threads(h, num_threads);
#pragma omp parallel for num_threads(threads) schedule(static, 1)
  for (int64_t task = 0; task < h.patterns * parts; ++task) {
    const int64_t c = task % parts * kColumns;
    vector_columns(h, grad.data(), references, task / parts, c, std::min(kColumns, h.width - c),
                   out.data());
  }
}

template <class T>
void hop_combine(Cube<T> features, Cube<T> alpha, CubeOut<T> out, int num_threads) {
  nb::gil_scoped_release free;
  const auto h = features_of(features, static_cast<int64_t>(alpha.shape(1)));
  over_rows(h.rows, work_threads(h, num_threads),
            [&](int64_t a, int64_t b) { combine_rows(h, alpha.data(), a, b, out.data()); });
}

template <class T>
void hop_alpha_grad(Cube<T> features, Cube<T> grad, CubeOut<T> out, int num_threads) {
  nb::gil_scoped_release free;
  const auto h = features_of(features, static_cast<int64_t>(grad.shape(1)));
  over_rows(h.rows, work_threads(h, num_threads),
            [&](int64_t a, int64_t b) { alpha_rows(h, grad.data(), a, b, out.data()); });
}

template <class T>
void bind_type(nb::module_& m) {
  using namespace nb::literals;
  m.def("hop_scores", &hop_scores<T>, "features"_a.noconvert(), "vectors"_a.noconvert(),
        "out"_a.noconvert(), "threads"_a);
  m.def("hop_vector_grad", &hop_vector_grad<T>, "features"_a.noconvert(), "grad"_a.noconvert(),
        "out"_a.noconvert(), "threads"_a);
  m.def("hop_combine", &hop_combine<T>, "features"_a.noconvert(), "alpha"_a.noconvert(),
        "out"_a.noconvert(), "threads"_a);
  m.def("hop_alpha_grad", &hop_alpha_grad<T>, "features"_a.noconvert(), "grad"_a.noconvert(),
        "out"_a.noconvert(), "threads"_a);
}

}  // namespace

void bind_hop_attention(nb::module_& m) {
  bind_type<float>(m);
  bind_type<double>(m);
}

}  // namespace gs

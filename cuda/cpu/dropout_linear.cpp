// dropout(relu(X)) @ W for a narrow W, and its gradient, one pass over X each: the activated
// matrix is never stored.  A row of the gradient that is all zero costs nothing but its zeros.
#include "cpu/bindings.hpp"
#include "cpu/drop_range.hpp"
#include "cpu/parallel.hpp"

namespace gs {
namespace {

constexpr int64_t kChunks =
    64;  // partial sums of the weight gradient: fixed, so threads do not matter

template <class T>
struct Layer {
  int64_t rows, dim, classes;
  const T* x;        // (rows, dim), before the ReLU
  const T* wt;       // (classes, dim): W transposed
  const void* bits;  // (rows * dim,) random bits, or null for no dropout
  bool wide;         // 16 bits per entry, else 8
  int32_t threshold;
  T scale;

  GS_INLINE void drop(const T* from, int64_t row, T* to) const {
    if (!bits)
      std::copy(from, from + dim, to);
    else if (wide)
      drop_range(from, static_cast<const uint16_t*>(bits) + row * dim, threshold, scale, to, dim);
    else
      drop_range(from, static_cast<const uint8_t*>(bits) + row * dim, threshold, scale, to, dim);
  }
  GS_INLINE void activate(int64_t row, T* hidden) const {
    drop(x + row * dim, row, hidden);
    for (int64_t k = 0; k < dim; ++k) hidden[k] = hidden[k] > T(0) ? hidden[k] : T(0);
  }
};

template <class T>
GS_INLINE void forward_body(const Layer<T>& a, int64_t first, int64_t last, T* hidden, T* out) {
  for (int64_t row = first; row < last; ++row) {
    a.activate(row, hidden);
    for (int64_t c = 0; c < a.classes; ++c)
      out[row * a.classes + c] = dot(hidden, a.wt + c * a.dim, a.dim);
  }
}

template <class T>
GS_INLINE void backward_body(const Layer<T>& a, int64_t first, int64_t last, const T* grad,
                             T* hidden, T* grad_x, T* grad_wt) {
  for (int64_t row = first; row < last; ++row) {
    const T* g = grad + row * a.classes;
    T* to = grad_x + row * a.dim;
    std::fill(to, to + a.dim, T(0));
    if (std::all_of(g, g + a.classes, [](T v) { return v == T(0); })) continue;
    a.activate(row, hidden);
    for (int64_t c = 0; c < a.classes; ++c) {
      add_scaled(grad_wt + c * a.dim, g[c], hidden, a.dim);
      add_scaled(to, g[c], a.wt + c * a.dim, a.dim);
    }
    std::copy(to, to + a.dim, hidden);
    a.drop(hidden, row, to);
    const T* x = a.x + row * a.dim;
    for (int64_t k = 0; k < a.dim; ++k) to[k] = x[k] > T(0) ? to[k] : T(0);
  }
}

#define GS_LAYER_CLONES(T)                                                                        \
  GS_CLONES void forward_rows(const Layer<T>& a, int64_t p, int64_t q, T* hidden, T* out) {       \
    forward_body(a, p, q, hidden, out);                                                           \
  }                                                                                               \
  GS_CLONES void backward_rows(const Layer<T>& a, int64_t p, int64_t q, const T* grad, T* hidden, \
                               T* grad_x, T* grad_wt) {                                           \
    backward_body(a, p, q, grad, hidden, grad_x, grad_wt);                                        \
  }
GS_LAYER_CLONES(float)
GS_LAYER_CLONES(double)
#undef GS_LAYER_CLONES

template <class T, class Bits>
Layer<T> layer_of(const In<T>& x, const In<T>& wt, const In<Bits>& bits, int64_t dim,
                  int32_t threshold, double scale) {
  const int64_t rows = static_cast<int64_t>(x.shape(0)) / dim;
  return {rows,
          dim,
          static_cast<int64_t>(wt.shape(0)) / dim,
          x.data(),
          wt.data(),
          bits.shape(0) ? bits.data() : nullptr,
          sizeof(Bits) == 2,
          threshold,
          static_cast<T>(scale)};
}

template <class T>
int threads_for(const Layer<T>& a, int requested) {
  return a.rows * a.dim < (1 << 18) ? 1 : resolve_threads(requested);
}

template <class T, class Bits>
void linear_forward(In<T> x, In<T> wt, In<Bits> bits, int64_t dim, int32_t threshold, double scale,
                    Out<T> out, int num_threads) {
  nb::gil_scoped_release free;
  const Layer<T> a = layer_of<T, Bits>(x, wt, bits, dim, threshold, scale);
  const int threads = threads_for(a, num_threads);
#pragma omp parallel for num_threads(threads) schedule(static, 1)
  for (int p = 0; p < threads; ++p) {
    std::vector<T> hidden(static_cast<size_t>(dim));
    forward_rows(a, even_cut(a.rows, threads, p), even_cut(a.rows, threads, p + 1), hidden.data(),
                 out.data());
  }
}

template <class T, class Bits>
void linear_backward(In<T> x, In<T> wt, In<Bits> bits, int64_t dim, int32_t threshold, double scale,
                     In<T> grad, Out<T> grad_x, Out<T> grad_wt, int num_threads) {
  nb::gil_scoped_release free;
  const Layer<T> a = layer_of<T, Bits>(x, wt, bits, dim, threshold, scale);
  const int threads = threads_for(a, num_threads);
  const int64_t size = a.classes * dim;
  std::vector<T> parts(static_cast<size_t>(kChunks * size), T(0));
#pragma omp parallel num_threads(threads)
  {
    std::vector<T> hidden(static_cast<size_t>(dim));
#pragma omp for schedule(dynamic, 1)
    for (int64_t p = 0; p < kChunks; ++p)
      backward_rows(a, even_cut(a.rows, kChunks, static_cast<int>(p)),
                    even_cut(a.rows, kChunks, static_cast<int>(p) + 1), grad.data(), hidden.data(),
                    grad_x.data(), parts.data() + p * size);
  }
  std::fill(grad_wt.data(), grad_wt.data() + size, T(0));
  for (int64_t p = 0; p < kChunks; ++p)
    add_scaled(grad_wt.data(), T(1), parts.data() + p * size, size);
}

template <class T, class Bits>
void bind_type(nb::module_& m) {
  using namespace nb::literals;
  m.def("dropout_linear_forward", &linear_forward<T, Bits>, "x"_a.noconvert(), "wt"_a.noconvert(),
        "bits"_a.noconvert(), "dim"_a, "threshold"_a, "scale"_a, "out"_a.noconvert(), "threads"_a);
  m.def("dropout_linear_backward", &linear_backward<T, Bits>, "x"_a.noconvert(), "wt"_a.noconvert(),
        "bits"_a.noconvert(), "dim"_a, "threshold"_a, "scale"_a, "grad"_a.noconvert(),
        "grad_x"_a.noconvert(), "grad_wt"_a.noconvert(), "threads"_a);
}

}  // namespace

void bind_dropout_linear(nb::module_& m) {
  bind_type<float, uint8_t>(m);
  bind_type<float, uint16_t>(m);
  bind_type<double, uint8_t>(m);
  bind_type<double, uint16_t>(m);
}

}  // namespace gs

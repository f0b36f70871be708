// out = base + sum of x_i w_i', and x + relu(x w' + bias), with their gradients, for tall x.
#include "cpu/tall_product.hpp"

#include <nanobind/stl/optional.h>

#include "cpu/bindings.hpp"
#include "cpu/parallel.hpp"

namespace gs {
namespace {

constexpr int64_t kChunk = 128;  // rows of a gradient that stay in cache for all that reads them
constexpr int64_t kMostParts = 16, kPartRows = 2048;  // partial sums: by rows, not by threads

template <class T>
using Matrix = nb::ndarray<const T, nb::ndim<2>, nb::device::cpu>;
template <class T>
using MatrixOut = nb::ndarray<T, nb::ndim<2>, nb::device::cpu>;

template <class T, class Array>
Rows<T> rows_of(const Array& x) {
  return {x.data(), x.shape(0) > 1 ? x.stride(0) : static_cast<int64_t>(x.shape(1))};
}

// What the gradient of one factor needs.
template <class T>
struct GradientJob {
  Rows<const T> grad, x, y;  // y: result of a residual product, or null
  int64_t width, columns;
  TallJob<T> product;  // gradient of x, out null for none
  T* sums;             // (parts, width + 1, padded): weight, then bias
};

// Part of the rows: gradient of x, and sums for weight and bias.  `scratch` (kChunk, padded).
template <class T, class M>
GS_INLINE void gradient_part(const GradientJob<T>& a, int64_t first, int64_t last, T* sums,
                             T* scratch) {
  using A = Tall<T, M>;
  const int64_t padded = A::padded(a.columns);
  std::fill(sums, sums + (a.width + 1) * padded, T(0));
  for (int64_t r = first; r < last; r += kChunk) {
    const int64_t count = std::min(kChunk, last - r);
    Rows<const T> grad{a.grad[r], a.grad.stride};
    if (a.y.data || padded != a.columns) {
      for (int64_t i = 0; i < count; ++i) {
        T* to = scratch + i * padded;
        const T *from = a.grad[r + i], *x = a.x[r + i], *y = a.y.data ? a.y[r + i] : nullptr;
        for (int64_t c = 0; c < a.columns; ++c) to[c] = !y || y[c] != x[c] ? from[c] : T(0);
        std::fill(to + a.columns, to + padded, T(0));
      }
      grad = {scratch, padded};
    }
    if (a.product.out.data) {
      Factor<T> factor{grad, a.columns};
      TallJob<T> product = a.product;
      product.factors = &factor;
      product.out.data = a.product.out[r];
      if (product.base.data) product.base.data = a.product.base[r];
      tall_rows<T, M>(product, 0, count);
    }
    gradient_rows<T, M>({a.x[r], a.x.stride}, a.width, grad, count, padded, sums);
    T* bias = sums + a.width * padded;
    for (int64_t i = 0; i < count; ++i)
      for (int64_t c = 0; c < padded; c += A::kLanes) *A::lanes(bias + c) += *A::lanes(grad[i] + c);
  }
}

using Sse = Machine<16, 4, 2>;
using Avx2 = Machine<32, 6, 2>;
using Avx512 = Machine<64, 6, 4>;

#define GS_TALL(T, M, TARGET)                                                                      \
  TARGET void product_on(M, const TallJob<T>& a, int64_t p, int64_t q) {                           \
    tall_rows<T, M>(a, p, q);                                                                      \
  }                                                                                                \
  TARGET void gradient_on(M, const GradientJob<T>& a, int64_t p, int64_t q, T* sums, T* scratch) { \
    gradient_part<T, M>(a, p, q, sums, scratch);                                                   \
  }
#define GS_TALL_TYPES(M, TARGET) GS_TALL(float, M, TARGET) GS_TALL(double, M, TARGET)
GS_TALL_TYPES(Sse, )
#if defined(__x86_64__)
GS_TALL_TYPES(Avx2, __attribute__((target("avx2,fma"))))
GS_TALL_TYPES(Avx512, __attribute__((target("avx512f"))))
#endif
#undef GS_TALL_TYPES
#undef GS_TALL

// Calls f with the best machine that the processor has.
template <class F>
void on_machine(F f) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f")) return f(Avx512{});
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return f(Avx2{});
#endif
  f(Sse{});
}

template <class T, class M>
void multiply(M machine, TallJob<T> job, const std::vector<Matrix<T>>& weights, const T* bias,
              int64_t rows, int threads) {
  using A = Tall<T, M>;
  const int64_t padded = A::padded(job.columns);
  std::vector<T> panels(static_cast<size_t>(padded * job.depth)),
      start(static_cast<size_t>(padded));
  int64_t first = 0;
  for (const auto& w : weights) {
    const auto width = static_cast<int64_t>(w.shape(1));
    pack_panels<T, M>(w.data(), w.stride(0), w.stride(1), job.columns, first, width, job.depth,
                      panels.data());
    first += width;
  }
  if (bias) std::copy_n(bias, job.columns, start.data());
  job.panels = panels.data();
  job.bias = bias ? start.data() : nullptr;
#pragma omp parallel for num_threads(threads) schedule(static, 1)
  for (int p = 0; p < threads; ++p)
    product_on(machine, job, even_cut(rows, threads, p), even_cut(rows, threads, p + 1));
}

int threads_of(int64_t rows, int64_t work, int requested) {
  if (rows * work < (1 << 20)) return 1;
  return static_cast<int>(
      std::min<int64_t>(resolve_threads(requested), std::max<int64_t>(1, rows)));
}

template <class T>
void tall_product(MatrixOut<T> out, nb::list xs, nb::list ws, std::optional<In<T>> bias,
                  std::optional<Matrix<T>> base, std::optional<In<int64_t>> base_row, bool residual,
                  int threads) {
  std::vector<Matrix<T>> weights;
  std::vector<Factor<T>> factors;
  int64_t depth = 0;
  for (size_t i = 0; i < xs.size(); ++i) {
    const auto x = nb::cast<Matrix<T>>(xs[i]);
    weights.push_back(nb::cast<Matrix<T>>(ws[i]));
    factors.push_back({rows_of<const T>(x), static_cast<int64_t>(x.shape(1))});
    depth += factors.back().width;
  }
  TallJob<T> job{};
  job.factors = factors.data();
  job.num_factors = static_cast<int64_t>(factors.size());
  job.depth = depth;
  if (base) job.base = rows_of<const T>(*base);
  job.base_row = base_row ? base_row->data() : nullptr;
  job.residual = residual;
  job.out = rows_of<T>(out);
  job.columns = static_cast<int64_t>(out.shape(1));
  const auto rows = static_cast<int64_t>(out.shape(0));
  const T* start = bias ? bias->data() : nullptr;
  nb::gil_scoped_release free;
  on_machine([&](auto machine) {
    multiply(machine, job, weights, start, rows, threads_of(rows, depth * job.columns, threads));
  });
}

template <class T, class M>
void differentiate(M machine, GradientJob<T> job, const Matrix<T>& w, int64_t rows, T* grad_w,
                   T* grad_bias, int requested) {
  using A = Tall<T, M>;
  const int64_t padded = A::padded(job.columns), size = (job.width + 1) * padded;
  std::vector<T> panels(static_cast<size_t>(A::padded(job.width) * job.columns));
  pack_panels<T, M>(w.data(), w.stride(1), w.stride(0), job.width, 0, job.columns, job.columns,
                    panels.data());
  job.product.panels = panels.data();
  const auto parts = static_cast<int>(std::clamp<int64_t>(rows / kPartRows, 1, kMostParts));
  const int threads = std::min(parts, threads_of(rows, job.width * job.columns, requested));
  const std::unique_ptr<T[], Free> sums(
      static_cast<T*>(allocate(static_cast<size_t>(parts * size) * sizeof(T))));
#pragma omp parallel for num_threads(threads) schedule(static, 1)
  for (int p = 0; p < parts; ++p) {
    std::vector<T> scratch(static_cast<size_t>(kChunk * padded));
    gradient_on(machine, job, even_cut(rows, parts, p), even_cut(rows, parts, p + 1),
                sums.get() + p * size, scratch.data());
  }
  for (int64_t k = 0; k <= job.width; ++k)
    for (int64_t c = 0; c < job.columns; ++c) {
      T sum = T(0);
      for (int p = 0; p < parts; ++p) sum += sums[p * size + k * padded + c];
      (k < job.width ? grad_w[c * job.width + k] : grad_bias[c]) = sum;
    }
}

// Gradients of one factor of a product: of its weight (columns, width), of the bias, and of x if
// asked for.  With y the product was x + relu(x w' + bias) = y, and grad_x gets both ways.
template <class T>
void tall_gradient(Out<T> grad_w, Out<T> grad_bias, Matrix<T> grad, Matrix<T> x, Matrix<T> w,
                   std::optional<Matrix<T>> y, std::optional<MatrixOut<T>> grad_x, int threads) {
  GradientJob<T> job{};
  job.grad = rows_of<const T>(grad);
  job.x = rows_of<const T>(x);
  if (y) job.y = rows_of<const T>(*y);
  job.width = static_cast<int64_t>(w.shape(1));
  job.columns = static_cast<int64_t>(w.shape(0));
  job.product.num_factors = 1;
  job.product.depth = job.columns;
  job.product.columns = job.width;
  if (grad_x) job.product.out = rows_of<T>(*grad_x);
  if (y) job.product.base = job.grad;
  const auto rows = static_cast<int64_t>(x.shape(0));
  nb::gil_scoped_release free;
  on_machine([&](auto machine) {
    differentiate(machine, job, w, rows, grad_w.data(), grad_bias.data(), threads);
  });
}

template <class T>
NumpyArray<T> uninitialised(Out<T>, int64_t size) {
  return Fresh<T>(size).release();
}

template <class T>
void bind_type(nb::module_& m) {
  using namespace nb::literals;
  m.def("tall_product", &tall_product<T>, "out"_a.noconvert(), "xs"_a, "ws"_a,
        "bias"_a.noconvert().none(), "base"_a.noconvert().none(), "base_row"_a.noconvert().none(),
        "residual"_a, "threads"_a);
  m.def("tall_gradient", &tall_gradient<T>, "grad_w"_a.noconvert(), "grad_bias"_a.noconvert(),
        "grad"_a.noconvert(), "x"_a.noconvert(), "w"_a.noconvert(), "y"_a.noconvert().none(),
        "grad_x"_a.noconvert().none(), "threads"_a);
  m.def("uninitialised", &uninitialised<T>, "like"_a.noconvert(), "size"_a);
}

}  // namespace

void bind_tall_product(nb::module_& m) {
  bind_type<float>(m);
  bind_type<double>(m);
}

}  // namespace gs

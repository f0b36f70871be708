// Loops of core/segment.hpp over the groups: one thread runs a range of whole groups, so results
// do not depend on the number of threads.
#include "core/segment.hpp"

#include <nanobind/stl/optional.h>

#include <cmath>

#include "cpu/bindings.hpp"
#include "cpu/parallel.hpp"
#include "cpu/vectors.hpp"

namespace gs {
namespace {

struct Alone {
  template <class F>
  GS_INLINE void each(int64_t n, F f) const {
#pragma GCC ivdep
    for (int64_t c = 0; c < n; ++c) f(c);
  }
  template <class T>
  GS_INLINE T dot(const T* a, const T* b, int64_t n) const {
    return head_dot(a, b, n);
  }
  template <class T>
  GS_INLINE void add_scaled(T* y, T factor, const T* x, int64_t n) const {
    gs::add_scaled(y, factor, x, n);
  }
  bool leads() const { return true; }
  void sync() const {}
};

// One operation with its arguments, all shapes as in core/segment.hpp.
template <class T>
struct Job {
  Segments s;
  Induced a;
  int64_t dim;
  bool relu;
  T scale;
  Rows<const T> x, keys, values, grad;
  Rows<T> out, out2, out3;
  const T *group, *att;
  T *result, *weights;
  int64_t* which;
  const int64_t* chosen;
};

template <class T>
T exponential(T x) {
  return std::exp(x);
}

#define GS_SEGMENT_LOOP(T, NAME, ...)                                   \
  GS_CLONES void NAME##_groups(const Job<T>& j, int64_t p, int64_t q) { \
    for (int64_t g = p; g < q; ++g) __VA_ARGS__;                        \
  }
#define GS_SEGMENT_LOOPS(T)                                                                        \
  GS_SEGMENT_LOOP(T, mean, mean_forward<false>(Alone{}, j.s, g, j.x, j.dim, j.result))             \
  GS_SEGMENT_LOOP(T, relu_mean, mean_forward<true>(Alone{}, j.s, g, j.x, j.dim, j.result))         \
  GS_SEGMENT_LOOP(T, mean_grad, mean_backward<false>(Alone{}, j.s, g, j.x, j.dim, j.group, j.out)) \
  GS_SEGMENT_LOOP(T, relu_mean_grad,                                                               \
                  mean_backward<true>(Alone{}, j.s, g, j.x, j.dim, j.group, j.out))                \
  GS_SEGMENT_LOOP(T, max, max_forward(Alone{}, j.s, g, j.x, j.dim, j.result, j.which))             \
  GS_SEGMENT_LOOP(T, max_grad, max_backward(Alone{}, j.s, g, j.dim, j.group, j.chosen, j.out))     \
  GS_SEGMENT_LOOP(T, add_relu, add_relu_forward(Alone{}, j.s, g, j.x, j.dim, j.group, j.out))      \
  GS_SEGMENT_LOOP(T, add_relu_grad,                                                                \
                  add_relu_backward(Alone{}, j.s, g, j.x, j.dim, j.grad, j.out, j.result))         \
  GS_SEGMENT_LOOP(T, pool,                                                                         \
                  pool_forward(Alone{}, j.s, g, j.a, j.x, j.values, j.group, j.weights, j.result,  \
                               exponential<T>))                                                    \
  GS_SEGMENT_LOOP(T, pool_grad,                                                                    \
                  pool_backward(Alone{}, j.s, g, j.a, j.values, j.att, j.group, j.out, j.out2))    \
  GS_SEGMENT_LOOP(T, read,                                                                         \
                  read_forward(Alone{}, j.s, g, j.a, j.scale, j.x, j.keys, j.values, j.weights,    \
                               j.out, exponential<T>))
GS_SEGMENT_LOOPS(float)
GS_SEGMENT_LOOPS(double)
#undef GS_SEGMENT_LOOPS

#define GS_READ_GRAD(T)                                                                         \
  GS_CLONES void read_grad_groups(const Job<T>& j, int64_t p, int64_t q) {                      \
    std::vector<T> share(static_cast<size_t>(j.a.weights()));                                   \
    for (int64_t g = p; g < q; ++g)                                                             \
      read_backward(Alone{}, j.s, g, j.a, j.scale, j.x, j.keys, j.values, j.att, j.grad, j.out, \
                    j.out2, j.out3, share.data());                                              \
  }
GS_READ_GRAD(float)
GS_READ_GRAD(double)
#undef GS_READ_GRAD
#undef GS_SEGMENT_LOOP

template <class T>
using Strided = nb::ndarray<const T, nb::ndim<2>, nb::device::cpu>;
template <class T>
using StridedOut = nb::ndarray<T, nb::ndim<2>, nb::device::cpu>;

template <class T>
Rows<const T> rows(const Strided<T>& x) {
  return {x.data(), x.shape(0) > 1 ? x.stride(0) : static_cast<int64_t>(x.shape(1))};
}
template <class T>
Rows<T> rows(const StridedOut<T>& x) {
  return {x.data(), x.shape(0) > 1 ? x.stride(0) : static_cast<int64_t>(x.shape(1))};
}

// Two threads from 2^18 numbers on; groups are dealt out by rows, whole.
template <class Loop>
void run(const Segments& s, int64_t groups, int64_t width, int requested, const Loop& loop) {
  nb::gil_scoped_release free;
  const int64_t work = groups ? (s.ptr[groups] + groups) * width : 0;
  const int threads = work < (1 << 18) ? 1 : resolve_threads(requested);
  const auto cut = balanced_rows(s.ptr, groups, threads);
#pragma omp parallel for num_threads(threads) schedule(static, 1)
  for (int p = 0; p < threads; ++p) loop(cut[p], cut[p + 1]);
}

template <class T>
struct Bound {
  In<int64_t> ptr, order;
  int threads;
  Job<T> job{};

  Bound(In<int64_t> ptr, In<int64_t> order, int threads)
      : ptr(ptr), order(order), threads(threads) {
    job.s = {ptr.data(), order.data()};
  }
  template <class Loop>
  void operator()(int64_t width, Loop loop) {
    run(job.s, static_cast<int64_t>(ptr.shape(0)) - 1, width, threads,
        [&](int64_t p, int64_t q) { loop(job, p, q); });
  }
};

template <class T>
void segment_mean(In<int64_t> ptr, In<int64_t> order, Strided<T> x, bool relu, Out<T> result,
                  int threads) {
  Bound<T> call(ptr, order, threads);
  call.job.x = rows(x);
  call.job.dim = static_cast<int64_t>(x.shape(1));
  call.job.result = result.data();
  call(call.job.dim, [relu](const Job<T>& j, int64_t p, int64_t q) {
    relu ? relu_mean_groups(j, p, q) : mean_groups(j, p, q);
  });
}

template <class T>
void segment_mean_grad(In<int64_t> ptr, In<int64_t> order, Strided<T> x, bool relu, In<T> grad,
                       StridedOut<T> out, int threads) {
  Bound<T> call(ptr, order, threads);
  call.job.x = rows(x);
  call.job.out = rows(out);
  call.job.dim = static_cast<int64_t>(out.shape(1));
  call.job.group = grad.data();
  call(call.job.dim, [relu](const Job<T>& j, int64_t p, int64_t q) {
    relu ? relu_mean_grad_groups(j, p, q) : mean_grad_groups(j, p, q);
  });
}

template <class T>
void segment_max(In<int64_t> ptr, In<int64_t> order, Strided<T> x, Out<T> result,
                 Out<int64_t> which, int threads) {
  Bound<T> call(ptr, order, threads);
  call.job.x = rows(x);
  call.job.dim = static_cast<int64_t>(x.shape(1));
  call.job.result = result.data();
  call.job.which = which.data();
  call(call.job.dim, [](const Job<T>& j, int64_t p, int64_t q) { max_groups(j, p, q); });
}

template <class T>
void segment_max_grad(In<int64_t> ptr, In<int64_t> order, In<T> grad, In<int64_t> which,
                      StridedOut<T> out, int threads) {
  Bound<T> call(ptr, order, threads);
  call.job.out = rows(out);
  call.job.dim = static_cast<int64_t>(out.shape(1));
  call.job.group = grad.data();
  call.job.chosen = which.data();
  call(call.job.dim, [](const Job<T>& j, int64_t p, int64_t q) { max_grad_groups(j, p, q); });
}

template <class T>
void segment_add_relu(In<int64_t> ptr, In<int64_t> order, Strided<T> x, In<T> group,
                      StridedOut<T> out, int threads) {
  Bound<T> call(ptr, order, threads);
  call.job.x = rows(x);
  call.job.dim = static_cast<int64_t>(x.shape(1));
  call.job.group = group.data();
  call.job.out = rows(out);
  call(call.job.dim, [](const Job<T>& j, int64_t p, int64_t q) { add_relu_groups(j, p, q); });
}

template <class T>
void segment_add_relu_grad(In<int64_t> ptr, In<int64_t> order, Strided<T> out, Strided<T> grad,
                           StridedOut<T> grad_x, Out<T> grad_group, int threads) {
  Bound<T> call(ptr, order, threads);
  call.job.x = rows(out);
  call.job.dim = static_cast<int64_t>(out.shape(1));
  call.job.grad = rows(grad);
  call.job.out = rows(grad_x);
  call.job.result = grad_group.data();
  call(call.job.dim, [](const Job<T>& j, int64_t p, int64_t q) { add_relu_grad_groups(j, p, q); });
}

template <class T>
Induced sizes(int64_t heads, const nb::ndarray<const T, nb::ndim<2>, nb::device::cpu>& values,
              int64_t weights) {
  return {weights / heads, heads, static_cast<int64_t>(values.shape(1)) / heads};
}

template <class T>
void segment_pool(In<int64_t> ptr, In<int64_t> order, int64_t heads, Strided<T> logits,
                  Strided<T> values, std::optional<In<T>> start, Out<T> att, Out<T> pooled,
                  int threads) {
  Bound<T> call(ptr, order, threads);
  call.job.a = sizes<T>(heads, values, static_cast<int64_t>(logits.shape(1)));
  call.job.x = rows(logits);
  call.job.values = rows(values);
  call.job.group = start ? start->data() : nullptr;
  call.job.weights = att.data();
  call.job.result = pooled.data();
  call(call.job.a.points * call.job.a.dim(),
       [](const Job<T>& j, int64_t p, int64_t q) { pool_groups(j, p, q); });
}

template <class T>
void segment_pool_grad(In<int64_t> ptr, In<int64_t> order, int64_t heads, Strided<T> values,
                       In<T> att, In<T> grad, StridedOut<T> grad_logits, StridedOut<T> grad_values,
                       int threads) {
  Bound<T> call(ptr, order, threads);
  call.job.a = sizes<T>(heads, values, static_cast<int64_t>(grad_logits.shape(1)));
  call.job.values = rows(values);
  call.job.att = att.data();
  call.job.group = grad.data();
  call.job.out = rows(grad_logits);
  call.job.out2 = rows(grad_values);
  call(call.job.a.points * call.job.a.dim(),
       [](const Job<T>& j, int64_t p, int64_t q) { pool_grad_groups(j, p, q); });
}

template <class T>
void segment_read(In<int64_t> ptr, In<int64_t> order, int64_t heads, int64_t points, double scale,
                  Strided<T> q, Strided<T> keys, Strided<T> values, Out<T> att, StridedOut<T> out,
                  int threads) {
  Bound<T> call(ptr, order, threads);
  call.job.a = sizes<T>(heads, q, points * heads);
  call.job.scale = static_cast<T>(scale);
  call.job.x = rows(q);
  call.job.keys = rows(keys);
  call.job.values = rows(values);
  call.job.weights = att.data();
  call.job.out = rows(out);
  call(points * call.job.a.dim(),
       [](const Job<T>& j, int64_t p, int64_t r) { read_groups(j, p, r); });
}

template <class T>
void segment_read_grad(In<int64_t> ptr, In<int64_t> order, int64_t heads, int64_t points,
                       double scale, Strided<T> q, Strided<T> keys, Strided<T> values, In<T> att,
                       Strided<T> grad, StridedOut<T> grad_q, StridedOut<T> grad_keys,
                       StridedOut<T> grad_values, int threads) {
  Bound<T> call(ptr, order, threads);
  call.job.a = sizes<T>(heads, q, points * heads);
  call.job.scale = static_cast<T>(scale);
  call.job.x = rows(q);
  call.job.keys = rows(keys);
  call.job.values = rows(values);
  call.job.att = att.data();
  call.job.grad = rows(grad);
  call.job.out = rows(grad_q);
  call.job.out2 = rows(grad_keys);
  call.job.out3 = rows(grad_values);
  call(points * call.job.a.dim(),
       [](const Job<T>& j, int64_t p, int64_t r) { read_grad_groups(j, p, r); });
}

template <class T>
void bind_type(nb::module_& m) {
  using namespace nb::literals;
  m.def("segment_mean", &segment_mean<T>, "ptr"_a.noconvert(), "order"_a.noconvert(),
        "x"_a.noconvert(), "relu"_a, "result"_a.noconvert(), "threads"_a);
  m.def("segment_mean_grad", &segment_mean_grad<T>, "ptr"_a.noconvert(), "order"_a.noconvert(),
        "x"_a.noconvert(), "relu"_a, "grad"_a.noconvert(), "out"_a.noconvert(), "threads"_a);
  m.def("segment_max", &segment_max<T>, "ptr"_a.noconvert(), "order"_a.noconvert(),
        "x"_a.noconvert(), "result"_a.noconvert(), "which"_a.noconvert(), "threads"_a);
  m.def("segment_max_grad", &segment_max_grad<T>, "ptr"_a.noconvert(), "order"_a.noconvert(),
        "grad"_a.noconvert(), "which"_a.noconvert(), "out"_a.noconvert(), "threads"_a);
  m.def("segment_add_relu", &segment_add_relu<T>, "ptr"_a.noconvert(), "order"_a.noconvert(),
        "x"_a.noconvert(), "group"_a.noconvert(), "out"_a.noconvert(), "threads"_a);
  m.def("segment_add_relu_grad", &segment_add_relu_grad<T>, "ptr"_a.noconvert(),
        "order"_a.noconvert(), "out"_a.noconvert(), "grad"_a.noconvert(), "grad_x"_a.noconvert(),
        "grad_group"_a.noconvert(), "threads"_a);
  m.def("segment_pool", &segment_pool<T>, "ptr"_a.noconvert(), "order"_a.noconvert(), "heads"_a,
        "logits"_a.noconvert(), "values"_a.noconvert(), "start"_a.noconvert().none(),
        "att"_a.noconvert(), "pooled"_a.noconvert(), "threads"_a);
  m.def("segment_pool_grad", &segment_pool_grad<T>, "ptr"_a.noconvert(), "order"_a.noconvert(),
        "heads"_a, "values"_a.noconvert(), "att"_a.noconvert(), "grad"_a.noconvert(),
        "grad_logits"_a.noconvert(), "grad_values"_a.noconvert(), "threads"_a);
  m.def("segment_read", &segment_read<T>, "ptr"_a.noconvert(), "order"_a.noconvert(), "heads"_a,
        "points"_a, "scale"_a, "q"_a.noconvert(), "keys"_a.noconvert(), "values"_a.noconvert(),
        "att"_a.noconvert(), "out"_a.noconvert(), "threads"_a);
  m.def("segment_read_grad", &segment_read_grad<T>, "ptr"_a.noconvert(), "order"_a.noconvert(),
        "heads"_a, "points"_a, "scale"_a, "q"_a.noconvert(), "keys"_a.noconvert(),
        "values"_a.noconvert(), "att"_a.noconvert(), "grad"_a.noconvert(), "grad_q"_a.noconvert(),
        "grad_keys"_a.noconvert(), "grad_values"_a.noconvert(), "threads"_a);
}

}  // namespace

void bind_segment(nb::module_& m) {
  bind_type<float>(m);
  bind_type<double>(m);
}

}  // namespace gs

// The isomorphic update in one pass over the rows, and its gradient, which recomputes what lies
// between: nothing of the size of the hidden layer is ever stored.
#include "cpu/gin_update.hpp"

#include "cpu/bindings.hpp"
#include "cpu/parallel.hpp"

namespace gs {
namespace {

constexpr int kChunks = 64;  // partial sums of the weights' gradients: fixed, whatever the threads

template <class T>
struct Update {
  UpdateShape shape;
  T eps;
  const T* own;        // (rows, groups * width)
  const T* aggregate;  // the same
  HiddenDrop<T> drop;
  std::vector<T> packed;  // (groups, UpdateWeights::size): as the forward products read them
  std::vector<T> turned;  // (groups, width * padded hidden + hidden * padded width): W2, W1

  UpdateWeights<T> weights(int64_t g) const {
    return UpdateWeights<T>::at(const_cast<T*>(packed.data()) + g * UpdateWeights<T>::size(shape),
                                shape);
  }
  int64_t turned_size() const {
    return shape.width * padded<T>(shape.hidden) + shape.hidden * padded<T>(shape.width);
  }
  void turn(const UpdateWeights<T>& p, int64_t g) {
    const int64_t h = padded<T>(shape.hidden), w = padded<T>(shape.width);
    T* out_row = turned.data() + g * turned_size();
    T* in_row = out_row + shape.width * h;
    for (int64_t j = 0; j < shape.hidden; ++j)
      for (int64_t k = 0; k < shape.width; ++k) {
        out_row[k * h + j] = p.out[j * w + k];
        in_row[j * w + k] = p.in[k * h + j];
      }
  }
  const T* out_rows(int64_t g) const { return turned.data() + g * turned_size(); }
  const T* in_rows(int64_t g) const { return out_rows(g) + shape.width * padded<T>(shape.hidden); }
};

// Calls f(flat weight, packed weight) for each weight of group g.  Flat: coefficients (dim,),
// biases of W1 and gains (groups * hidden,), biases of W2 (dim,), W1 (groups * hidden, width), W2
// (groups * width, hidden).
template <class Flat, class T, class F>
void each_weight(const UpdateShape& s, Flat* flat, int64_t g, const UpdateWeights<T>& p, F f) {
  const int64_t h = padded<T>(s.hidden), w = padded<T>(s.width), hidden = s.groups * s.hidden;
  Flat* in_bias = flat + s.dim() + g * s.hidden;
  Flat* out_bias = flat + s.dim() + 2 * hidden + g * s.width;
  Flat* in = flat + 2 * s.dim() + 2 * hidden + g * s.hidden * s.width;
  Flat* out = in + s.groups * s.hidden * s.width;
  for (int64_t j = 0; j < s.hidden; ++j) {
    f(in_bias[j], p.in_bias[j]);
    f(in_bias[hidden + j], p.gain[j]);
  }
  for (int64_t k = 0; k < s.width; ++k) {
    f(flat[g * s.width + k], p.own[k]);
    f(out_bias[k], p.out_bias[k]);
    for (int64_t j = 0; j < s.hidden; ++j) {
      f(in[j * s.width + k], p.in[k * h + j]);
      f(out[k * s.hidden + j], p.out[j * w + k]);
    }
  }
}

// The arguments that both directions share.
template <class T, class Bits>
struct UpdateInput {
  In<T> own, aggregate, weights;
  In<Bits> bits;
  int32_t threshold;
  double scale;
  int64_t groups, width, hidden;
  bool normed;
  double eps;

  Update<T> packed() const {
    Update<T> a;
    const int64_t rows = static_cast<int64_t>(own.shape(0)) / (groups * width);
    a.shape = {rows, groups, width, hidden, normed};
    a.eps = static_cast<T>(eps);
    a.own = own.data();
    a.aggregate = aggregate.data();
    a.drop = {bits.shape(0) ? bits.data() : nullptr, sizeof(Bits) == 2, threshold,
              static_cast<T>(scale)};
    a.packed.assign(static_cast<size_t>(groups * UpdateWeights<T>::size(a.shape)), T(0));
    a.turned.assign(static_cast<size_t>(groups * a.turned_size()), T(0));
    for (int64_t g = 0; g < groups; ++g) {
      const UpdateWeights<T> p = a.weights(g);
      each_weight(a.shape, weights.data(), g, p, [](T flat, T& packed) { packed = flat; });
      a.turn(p, g);
    }
    return a;
  }
};

template <class T>
GS_INLINE void forward_body(const Update<T>& a, int64_t first, int64_t last, T* space, T* out) {
  const UpdateShape& s = a.shape;
  const int64_t w = padded<T>(s.width), h = padded<T>(s.hidden);
  UpdateScratch<T> b = UpdateScratch<T>::at(space, s);
  for (int64_t row = first; row < last; row += kBlock) {
    const int64_t count = std::min(kBlock, last - row);
    for (int64_t g = 0; g < s.groups; ++g) {
      const int64_t at = row * s.dim() + g * s.width;
      const UpdateWeights<T> p = a.weights(g);
      block_forward(s, p, a.own + at, a.aggregate + at, a.drop, (row * s.groups + g) * s.hidden,
                    count, a.eps, b);
      block_product(b.act, h, s.hidden, p.out, w, p.out_bias, b.result);
      store_block(b.result, s.dim(), count, s.width, out + at);
    }
  }
}

template <class T>
struct UpdateGrad {
  const T* out;  // (rows, dim)
  T* own;        // (rows, dim)
  T* aggregate;  // (rows, dim)
};

// Gradients of the weights are added to `sums`, laid out as Update::packed.
template <class T>
GS_INLINE void backward_body(const Update<T>& a, const UpdateGrad<T>& grad, int64_t first,
                             int64_t last, T* space, T* sums) {
  const UpdateShape& s = a.shape;
  const int64_t w = padded<T>(s.width);
  UpdateScratch<T> b = UpdateScratch<T>::at(space, s);
  for (int64_t row = first; row < last; row += kBlock) {
    const int64_t count = std::min(kBlock, last - row);
    for (int64_t g = 0; g < s.groups; ++g) {
      const int64_t at = row * s.dim() + g * s.width, bit = (row * s.groups + g) * s.hidden;
      const UpdateWeights<T> p = a.weights(g);
      const UpdateWeights<T> d = UpdateWeights<T>::at(sums + g * UpdateWeights<T>::size(s), s);
      block_forward(s, p, a.own + at, a.aggregate + at, a.drop, bit, count, a.eps, b);
      load_block(grad.out + at, s.dim(), count, s.width, b.grad);
      block_backward(s, p, a.in_rows(g), a.out_rows(g), a.drop, bit, count, b, d);
      store_block(b.grad_z, s.dim(), count, s.width, grad.aggregate + at);
      for (int64_t r = 0; r < count; ++r)
        for (int64_t k = 0; k < s.width; ++k) {
          const T z = b.grad_z[r * w + k];
          grad.own[at + r * s.dim() + k] = p.own[k] * z;
          d.own[k] += z * a.own[at + r * s.dim() + k];
        }
    }
  }
}

#define GS_UPDATE_CLONES(T)                                                                 \
  GS_CLONES void forward_rows(const Update<T>& a, int64_t p, int64_t q, T* space, T* out) { \
    forward_body(a, p, q, space, out);                                                      \
  }                                                                                         \
  GS_CLONES void backward_rows(const Update<T>& a, const UpdateGrad<T>& grad, int64_t p,    \
                               int64_t q, T* space, T* sums) {                              \
    backward_body(a, grad, p, q, space, sums);                                              \
  }
GS_UPDATE_CLONES(float)
GS_UPDATE_CLONES(double)
#undef GS_UPDATE_CLONES

int threads_of(const UpdateShape& s, int requested) {
  return s.rows * s.dim() < (1 << 17) ? 1 : resolve_threads(requested);
}

template <class T, class Bits>
void gin_update_forward(In<T> own, In<T> aggregate, In<T> weights, In<Bits> bits, int32_t threshold,
                        double scale, int64_t groups, int64_t width, int64_t hidden, bool normed,
                        double eps, Out<T> out, int num_threads) {
  nb::gil_scoped_release free;
  const Update<T> a = UpdateInput<T, Bits>{own,    aggregate, weights, bits,   threshold, scale,
                                           groups, width,     hidden,  normed, eps}
                          .packed();
  const int threads = threads_of(a.shape, num_threads);
#pragma omp parallel for num_threads(threads) schedule(static, 1)
  for (int p = 0; p < threads; ++p) {
    std::vector<T> space(static_cast<size_t>(UpdateScratch<T>::size(a.shape)), T(0));
    forward_rows(a, even_cut(a.shape.rows, threads, p), even_cut(a.shape.rows, threads, p + 1),
                 space.data(), out.data());
  }
}

template <class T, class Bits>
void gin_update_backward(In<T> own, In<T> aggregate, In<T> weights, In<Bits> bits,
                         int32_t threshold, double scale, int64_t groups, int64_t width,
                         int64_t hidden, bool normed, double eps, In<T> grad, Out<T> grad_own,
                         Out<T> grad_aggregate, Out<T> grad_weights, int num_threads) {
  nb::gil_scoped_release free;
  const Update<T> a = UpdateInput<T, Bits>{own,    aggregate, weights, bits,   threshold, scale,
                                           groups, width,     hidden,  normed, eps}
                          .packed();
  const UpdateGrad<T> back{grad.data(), grad_own.data(), grad_aggregate.data()};
  const int threads = threads_of(a.shape, num_threads);
  const int chunks = static_cast<int>(std::min<int64_t>(kChunks, a.shape.rows / 256 + 1));
  const int64_t size = static_cast<int64_t>(a.packed.size());
  std::vector<T> parts(static_cast<size_t>(chunks * size), T(0));
#pragma omp parallel num_threads(threads)
  {
    std::vector<T> space(static_cast<size_t>(UpdateScratch<T>::size(a.shape)), T(0));
#pragma omp for schedule(dynamic, 1)
    for (int p = 0; p < chunks; ++p)
      backward_rows(a, back, even_cut(a.shape.rows, chunks, p),
                    even_cut(a.shape.rows, chunks, p + 1), space.data(), parts.data() + p * size);
  }
  for (int p = 1; p < chunks; ++p) add_scaled(parts.data(), T(1), parts.data() + p * size, size);
  for (int64_t g = 0; g < groups; ++g)
    each_weight(a.shape, grad_weights.data(), g,
                UpdateWeights<T>::at(parts.data() + g * UpdateWeights<T>::size(a.shape), a.shape),
                [](T& flat, T packed) { flat = packed; });
}

template <class T, class Bits>
void bind_type(nb::module_& m) {
  using namespace nb::literals;
  m.def("gin_update_forward", &gin_update_forward<T, Bits>, "own"_a.noconvert(),
        "aggregate"_a.noconvert(), "weights"_a.noconvert(), "bits"_a.noconvert(), "threshold"_a,
        "scale"_a, "groups"_a, "width"_a, "hidden"_a, "normed"_a, "eps"_a, "out"_a.noconvert(),
        "threads"_a);
  m.def("gin_update_backward", &gin_update_backward<T, Bits>, "own"_a.noconvert(),
        "aggregate"_a.noconvert(), "weights"_a.noconvert(), "bits"_a.noconvert(), "threshold"_a,
        "scale"_a, "groups"_a, "width"_a, "hidden"_a, "normed"_a, "eps"_a, "grad"_a.noconvert(),
        "grad_own"_a.noconvert(), "grad_aggregate"_a.noconvert(), "grad_weights"_a.noconvert(),
        "threads"_a);
}

}  // namespace

void bind_gin_update(nb::module_& m) {
  bind_type<float, uint8_t>(m);
  bind_type<float, uint16_t>(m);
  bind_type<double, uint8_t>(m);
  bind_type<double, uint16_t>(m);
}

}  // namespace gs

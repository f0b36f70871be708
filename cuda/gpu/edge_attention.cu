// Attention along the edges of a CSR adjacency on the device.  A head of a receiver belongs to a
// group of lanes, so a warp serves several heads; softmax is online, coefficients are recomputed
// for the gradient, and nothing is added atomically: the same bits in every run.
#include "core/gin_attention.hpp"
#include "gpu/launch.cuh"

namespace gs {

// Columns of a head that a lane holds: heads up to 128 wide in single precision, 64 in double.
template <class T>
constexpr int kColumns = 16 / static_cast<int>(sizeof(T));

// Which (row, head) a group of `lanes` lanes works on, and its columns lane, lane + lanes, ...
struct Group {
  int64_t item, step;
  int lane, lanes;

  __device__ explicit Group(int lanes_per_head) : lanes(lanes_per_head) {
    lane = static_cast<int>(threadIdx.x) % lanes;
    item = global_thread() / lanes;
    step = grid_size() / lanes;
  }
  template <class T>
  __device__ T sum(T x) const {
    for (int by = lanes / 2; by > 0; by /= 2) x += __shfl_xor_sync(kFullWarp, x, by);
    return x;
  }
};

template <class T>
struct Columns {
  T x[kColumns<T>];

  __device__ void load(const T* row, const Group& g, int dim) {
    for (int i = 0; i < kColumns<T>; ++i) {
      const int c = g.lane + i * g.lanes;
      x[i] = row && c < dim ? row[c] : T(0);
    }
  }
  __device__ void store(T* row, const Group& g, int dim, T factor) const {
    for (int i = 0; i < kColumns<T>; ++i) {
      const int c = g.lane + i * g.lanes;
      if (c < dim) row[c] = x[i] * factor;
    }
  }
  __device__ T dot(const Columns& other) const {
    T sum = T(0);
    for (int i = 0; i < kColumns<T>; ++i) sum += x[i] * other.x[i];
    return sum;
  }
  __device__ void add(T factor, const Columns& other) {
    for (int i = 0; i < kColumns<T>; ++i) x[i] += factor * other.x[i];
  }
  __device__ void scale(T factor) {
    for (int i = 0; i < kColumns<T>; ++i) x[i] *= factor;
  }
};

template <class T>
__device__ T sigmoid(T s) {
  return T(1) / (T(1) + static_cast<T>(exp(-s)));
}

// Rows that a warp's groups visit end at different entries: all lanes must meet at every shuffle.
__device__ inline int64_t warp_max(int64_t x) {
  for (int by = 16; by > 0; by /= 2) {
    const int64_t other = __shfl_xor_sync(kFullWarp, x, by);
    x = other > x ? other : x;
  }
  return x;
}

// out (rows, heads * dim) and lse (rows, heads), the logarithm of the softmax's denominator.
template <class T>
__global__ void __launch_bounds__(256, 4)
    edge_attention_forward_kernel(int64_t rows, int heads, int dim, int lanes, int kind,
                                  const int64_t* indptr, const int32_t* indices, const T* q,
                                  const T* k, const T* v, const T* bias, T* out, T* lse) {
  const Group g(lanes);
  const int64_t items = rows * heads, rounds = (items + g.step - 1) / g.step;
  const auto exponential = [](T x) { return static_cast<T>(exp(x)); };
  for (int64_t r = 0; r < rounds; ++r) {
    const int64_t item = g.item + r * g.step, row = item / heads;
    const int h = static_cast<int>(item - row * heads);
    const bool live = item < items;
    const int64_t first = live ? indptr[row] : 0, count = live ? indptr[row + 1] - first : 0;
    Columns<T> query, key, sum;
    query.load(live ? q + item * dim : nullptr, g, dim);
    sum.load(nullptr, g, dim);
    OnlineSoftmax<T> softmax{minus_infinity<T>(), T(0)};
    const int64_t longest = warp_max(count);
    for (int64_t e = 0; e < longest; ++e) {
      const bool here = e < count;
      const int64_t at = here ? (static_cast<int64_t>(indices[first + e]) * heads + h) * dim : 0;
      key.load(here ? k + at : nullptr, g, dim);
      T score = g.sum(query.dot(key));
      if (here && bias) score += bias[(first + e) * heads + h];
      if (!here || score == minus_infinity<T>()) continue;
      T rescale = T(1);
      const T weight = kind == static_cast<int>(Normalize::kSoftmax)
                           ? softmax.push(score, rescale, exponential)
                           : sigmoid(score);
      key.load(v + at, g, dim);
      if (rescale != T(1)) sum.scale(rescale);
      sum.add(weight, key);
    }
    if (!live) continue;
    const bool some = softmax.total > T(0);
    sum.store(out + item * dim, g, dim, some ? T(1) / softmax.total : T(1));
    if (g.lane == 0) lse[item] = some ? softmax.top + static_cast<T>(log(softmax.total)) : T(0);
  }
}

// pairs (nnz, 2, heads): coefficient and d score of every entry; grad_q (rows, heads * dim).
template <class T>
__global__ void __launch_bounds__(256, 4)
    edge_attention_receiver_kernel(int64_t rows, int heads, int dim, int lanes, int kind,
                                   const int64_t* indptr, const int32_t* indices, const T* q,
                                   const T* k, const T* v, const T* bias, const T* out,
                                   const T* lse, const T* grad_out, T* pairs, T* grad_q) {
  const Group g(lanes);
  const int64_t items = rows * heads, rounds = (items + g.step - 1) / g.step;
  for (int64_t r = 0; r < rounds; ++r) {
    const int64_t item = g.item + r * g.step, row = item / heads;
    const int h = static_cast<int>(item - row * heads);
    const bool live = item < items;
    const int64_t first = live ? indptr[row] : 0, count = live ? indptr[row + 1] - first : 0;
    Columns<T> query, grad, other, sum;
    query.load(live ? q + item * dim : nullptr, g, dim);
    grad.load(live ? grad_out + item * dim : nullptr, g, dim);
    other.load(live ? out + item * dim : nullptr, g, dim);
    sum.load(nullptr, g, dim);
    const T row_sum = g.sum(grad.dot(other));  // sum of a * da: grad . (sum of a v)
    const int64_t longest = warp_max(count);
    for (int64_t e = 0; e < longest; ++e) {
      const bool here = e < count;
      const int64_t at = here ? (static_cast<int64_t>(indices[first + e]) * heads + h) * dim : 0;
      other.load(here ? v + at : nullptr, g, dim);
      const T da = g.sum(grad.dot(other));
      other.load(here ? k + at : nullptr, g, dim);
      T score = g.sum(query.dot(other));
      if (!here) continue;
      if (bias) score += bias[(first + e) * heads + h];
      const T a = kind == static_cast<int>(Normalize::kSoftmax)
                      ? static_cast<T>(exp(score - lse[item]))
                      : sigmoid(score);
      const T ds = score_gradient(static_cast<Normalize>(kind), a, da, row_sum);
      sum.add(ds, other);
      if (g.lane == 0) {
        pairs[(first + e) * 2 * heads + h] = a;
        pairs[((first + e) * 2 + 1) * heads + h] = ds;
      }
    }
    if (live) sum.store(grad_q + item * dim, g, dim, T(1));
  }
}

// grad_k and grad_v (senders, heads * dim) from the pairs; t_*: the transposed adjacency.
template <class T>
__global__ void __launch_bounds__(256, 4)
    edge_attention_sender_kernel(int64_t senders, int heads, int dim, int lanes,
                                 const int64_t* t_indptr, const int32_t* t_indices,
                                 const int64_t* t_entry, const T* q, const T* grad_out,
                                 const T* pairs, T* grad_k, T* grad_v) {
  const Group g(lanes);
  for (int64_t item = g.item; item < senders * heads; item += g.step) {
    const int64_t sender = item / heads;
    const int h = static_cast<int>(item - sender * heads);
    Columns<T> other, key, value;
    key.load(nullptr, g, dim);
    value.load(nullptr, g, dim);
    for (int64_t t = t_indptr[sender]; t < t_indptr[sender + 1]; ++t) {
      const int64_t at = (static_cast<int64_t>(t_indices[t]) * heads + h) * dim;
      const T* pair = pairs + t_entry[t] * 2 * heads + h;
      other.load(q + at, g, dim);
      key.add(pair[heads], other);
      other.load(grad_out + at, g, dim);
      value.add(pair[0], other);
    }
    key.store(grad_k + item * dim, g, dim, T(1));
    value.store(grad_v + item * dim, g, dim, T(1));
  }
}

#ifndef GS_EMULATED_DEVICE
#define GS_INSTANTIATE(T)                                                                          \
  template __global__ void edge_attention_forward_kernel<T>(                                       \
      int64_t, int, int, int, int, const int64_t*, const int32_t*, const T*, const T*, const T*,   \
      const T*, T*, T*);                                                                           \
  template __global__ void edge_attention_receiver_kernel<T>(                                      \
      int64_t, int, int, int, int, const int64_t*, const int32_t*, const T*, const T*, const T*,   \
      const T*, const T*, const T*, const T*, T*, T*);                                             \
  template __global__ void edge_attention_sender_kernel<T>(int64_t, int, int, int, const int64_t*, \
                                                           const int32_t*, const int64_t*,         \
                                                           const T*, const T*, const T*, T*, T*);
GS_INSTANTIATE(float)
GS_INSTANTIATE(double)
#undef GS_INSTANTIATE
#endif

}  // namespace gs

// Edge attention by dot products on a CSR adjacency, fused: scores, softmax and weighted sum of a
// receiver are made while its neighbours are in the cache.  No temporary of one row per edge.
#include "core/gin_attention.hpp"

#include <limits>

#include "cpu/bindings.hpp"
#include "cpu/head_rows.hpp"
#include "cpu/row_ranges.hpp"
#include "cpu/vector_exp.hpp"

namespace gs {
namespace {

template <class T>
struct EdgeAttention {
  const int64_t* indptr;   // (receivers + 1,)
  const int32_t* indices;  // (nnz,): senders
  Heads heads;
  Normalize kind;
  const T* q;     // (receivers, heads * dim)
  const T* k;     // (senders, heads * dim)
  const T* v;     // (senders, heads * dim)
  const T* bias;  // (nnz, heads), or null
  T* att;         // (nnz, heads), or null
  T* out;         // (receivers, heads * dim)
};

template <class T>
struct EdgeAttentionGrad {
  const int64_t* t_indptr;   // transpose: rows are senders
  const int32_t* t_indices;  // receivers
  const int64_t* t_entry;    // entry of the forward CSR
  const T* grad_out;         // (receivers, heads * dim)
  T* pairs;                  // (nnz, 2, heads): coefficient, d score
  T* grad_q;
  T* grad_k;
  T* grad_v;
};

// Scores (count, heads) become coefficients in place.  A row of -inf only becomes zeros.
template <class T>
GS_INLINE void softmax_rows(T* s, int64_t count, int64_t heads, T* top, T* total) {
  std::fill(top, top + heads, -std::numeric_limits<T>::infinity());
  std::fill(total, total + heads, T(0));
  for (int64_t e = 0; e < count; ++e)
    for (int64_t h = 0; h < heads; ++h) top[h] = std::max(top[h], s[e * heads + h]);
  for (int64_t h = 0; h < heads; ++h)
    if (top[h] == -std::numeric_limits<T>::infinity()) top[h] = T(0);
  for (int64_t e = 0; e < count; ++e)
    for (int64_t h = 0; h < heads; ++h) s[e * heads + h] -= top[h];
  exp_all(s, count * heads);
  for (int64_t e = 0; e < count; ++e)
    for (int64_t h = 0; h < heads; ++h) total[h] += s[e * heads + h];
  for (int64_t h = 0; h < heads; ++h) total[h] = total[h] > T(0) ? T(1) / total[h] : T(0);
  for (int64_t e = 0; e < count; ++e)
    for (int64_t h = 0; h < heads; ++h) s[e * heads + h] *= total[h];
}

template <class T>
GS_INLINE void sigmoid_all(T* s, int64_t size) {
  for (int64_t i = 0; i < size; ++i) s[i] = -s[i];
  exp_all(s, size);
  for (int64_t i = 0; i < size; ++i) s[i] = T(1) / (T(1) + s[i]);
}

template <class T>
GS_INLINE void forward_body(const EdgeAttention<T>& a, int64_t first, int64_t last) {
  const int64_t heads = a.heads.count, width = a.heads.width(), end = a.indptr[last];
  std::vector<T> scratch, top(static_cast<size_t>(2 * heads));
  for (int64_t i = first; i < last; ++i) {
    const int64_t begin = a.indptr[i], count = a.indptr[i + 1] - begin;
    const int32_t* cols = a.indices + begin;
    if (!a.att) scratch.resize(static_cast<size_t>(count * heads));
    T* s = a.att ? a.att + begin * heads : scratch.data();
    row_dots(a.q + i * width, a.k, a.v, cols, count, end - begin, a.heads, s);
    if (a.bias)
      for (int64_t t = 0; t < count * heads; ++t) s[t] += a.bias[begin * heads + t];
    if (a.kind == Normalize::kSoftmax)
      softmax_rows(s, count, heads, top.data(), top.data() + heads);
    else
      sigmoid_all(s, count * heads);
    row_sum(a.v, cols, count, s, heads, a.heads, a.out + i * width);
  }
}

// d score of every entry, paired with its coefficient, and d q.
template <class T>
GS_INLINE void receiver_body(const EdgeAttention<T>& a, const EdgeAttentionGrad<T>& b,
                             int64_t first, int64_t last) {
  const int64_t heads = a.heads.count, width = a.heads.width(), end = a.indptr[last];
  std::vector<T> scratch, sums(static_cast<size_t>(heads));
  for (int64_t i = first; i < last; ++i) {
    const int64_t begin = a.indptr[i], count = a.indptr[i + 1] - begin;
    const int32_t* cols = a.indices + begin;
    const T* att = a.att + begin * heads;
    scratch.resize(static_cast<size_t>(count * heads));
    T* d = scratch.data();
    row_dots(b.grad_out + i * width, a.v, a.k, cols, count, end - begin, a.heads, d);
    std::fill(sums.begin(), sums.end(), T(0));
    for (int64_t e = 0; e < count; ++e)
      for (int64_t h = 0; h < heads; ++h) sums[h] += att[e * heads + h] * d[e * heads + h];
    T* pair = b.pairs + begin * 2 * heads;
    for (int64_t e = 0; e < count; ++e)
      for (int64_t h = 0; h < heads; ++h) {
        const int64_t at = e * heads + h;
        pair[e * 2 * heads + h] = att[at];
        pair[(e * 2 + 1) * heads + h] = score_gradient(a.kind, att[at], d[at], sums[h]);
      }
    row_sum(a.k, cols, count, pair + heads, 2 * heads, a.heads, b.grad_q + i * width);
  }
}

// d k and d v of every sender.
template <class T>
GS_INLINE void sender_body(const EdgeAttention<T>& a, const EdgeAttentionGrad<T>& b, int64_t first,
                           int64_t last) {
  const int64_t stride = 2 * a.heads.count, width = a.heads.width(), end = b.t_indptr[last];
  const int64_t bytes = stride * static_cast<int64_t>(sizeof(T));
  const int64_t row_bytes = width * static_cast<int64_t>(sizeof(T));
  std::vector<T> scratch;
  for (int64_t j = first; j < last; ++j) {
    const int64_t begin = b.t_indptr[j], count = b.t_indptr[j + 1] - begin;
    const int32_t* cols = b.t_indices + begin;
    scratch.resize(static_cast<size_t>(count * stride));
    T* pair = scratch.data();
    for (int64_t t = begin; t < begin + count; ++t) {
      if (t + 2 * kAhead < end) prefetch_bytes(b.pairs + b.t_entry[t + 2 * kAhead] * stride, bytes);
      prefetch_bytes(a.q + b.t_indices[t] * width, row_bytes);
      prefetch_bytes(b.grad_out + b.t_indices[t] * width, row_bytes);
      std::copy_n(b.pairs + b.t_entry[t] * stride, stride, pair + (t - begin) * stride);
    }
    row_sum(b.grad_out, cols, count, pair, stride, a.heads, b.grad_v + j * width);
    row_sum(a.q, cols, count, pair + a.heads.count, stride, a.heads, b.grad_k + j * width);
  }
}

#define GS_EDGE_ATTENTION_CLONES(T)                                                               \
  GS_CLONES void forward_rows(const EdgeAttention<T>& a, int64_t p, int64_t q) {                  \
    forward_body(a, p, q);                                                                        \
  }                                                                                               \
  GS_CLONES void receiver_rows(const EdgeAttention<T>& a, const EdgeAttentionGrad<T>& b,          \
                               int64_t p, int64_t q) {                                            \
    receiver_body(a, b, p, q);                                                                    \
  }                                                                                               \
  GS_CLONES void sender_rows(const EdgeAttention<T>& a, const EdgeAttentionGrad<T>& b, int64_t p, \
                             int64_t q) {                                                         \
    sender_body(a, b, p, q);                                                                      \
  }
GS_EDGE_ATTENTION_CLONES(float)
GS_EDGE_ATTENTION_CLONES(double)
#undef GS_EDGE_ATTENTION_CLONES

template <class T>
void edge_attention_forward(In<int64_t> indptr, In<int32_t> indices, int64_t heads, int64_t dim,
                            int kind, In<T> q, In<T> k, In<T> v, In<T> bias, Out<T> att, Out<T> out,
                            int num_threads) {
  nb::gil_scoped_release free;
  const int64_t n = static_cast<int64_t>(indptr.shape(0)) - 1;
  const EdgeAttention<T> a{indptr.data(),
                           indices.data(),
                           {heads, dim},
                           static_cast<Normalize>(kind),
                           q.data(),
                           k.data(),
                           v.data(),
                           bias.shape(0) ? bias.data() : nullptr,
                           att.shape(0) ? att.data() : nullptr,
                           out.data()};
  over_row_ranges(a.indptr, n, a.heads.width(), num_threads,
                  [&](int64_t first, int64_t last) { forward_rows(a, first, last); });
}

template <class T>
void edge_attention_backward(In<int64_t> indptr, In<int32_t> indices, In<int64_t> t_indptr,
                             In<int32_t> t_indices, In<int64_t> t_entry, int64_t heads, int64_t dim,
                             int kind, In<T> q, In<T> k, In<T> v, Out<T> att, In<T> grad_out,
                             Out<T> pairs, Out<T> grad_q, Out<T> grad_k, Out<T> grad_v,
                             int num_threads) {
  nb::gil_scoped_release free;
  const int64_t n = static_cast<int64_t>(indptr.shape(0)) - 1;
  const int64_t senders = static_cast<int64_t>(t_indptr.shape(0)) - 1;
  const EdgeAttention<T> a{
      indptr.data(), indices.data(), {heads, dim}, static_cast<Normalize>(kind),
      q.data(),      k.data(),       v.data(),     nullptr,
      att.data(),    nullptr};
  const EdgeAttentionGrad<T> b{t_indptr.data(), t_indices.data(), t_entry.data(), grad_out.data(),
                               pairs.data(),    grad_q.data(),    grad_k.data(),  grad_v.data()};
  over_row_ranges(a.indptr, n, a.heads.width(), num_threads,
                  [&](int64_t first, int64_t last) { receiver_rows(a, b, first, last); });
  over_row_ranges(b.t_indptr, senders, a.heads.width(), num_threads,
                  [&](int64_t first, int64_t last) { sender_rows(a, b, first, last); });
}

template <class T>
void bind_type(nb::module_& m) {
  using namespace nb::literals;
  m.def("edge_attention_forward", &edge_attention_forward<T>, "indptr"_a.noconvert(),
        "indices"_a.noconvert(), "heads"_a, "dim"_a, "kind"_a, "q"_a.noconvert(), "k"_a.noconvert(),
        "v"_a.noconvert(), "bias"_a.noconvert(), "att"_a.noconvert(), "out"_a.noconvert(),
        "threads"_a);
  m.def("edge_attention_backward", &edge_attention_backward<T>, "indptr"_a.noconvert(),
        "indices"_a.noconvert(), "t_indptr"_a.noconvert(), "t_indices"_a.noconvert(),
        "t_entry"_a.noconvert(), "heads"_a, "dim"_a, "kind"_a, "q"_a.noconvert(), "k"_a.noconvert(),
        "v"_a.noconvert(), "att"_a.noconvert(), "grad_out"_a.noconvert(), "pairs"_a.noconvert(),
        "grad_q"_a.noconvert(), "grad_k"_a.noconvert(), "grad_v"_a.noconvert(), "threads"_a);
}

}  // namespace

void bind_gin_attention(nb::module_& m) {
  bind_type<float>(m);
  bind_type<double>(m);
}

}  // namespace gs

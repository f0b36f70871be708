// Graph attention on a CSR adjacency: dot products, edge softmax and weighted sum in one call.
// z is (nodes, heads * dim); every (nnz, heads) array follows the CSR order.  No temporary of
// size nnz * heads * dim is ever made.
#include "core/attention.hpp"

#include <cmath>

#include "cpu/bindings.hpp"
#include "cpu/row_ranges.hpp"
#include "cpu/vectors.hpp"

namespace gs {
namespace {

template <class T>
struct Attention {
  const int64_t* indptr;
  const int32_t* indices;
  int64_t heads, dim;
  T slope;
  const T* z;      // (nodes, heads * dim)
  const T* a_src;  // (heads * dim,)
  const T* a_dst;  // (heads * dim,)
  const T* scale;  // (nnz, heads) dropout factors, or null
  T* alpha_src;    // (nodes, heads)
  T* alpha_dst;    // (nodes, heads)
  T* att;          // (nnz, heads)

  T weight(int64_t e, int64_t h) const {
    return scale ? att[e * heads + h] * scale[e * heads + h] : att[e * heads + h];
  }
};

template <class T>
struct Backward {
  const int64_t* t_indptr;  // transpose: rows are sources
  const int32_t* t_indices;
  const int64_t* t_entry;  // entry of the forward CSR
  const T* grad_out;       // (nodes, heads * dim)
  T* grad_logit;           // (nnz, heads)
  T* grad_src;             // (nodes, heads)
  T* grad_dst;             // (nodes, heads)
  T* grad_scale;           // (nnz, heads), or null
  T* grad_z;               // (nodes, heads * dim)
};

template <class T>
GS_INLINE void node_dots(const Attention<T>& a, int64_t first, int64_t last) {
  for (int64_t i = first; i < last; ++i)
    for (int64_t h = 0; h < a.heads; ++h) {
      const T* z = a.z + (i * a.heads + h) * a.dim;
      a.alpha_src[i * a.heads + h] = dot(z, a.a_src + h * a.dim, a.dim);
      a.alpha_dst[i * a.heads + h] = dot(z, a.a_dst + h * a.dim, a.dim);
    }
}

template <class T>
void softmax(const Attention<T>& a, int64_t first, int64_t last) {
  for (int64_t i = first; i < last; ++i)
    for (int64_t h = 0; h < a.heads; ++h) {
      for (int64_t e = a.indptr[i]; e < a.indptr[i + 1]; ++e)
        a.att[e * a.heads + h] = leaky_relu(
            a.alpha_src[int64_t{a.indices[e]} * a.heads + h] + a.alpha_dst[i * a.heads + h],
            a.slope);
      softmax_row(a.indptr, a.att, a.heads, i, h, [](T x) { return std::exp(x); });
    }
}

template <class T>
GS_INLINE void weighted_sum(const Attention<T>& a, T* out, int64_t first, int64_t last) {
  for (int64_t i = first; i < last; ++i)
    for (int64_t h = 0; h < a.heads; ++h) {
      T* row = out + (i * a.heads + h) * a.dim;
      std::fill(row, row + a.dim, T(0));
      for (int64_t e = a.indptr[i]; e < a.indptr[i + 1]; ++e) {
        const T w = a.weight(e, h);
        if (w != T(0))
          add_scaled(row, w, a.z + (int64_t{a.indices[e]} * a.heads + h) * a.dim, a.dim);
      }
    }
}

// d logit of every entry, and its sum over the row: the gradient of alpha_dst.
template <class T>
GS_INLINE void logit_grad(const Attention<T>& a, const Backward<T>& b, int64_t first,
                          int64_t last) {
  for (int64_t i = first; i < last; ++i)
    for (int64_t h = 0; h < a.heads; ++h) {
      const T* g = b.grad_out + (i * a.heads + h) * a.dim;
      for (int64_t e = a.indptr[i]; e < a.indptr[i + 1]; ++e) {
        const int64_t at = e * a.heads + h;
        const T factor = a.scale ? a.scale[at] : T(1);
        if (factor == T(0) && !b.grad_scale) {
          b.grad_logit[at] = T(0);
          continue;
        }
        const T d = dot(g, a.z + (int64_t{a.indices[e]} * a.heads + h) * a.dim, a.dim);
        b.grad_logit[at] = factor * d;
        if (b.grad_scale) b.grad_scale[at] = a.att[at] * d;
      }
      b.grad_dst[i * a.heads + h] =
          softmax_row_backward(a.indptr, a.indices, a.att, a.alpha_src, a.alpha_dst, a.slope,
                               b.grad_logit, a.heads, i, h);
    }
}

template <class T>
GS_INLINE void source_grad(const Attention<T>& a, const Backward<T>& b, int64_t first,
                           int64_t last) {
  for (int64_t j = first; j < last; ++j)
    for (int64_t h = 0; h < a.heads; ++h) {
      T* row = b.grad_z + (j * a.heads + h) * a.dim;
      std::fill(row, row + a.dim, T(0));
      T total = T(0);
      for (int64_t t = b.t_indptr[j]; t < b.t_indptr[j + 1]; ++t) {
        const int64_t e = b.t_entry[t], i = b.t_indices[t];
        total += b.grad_logit[e * a.heads + h];
        const T w = a.weight(e, h);
        if (w != T(0)) add_scaled(row, w, b.grad_out + (i * a.heads + h) * a.dim, a.dim);
      }
      b.grad_src[j * a.heads + h] = total;
      add_scaled(row, total, a.a_src + h * a.dim, a.dim);
      add_scaled(row, b.grad_dst[j * a.heads + h], a.a_dst + h * a.dim, a.dim);
    }
}

#define GS_ATTENTION_CLONES(T)                                                                    \
  GS_CLONES void dots_rows(const Attention<T>& a, int64_t p, int64_t q) { node_dots(a, p, q); }   \
  GS_CLONES void sum_rows(const Attention<T>& a, T* out, int64_t p, int64_t q) {                  \
    weighted_sum(a, out, p, q);                                                                   \
  }                                                                                               \
  GS_CLONES void logit_rows(const Attention<T>& a, const Backward<T>& b, int64_t p, int64_t q) {  \
    logit_grad(a, b, p, q);                                                                       \
  }                                                                                               \
  GS_CLONES void source_rows(const Attention<T>& a, const Backward<T>& b, int64_t p, int64_t q) { \
    source_grad(a, b, p, q);                                                                      \
  }
GS_ATTENTION_CLONES(float)
GS_ATTENTION_CLONES(double)
#undef GS_ATTENTION_CLONES

template <class T>
void attention_forward(In<int64_t> indptr, In<int32_t> indices, int64_t heads, In<T> z, In<T> a_src,
                       In<T> a_dst, In<T> scale, double slope, Out<T> alpha_src, Out<T> alpha_dst,
                       Out<T> att, Out<T> out, int num_threads) {
  nb::gil_scoped_release free;
  const int64_t n = static_cast<int64_t>(indptr.shape(0)) - 1;
  const int64_t dim = static_cast<int64_t>(a_src.shape(0)) / heads;
  const Attention<T> a{indptr.data(),
                       indices.data(),
                       heads,
                       dim,
                       static_cast<T>(slope),
                       z.data(),
                       a_src.data(),
                       a_dst.data(),
                       scale.shape(0) ? scale.data() : nullptr,
                       alpha_src.data(),
                       alpha_dst.data(),
                       att.data()};
  over_row_ranges(a.indptr, n, heads * dim, num_threads,
                  [&](int64_t first, int64_t last) { dots_rows(a, first, last); });
  over_row_ranges(a.indptr, n, heads * dim, num_threads, [&](int64_t first, int64_t last) {
    softmax(a, first, last);
    sum_rows(a, out.data(), first, last);
  });
}

template <class T>
void attention_backward(In<int64_t> indptr, In<int32_t> indices, In<int64_t> t_indptr,
                        In<int32_t> t_indices, In<int64_t> t_entry, int64_t heads, In<T> z,
                        In<T> a_src, In<T> a_dst, In<T> scale, double slope, Out<T> alpha_src,
                        Out<T> alpha_dst, Out<T> att, In<T> grad_out, Out<T> grad_src,
                        Out<T> grad_dst, Out<T> grad_scale, Out<T> grad_z, int num_threads) {
  nb::gil_scoped_release free;
  const int64_t n = static_cast<int64_t>(indptr.shape(0)) - 1;
  const int64_t dim = static_cast<int64_t>(a_src.shape(0)) / heads;
  std::vector<T> grad_logit(att.shape(0));
  const Attention<T> a{indptr.data(),
                       indices.data(),
                       heads,
                       dim,
                       static_cast<T>(slope),
                       z.data(),
                       a_src.data(),
                       a_dst.data(),
                       scale.shape(0) ? scale.data() : nullptr,
                       alpha_src.data(),
                       alpha_dst.data(),
                       att.data()};
  const Backward<T> b{t_indptr.data(),   t_indices.data(),
                      t_entry.data(),    grad_out.data(),
                      grad_logit.data(), grad_src.data(),
                      grad_dst.data(),   grad_scale.shape(0) ? grad_scale.data() : nullptr,
                      grad_z.data()};
  over_row_ranges(a.indptr, n, heads * dim, num_threads,
                  [&](int64_t first, int64_t last) { logit_rows(a, b, first, last); });
  over_row_ranges(b.t_indptr, n, heads * dim, num_threads,
                  [&](int64_t first, int64_t last) { source_rows(a, b, first, last); });
}

template <class T>
void bind_type(nb::module_& m) {
  using namespace nb::literals;
  m.def("attention_forward", &attention_forward<T>, "indptr"_a.noconvert(), "indices"_a.noconvert(),
        "heads"_a, "z"_a.noconvert(), "a_src"_a.noconvert(), "a_dst"_a.noconvert(),
        "scale"_a.noconvert(), "slope"_a, "alpha_src"_a.noconvert(), "alpha_dst"_a.noconvert(),
        "att"_a.noconvert(), "out"_a.noconvert(), "threads"_a);
  m.def("attention_backward", &attention_backward<T>, "indptr"_a.noconvert(),
        "indices"_a.noconvert(), "t_indptr"_a.noconvert(), "t_indices"_a.noconvert(),
        "t_entry"_a.noconvert(), "heads"_a, "z"_a.noconvert(), "a_src"_a.noconvert(),
        "a_dst"_a.noconvert(), "scale"_a.noconvert(), "slope"_a, "alpha_src"_a.noconvert(),
        "alpha_dst"_a.noconvert(), "att"_a.noconvert(), "grad_out"_a.noconvert(),
        "grad_src"_a.noconvert(), "grad_dst"_a.noconvert(), "grad_scale"_a.noconvert(),
        "grad_z"_a.noconvert(), "threads"_a);
}

}  // namespace

void bind_attention(nb::module_& m) {
  bind_type<float>(m);
  bind_type<double>(m);
}

}  // namespace gs

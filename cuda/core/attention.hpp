// Attention coefficients of one CSR row (Velickovic et al., ICLR 2018): leaky ReLU, then softmax.
#pragma once
#include "core/hd.hpp"

namespace gs {

template <class T>
GS_HD T leaky_relu(T x, T slope) {
  return x > T(0) ? x : slope * x;
}

// Softmax over the entries of `row`, in place; `att` holds (nnz, heads) leaky logits.
template <class T, class Exp>
GS_HD void softmax_row(const int64_t* indptr, T* att, int64_t heads, int64_t row, int64_t h,
                       Exp exponential) {
  const int64_t first = indptr[row], last = indptr[row + 1];
  if (first == last) return;
  T top = att[first * heads + h];
  for (int64_t e = first + 1; e < last; ++e)
    if (att[e * heads + h] > top) top = att[e * heads + h];
  T sum = T(0);
  for (int64_t e = first; e < last; ++e) {
    att[e * heads + h] = exponential(att[e * heads + h] - top);
    sum += att[e * heads + h];
  }
  for (int64_t e = first; e < last; ++e) att[e * heads + h] /= sum;
}

// Gradient of softmax and leaky ReLU: `grad` (nnz, heads) enters as d att, leaves as d logit.
template <class T>
GS_HD T softmax_row_backward(const int64_t* indptr, const int32_t* indices, const T* att,
                             const T* alpha_src, const T* alpha_dst, T slope, T* grad,
                             int64_t heads, int64_t row, int64_t h) {
  const int64_t first = indptr[row], last = indptr[row + 1];
  T dot = T(0), total = T(0);
  for (int64_t e = first; e < last; ++e) dot += att[e * heads + h] * grad[e * heads + h];
  for (int64_t e = first; e < last; ++e) {
    const T logit =
        alpha_src[static_cast<int64_t>(indices[e]) * heads + h] + alpha_dst[row * heads + h];
    const T d = att[e * heads + h] * (grad[e * heads + h] - dot);
    grad[e * heads + h] = logit > T(0) ? d : slope * d;
    total += grad[e * heads + h];
  }
  return total;
}

}  // namespace gs

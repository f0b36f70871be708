// Steps of triangular solves with L D L^T, one column of L at a time, for W right-hand sides that
// lie side by side.
#pragma once
#include "core/hd.hpp"

namespace gs {

// Unit lower triangular factor by columns, without its diagonal; rows ascend in each column.
struct LdlView {
  const int64_t* ptr;      // (k + 1,)
  const int32_t* rows;     // (nnz,)
  const double* values;    // (nnz,)
  const double* diagonal;  // (k,)
};

// x_i -= L_ij x_j for every i below j.
template <int W>
GS_HD void forward_column(const LdlView& f, int64_t j, double* x) {
  double xj[W];
  for (int c = 0; c < W; ++c) xj[c] = x[j * W + c];
  for (int64_t p = f.ptr[j]; p < f.ptr[j + 1]; ++p) {
    double* xi = x + int64_t{f.rows[p]} * W;
    for (int c = 0; c < W; ++c) xi[c] -= f.values[p] * xj[c];
  }
}

// x_j -= sum over i of L_ij x_i.
template <int W>
GS_HD void backward_column(const LdlView& f, int64_t j, double* x) {
  double xj[W];
  for (int c = 0; c < W; ++c) xj[c] = x[j * W + c];
  for (int64_t p = f.ptr[j]; p < f.ptr[j + 1]; ++p) {
    const double* xi = x + int64_t{f.rows[p]} * W;
    for (int c = 0; c < W; ++c) xj[c] -= f.values[p] * xi[c];
  }
  for (int c = 0; c < W; ++c) x[j * W + c] = xj[c];
}

// b' A^-1 b for b = e_p - e_q (a row of -1 is the grounded node): forward substitution touches
// only the paths from p and q to the root of the elimination tree.  `x` is zero, before and after.
GS_HD double pair_resistance(const LdlView& f, const int32_t* parent, int32_t p, int32_t q,
                             double* x) {
  if (p >= 0) x[p] += 1.0;
  if (q >= 0) x[q] -= 1.0;
  double sum = 0.0;
  while (p >= 0 || q >= 0) {
    const int32_t j = q < 0 || (p >= 0 && p <= q) ? p : q;  // ascending: paths only go up
    forward_column<1>(f, j, x);
    sum += x[j] * x[j] / f.diagonal[j];
    x[j] = 0.0;
    if (p == j) p = parent[j];
    if (q == j) q = parent[j];
  }
  return sum;
}

}  // namespace gs

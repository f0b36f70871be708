// Rows of a Laplacian that is never formed.
#pragma once
#include "core/csr.hpp"

namespace gs {

// (L x)_u = sum over v of w_uv (x_u - x_v), for W vectors that lie side by side with stride
// `width`.  Differences first: nothing cancels where x is smooth.
template <int W>
GS_HD void laplacian_row(const CsrView<int32_t>& g, const double* weights, int64_t u,
                         const double* x, int64_t width, double* out) {
  double sum[W];
  for (int c = 0; c < W; ++c) sum[c] = 0.0;
  for (int64_t i = g.begin(u); i < g.end(u); ++i) {
    const double* xv = x + int64_t{g.indices[i]} * width;
    for (int c = 0; c < W; ++c) sum[c] += weights[i] * (x[u * width + c] - xv[c]);
  }
  for (int c = 0; c < W; ++c) out[u * width + c] = sum[c];
}

}  // namespace gs

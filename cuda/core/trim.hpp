// TEDDY edge scores in exact fixed-point arithmetic (Seo, Yun, Yang, ICLR 2024, arXiv 2402.01261).
// A node's sum runs over integers, so its order does not matter and every device agrees to the bit.
#pragma once
#include "core/csr.hpp"

namespace gs {

// S_v = sum over the neighbours u of v of c_u.
template <class Index>
GS_HD int64_t fixed_point_sum(const CsrView<Index>& g, const int64_t* c, int64_t v) {
  int64_t sum = 0;
  for (int64_t i = g.begin(v); i < g.end(v); ++i) sum += c[g.indices[i]];
  return sum;
}

// t_v = S_v / d_v^2, scaled back; `unit` is 2^-q.
GS_HD double node_score(int64_t sum, int64_t degree, double unit) {
  if (degree == 0) return 0.0;
  const double d = static_cast<double>(degree);
  return (static_cast<double>(sum) / (d * d)) * unit;
}

GS_HD double pair_score(double tu, double tv) { return tu * tv; }

}  // namespace gs

// OpenMP loops round core/trim.hpp.
#include "core/trim.hpp"

#include <cmath>

#include "cpu/bindings.hpp"
#include "cpu/parallel.hpp"

namespace gs {
namespace {

// Arcs ahead of the current one whose values are fetched: rows are short, so the end of a row
// would otherwise stall the loads of the next.
constexpr int64_t kAhead = 24;
constexpr int64_t kRowsAhead = 6;

// values[degree of u] for every row u.
NumpyArray<int64_t> by_degree(In<int64_t> indptr, In<int64_t> table) {
  const int64_t n = static_cast<int64_t>(indptr.shape(0)) - 1;
  Fresh<int64_t> out(n);
  for (int64_t u = 0; u < n; ++u)
    out.data[u] = table.data()[indptr.data()[u + 1] - indptr.data()[u]];
  return out.release();
}

// (t, upper): node scores, and the prefix counts (n + 1,) of the arcs with column > row.
template <class Index>
nb::tuple node_scores(In<int64_t> indptr, In<Index> indices, In<int64_t> c, double unit,
                      int num_threads) {
  const CsrView<Index> g = view(indptr, indices);
  const int64_t n = g.num_nodes;
  Fresh<double> t(n);
  Fresh<int64_t> upper(n + 1);
  {
    nb::gil_scoped_release free;
    const int threads = threads_for(g.num_arcs(), num_threads);
    const auto cut = balanced_rows(g.indptr, n, threads);
    const int64_t* value = c.data();
    const int64_t last = g.num_arcs() - 1;
    upper.data[0] = 0;
#pragma omp parallel for num_threads(threads) schedule(static, 1)
    for (int p = 0; p < threads; ++p)
      for (int64_t u = cut[p]; u < cut[p + 1]; ++u) {
        int64_t sum = 0, above = 0;
        for (int64_t i = g.begin(u); i < g.end(u); ++i) {
          __builtin_prefetch(value + g.indices[std::min(i + kAhead, last)]);
          sum += value[g.indices[i]];
          above += g.indices[i] > static_cast<Index>(u);
        }
        t.data[u] = node_score(sum, g.end(u) - g.begin(u), unit);
        upper.data[u + 1] = above;
      }
    for (int64_t u = 0; u < n; ++u) upper.data[u + 1] += upper.data[u];
  }
  return nb::make_tuple(t.release(), upper.release());
}

// rint(S_v / d_v): one more hop of the neighbourhood mean, still in fixed point.
template <class Index>
NumpyArray<int64_t> neighbour_mean(In<int64_t> indptr, In<Index> indices, In<int64_t> c,
                                   int num_threads) {
  const CsrView<Index> g = view(indptr, indices);
  Fresh<int64_t> out(g.num_nodes);
  {
    nb::gil_scoped_release free;
    const int threads = threads_for(g.num_arcs(), num_threads);
    const auto cut = balanced_rows(g.indptr, g.num_nodes, threads);
#pragma omp parallel for num_threads(threads) schedule(static, 1)
    for (int p = 0; p < threads; ++p)
      for (int64_t u = cut[p]; u < cut[p + 1]; ++u) {
        const int64_t d = g.end(u) - g.begin(u);
        const double mean =
            d ? static_cast<double>(fixed_point_sum(g, c.data(), u)) / static_cast<double>(d) : 0.0;
        out.data[u] = static_cast<int64_t>(std::rint(mean));
      }
  }
  return out.release();
}

// T_uv = t_u * t_v for the pairs u < v, in (u, v) order.  No loops; `upper` as in node_scores.
template <class Index>
NumpyArray<double> pair_scores(In<int64_t> indptr, In<Index> indices, In<double> t,
                               In<int64_t> upper, int num_threads) {
  const CsrView<Index> g = view(indptr, indices);
  const int64_t n = g.num_nodes;
  Fresh<double> out(n ? upper.data()[n] : 0);
  {
    nb::gil_scoped_release free;
    const int threads = threads_for(g.num_arcs(), num_threads);
    const auto cut = balanced_rows(upper.data(), n, threads);
    const double* score = t.data();
#pragma omp parallel for num_threads(threads) schedule(static, 1)
    for (int p = 0; p < threads; ++p)
      for (int64_t u = cut[p]; u < cut[p + 1]; ++u) {
        const int64_t count = upper.data()[u + 1] - upper.data()[u];
        const Index* nbr = g.indices + g.end(u) - count;
        double* row = out.data.get() + upper.data()[u];
        const double tu = score[u];
        // The next rows' upper arcs lie behind their lower ones: fetch them a few rows ahead.
        const int64_t far = std::min(u + kRowsAhead, n - 1);
        const int64_t far_count = upper.data()[far + 1] - upper.data()[far];
        const Index* far_nbr = g.indices + g.end(far) - far_count;
        for (int64_t i = 0; i < std::min<int64_t>(far_count, 16); ++i)
          __builtin_prefetch(score + far_nbr[i]);
        for (int64_t i = 0; i < count; ++i) row[i] = pair_score(tu, score[nbr[i]]);
      }
  }
  return out.release();
}

// T_{u->v} = t_out[u] * t_in[v] for every arc.
template <class Index>
NumpyArray<double> arc_scores(In<int64_t> indptr, In<Index> indices, In<double> t_out,
                              In<double> t_in, int num_threads) {
  const CsrView<Index> g = view(indptr, indices);
  Fresh<double> out(g.num_arcs());
  {
    nb::gil_scoped_release free;
    const int threads = threads_for(g.num_arcs(), num_threads);
    const auto cut = balanced_rows(g.indptr, g.num_nodes, threads);
#pragma omp parallel for num_threads(threads) schedule(static, 1)
    for (int p = 0; p < threads; ++p)
      for (int64_t u = cut[p]; u < cut[p + 1]; ++u)
        for (int64_t i = g.begin(u); i < g.end(u); ++i)
          out.data[i] = pair_score(t_out.data()[u], t_in.data()[g.indices[i]]);
  }
  return out.release();
}

template <class Index>
void bind_index(nb::module_& m) {
  using namespace nb::literals;
  m.def("node_scores", &node_scores<Index>, "indptr"_a, "indices"_a, "c"_a, "unit"_a, "threads"_a);
  m.def("neighbour_mean", &neighbour_mean<Index>, "indptr"_a, "indices"_a, "c"_a, "threads"_a);
  m.def("pair_scores", &pair_scores<Index>, "indptr"_a, "indices"_a, "t"_a, "upper"_a, "threads"_a);
  m.def("arc_scores", &arc_scores<Index>, "indptr"_a, "indices"_a, "t_out"_a, "t_in"_a,
        "threads"_a);
}

}  // namespace

void bind_trim(nb::module_& m) {
  using namespace nb::literals;
  m.def("by_degree", &by_degree, "indptr"_a, "table"_a);
  bind_index<int32_t>(m);
  bind_index<int64_t>(m);
}

}  // namespace gs

// OpenMP loops round core/trim.hpp.
#include "core/trim.hpp"

#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <memory>

#include "core/philox.hpp"
#include "cpu/bindings.hpp"
#include "cpu/parallel.hpp"
#include "cpu/vectors.hpp"

namespace gs {
namespace {

// Arcs ahead of the current one whose values are fetched: rows are short, so the end of a row
// would otherwise stall the loads of the next.
constexpr int64_t kAhead = 24;

// values[degree of u] for every row u.
NumpyArray<int64_t> by_degree(In<int64_t> indptr, In<int64_t> table) {
  const int64_t n = static_cast<int64_t>(indptr.shape(0)) - 1;
  Fresh<int64_t> out(n);
  for (int64_t u = 0; u < n; ++u)
    out.data[u] = table.data()[indptr.data()[u + 1] - indptr.data()[u]];
  return out.release();
}

// (t, upper): node scores, and the prefix counts (n + 1,) of the arcs with column > row.
// value(v) is c_v, read from the entry of `source` that belongs to v.
template <class Index, class Source, class Value>
nb::tuple score_nodes(const CsrView<Index>& g, const Source* source, Value value, double unit,
                      int num_threads) {
  const int64_t n = g.num_nodes;
  Fresh<double> t(n);
  Fresh<int64_t> upper(n + 1);
  {
    nb::gil_scoped_release free;
    const int threads = threads_for(g.num_arcs(), num_threads);
    const auto cut = balanced_rows(g.indptr, n, threads);
    const int64_t last = g.num_arcs() - 1;
    upper.data[0] = 0;
#pragma omp parallel for num_threads(threads) schedule(static, 1)
    for (int p = 0; p < threads; ++p)
      for (int64_t u = cut[p]; u < cut[p + 1]; ++u) {
        int64_t sum = 0, above = 0;
        for (int64_t i = g.begin(u); i < g.end(u); ++i) {
          __builtin_prefetch(source + g.indices[std::min(i + kAhead, last)]);
          sum += value(source[g.indices[i]]);
          above += g.indices[i] > static_cast<Index>(u);
        }
        t.data[u] = node_score(sum, g.end(u) - g.begin(u), unit);
        upper.data[u + 1] = above;
      }
    for (int64_t u = 0; u < n; ++u) upper.data[u + 1] += upper.data[u];
  }
  return nb::make_tuple(t.release(), upper.release());
}

template <class Index>
nb::tuple node_scores(In<int64_t> indptr, In<Index> indices, In<int64_t> c, double unit,
                      int num_threads) {
  const auto itself = [](int64_t value) { return value; };
  return score_nodes(view(indptr, indices), c.data(), itself, unit, num_threads);
}

// The same with c_v = table[degree of v].  Graphs have few distinct degrees: a node carries the
// 16-bit number of its own, a quarter of the bytes that the gathers have to move.
template <class Index>
nb::tuple node_scores_by_degree(In<int64_t> indptr, In<Index> indices, In<int64_t> table,
                                double unit, int num_threads) {
  const CsrView<Index> g = view(indptr, indices);
  const auto degree = [&](int64_t u) { return g.end(u) - g.begin(u); };
  std::vector<int32_t> number(table.shape(0), -1);
  std::vector<int64_t> values;
  for (int64_t u = 0; u < g.num_nodes; ++u) number[static_cast<size_t>(degree(u))] = 0;
  for (size_t d = 0; d < number.size(); ++d) {
    if (number[d] < 0) continue;
    number[d] = static_cast<int32_t>(values.size());
    values.push_back(table.data()[d]);
  }
  if (values.size() > (1 << 16)) {
    const NumpyArray<int64_t> c = by_degree(indptr, table);
    const auto itself = [](int64_t value) { return value; };
    return score_nodes(g, c.data(), itself, unit, num_threads);
  }
  const Fresh<uint16_t> code(g.num_nodes);
  for (int64_t u = 0; u < g.num_nodes; ++u)
    code.data[u] = static_cast<uint16_t>(number[static_cast<size_t>(degree(u))]);
  const int64_t* of_code = values.data();
  return score_nodes(
      g, code.data.get(), [of_code](uint16_t k) { return of_code[k]; }, unit, num_threads);
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

// Fetches t of the far ends of pairs, a fixed number of pairs ahead of where they are used.
template <class Index>
struct PairFetcher {
  const CsrView<Index>& g;
  const int64_t* upper;
  const double* t;
  int64_t stop;  // first row that is not fetched
  int64_t row;
  int64_t next = 0, end = 0;  // arcs of the row that are still to fetch

  void advance(int64_t count) {
    while (count > 0) {
      const int64_t now = std::min(count, end - next);
      for (int64_t i = next; i < next + now; ++i) __builtin_prefetch(t + g.indices[i]);
      next += now;
      count -= now;
      if (count == 0 || row == stop) return;
      end = g.end(row);
      next = end - (upper[row + 1] - upper[row]);
      ++row;
    }
  }
};

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
    for (int p = 0; p < threads; ++p) {
      PairFetcher<Index> ahead{g, upper.data(), score, cut[p + 1], cut[p]};
      ahead.advance(kAhead);
      for (int64_t u = cut[p]; u < cut[p + 1]; ++u) {
        const int64_t count = upper.data()[u + 1] - upper.data()[u];
        const Index* nbr = g.indices + g.end(u) - count;
        double* row = out.data.get() + upper.data()[u];
        const double tu = score[u];
        ahead.advance(count);
        for (int64_t i = 0; i < count; ++i) row[i] = pair_score(tu, score[nbr[i]]);
      }
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

// Two scores that enclose the k-th largest, almost surely: ranks of a sample of the pairs.  They
// decide how fast the mask is found, never what it is.
template <class Index>
std::pair<double, double> score_bracket(const CsrView<Index>& g, const double* t,
                                        const int64_t* upper, int64_t k) {
  constexpr int64_t kSamples = 1 << 14;
  const int64_t size = upper[g.num_nodes];
  std::vector<double> drawn(kSamples);
  const int64_t* row = upper;
  for (int64_t i = 0; i < kSamples; ++i) {
    const uint64_t jitter = mix64(static_cast<uint64_t>(i) + 0x9E3779B97F4A7C15ull);
    const int64_t b = even_cut(size, kSamples, static_cast<int>(i));
    const int64_t width = even_cut(size, kSamples, static_cast<int>(i + 1)) - b;
    const int64_t pair = b + static_cast<int64_t>(jitter % static_cast<uint64_t>(width));
    row = std::upper_bound(row, upper + g.num_nodes + 1, pair) - 1;
    const int64_t u = row - upper;
    const Index v = g.indices[g.end(u) - (upper[u + 1] - pair)];
    drawn[static_cast<size_t>(i)] = pair_score(t[u], t[v]);
  }
  std::sort(drawn.begin(), drawn.end(), std::greater<>());
  const double share = static_cast<double>(k) / static_cast<double>(size);
  const double spread = 4.0 * std::sqrt(kSamples * share * (1.0 - share)) + 2.0;  // 4 deviations
  const int64_t low = static_cast<int64_t>(share * kSamples + spread);
  const int64_t high = static_cast<int64_t>(share * kSamples - spread);
  return {low < kSamples ? drawn[static_cast<size_t>(low)] : -1.0,
          high >= 0 ? drawn[static_cast<size_t>(high)] : std::numeric_limits<double>::infinity()};
}

struct Near {
  double score;
  int64_t pair;
};

// What one thread finds of its share of the pairs.
struct Marks {
  int64_t above = 0;      // pairs above the bracket
  int64_t listed = 0;     // pairs inside it, in order
  bool overflow = false;  // more of them than there is room for
  std::unique_ptr<Near[]> inside;
};

constexpr int64_t kBlock = 512;  // scores looked at together: the comparisons are vectorised

// over[i] = score > high, near[i] = low <= score <= high, as bytes; returns the sum of over.
GS_CLONES
int64_t classify(const double* scores, double low, double high, uint8_t* over, uint8_t* near) {
  int64_t above = 0;
  for (int64_t i = 0; i < kBlock; ++i) {
    over[i] = scores[i] > high;
    near[i] = (scores[i] >= low) & (scores[i] <= high);
    above += scores[i] > high;
  }
  return above;
}

// Marks the pairs of a block above the bracket and lists those inside it.
void mark_block(double* scores, int64_t length, int64_t pair, std::pair<double, double> bracket,
                int64_t room, bool* mask, Marks& marks) {
  alignas(64) uint8_t over[kBlock], near[kBlock];
  std::fill(scores + length, scores + kBlock, -2.0);  // below every bracket
  marks.above += classify(scores, bracket.first, bracket.second, over, near);
  std::memcpy(mask + pair, over, static_cast<size_t>(length));
  if (marks.listed > room) {
    marks.overflow = true;
    return;
  }
  for (int64_t w = 0; w < kBlock; w += 8) {
    uint64_t any;
    std::memcpy(&any, near + w, 8);
    for (; any != 0; any &= any - 1) {
      const int64_t i = w + (__builtin_ctzll(any) >> 3);
      marks.inside[marks.listed++] = {scores[i], pair + i};
    }
  }
}

// Scores the pairs of the rows [first, stop) in blocks that stay in cache.
template <class Index>
void mark_pairs(const CsrView<Index>& g, const double* t, const int64_t* upper, int64_t first,
                int64_t stop, std::pair<double, double> bracket, int64_t room, bool* mask,
                Marks& marks) {
  marks.inside.reset(new Near[static_cast<size_t>(room + kBlock + 1)]);
  PairFetcher<Index> ahead{g, upper, t, stop, first};
  ahead.advance(kAhead);
  alignas(64) double scores[kBlock];
  int64_t filled = 0, pair = upper[first];
  const auto flush = [&] {
    mark_block(scores, filled, pair, bracket, room, mask, marks);
    pair += filled;
    filled = 0;
  };
  for (int64_t u = first; u < stop && !marks.overflow; ++u) {
    const Index* nbr = g.indices + g.end(u) - (upper[u + 1] - upper[u]);
    const double tu = t[u];
    for (int64_t left = upper[u + 1] - upper[u]; left > 0;) {
      const int64_t now = std::min(left, kBlock - filled);
      ahead.advance(now);
      for (int64_t i = 0; i < now; ++i) scores[filled + i] = pair_score(tu, t[nbr[i]]);
      nbr += now;
      left -= now;
      filled += now;
      if (filled == kBlock) flush();
    }
  }
  flush();
}

// Mask of the `missing` best of the listed pairs; equal scores: lower pair first.
void mark_best(const std::vector<Marks>& lists, int64_t missing, bool* mask) {
  std::vector<double> scores;
  for (const auto& list : lists)
    for (int64_t i = 0; i < list.listed; ++i) scores.push_back(list.inside[i].score);
  if (missing == 0) return;
  const auto at = scores.begin() + (missing - 1);
  std::nth_element(scores.begin(), at, scores.end(), std::greater<>());
  const double cut = *at;
  int64_t ties = missing;
  for (const double x : scores) ties -= x > cut;
  for (const auto& list : lists)
    for (int64_t i = 0; i < list.listed; ++i) {
      const Near& x = list.inside[i];
      mask[x.pair] = x.score > cut || (x.score == cut && ties-- > 0);
    }
}

// Mask of the k best pairs (u < v) by t_u * t_v, equal scores by lower pair, or None if the sample
// misled and the caller has to select among stored scores.  No score is stored: 1 byte per pair.
template <class Index>
nb::object best_pairs(In<int64_t> indptr, In<Index> indices, In<double> t, In<int64_t> upper,
                      int64_t k, int num_threads) {
  const CsrView<Index> g = view(indptr, indices);
  const int64_t size = upper.data()[g.num_nodes];
  if (size < (1 << 15)) return nb::none();
  Fresh<bool> mask(size);
  bool found = true;
  {
    nb::gil_scoped_release free;
    const int threads = threads_for(g.num_arcs(), num_threads);
    const auto cut = balanced_rows(upper.data(), g.num_nodes, threads);
    const auto bracket = score_bracket(g, t.data(), upper.data(), k);
    const int64_t room = size / 8 / threads;
    std::vector<Marks> marks(static_cast<size_t>(threads));
#pragma omp parallel for num_threads(threads) schedule(static, 1)
    for (int p = 0; p < threads; ++p)
      mark_pairs(g, t.data(), upper.data(), cut[p], cut[p + 1], bracket, room, mask.data.get(),
                 marks[static_cast<size_t>(p)]);
    int64_t missing = k, listed = 0;
    for (const Marks& part : marks) {
      found &= !part.overflow;
      missing -= part.above;
      listed += part.listed;
    }
    found &= missing >= 0 && missing <= listed;
    if (found) mark_best(marks, missing, mask.data.get());
  }
  return found ? nb::cast(mask.release()) : nb::none();
}

template <class Index>
void bind_index(nb::module_& m) {
  using namespace nb::literals;
  m.def("node_scores", &node_scores<Index>, "indptr"_a, "indices"_a, "c"_a, "unit"_a, "threads"_a);
  m.def("node_scores_by_degree", &node_scores_by_degree<Index>, "indptr"_a, "indices"_a, "table"_a,
        "unit"_a, "threads"_a);
  m.def("neighbour_mean", &neighbour_mean<Index>, "indptr"_a, "indices"_a, "c"_a, "threads"_a);
  m.def("pair_scores", &pair_scores<Index>, "indptr"_a, "indices"_a, "t"_a, "upper"_a, "threads"_a);
  m.def("best_pairs", &best_pairs<Index>, "indptr"_a, "indices"_a, "t"_a, "upper"_a, "k"_a,
        "threads"_a);
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

// Neighbour sampling by hops: each new node draws from its row, and what it reaches is numbered in
// the order in which it was reached.  Rows are drawn in parallel, numbers are given serially.
#include "core/sample.hpp"

#include <cmath>

#include "cpu/bindings.hpp"
#include "cpu/node_numbers.hpp"
#include "cpu/parallel.hpp"

namespace gs {
namespace {

constexpr int64_t kAhead = 16;  // rows or arcs ahead of the current one that are fetched

struct Rules {
  const double* sums;     // running sums of the weights in each row, or null
  const int64_t* times;   // of each arc, ascending in each row, or null
  const int64_t* bounds;  // latest time of each seed's tree
  bool replace, last;
  uint64_t seed;
  uint32_t batch;
};

struct Batch {
  std::vector<int64_t> node, tree, row, col, arc, nodes_of_hop, arcs_of_hop;
  bool disjoint = false;

  uint64_t key(int64_t u, int64_t t) const {
    return static_cast<uint64_t>(t) << 32 | static_cast<uint64_t>(u);
  }
  // The number of node u in tree t, which is 0 unless trees are disjoint.
  int64_t reach(NodeNumbers& numbers, int64_t u, int64_t t) {
    bool fresh = false;
    const auto next = static_cast<int64_t>(node.size());
    const int64_t number = numbers.number(key(u, t), next, &fresh);
    if (fresh) {
      node.push_back(u);
      if (disjoint) tree.push_back(t);
    }
    return number;
  }
};

// Arcs of row u that may be drawn: all, or those that are not too late (they come first).
template <class Index>
int64_t candidates(const CsrView<Index>& g, const Rules& rules, int64_t u, int64_t tree) {
  const int64_t first = g.begin(u);
  if (!rules.times) return g.end(u) - first;
  return std::upper_bound(rules.times + first, rules.times + g.end(u), rules.bounds[tree]) -
         (rules.times + first);
}

int64_t positive(const double* sums, int64_t d) {
  int64_t count = 0;
  double before = 0.0;
  for (int64_t i = 0; i < d; ++i) {
    count += sums[i] > before;
    before = sums[i];
  }
  return count;
}

// How many arcs of a row are drawn.
int64_t drawn(const Rules& rules, const double* sums, int64_t d, int64_t fan) {
  if (fan < 0) return d;
  if (rules.last) return std::min(fan, d);
  if (d == 0 || (sums && sums[d - 1] <= 0.0)) return 0;
  return rules.replace ? fan : std::min(fan, sums ? positive(sums, d) : d);
}

// k arcs of positive weight, each in turn in proportion to its weight: the smallest -log(u) / w
// (Efraimidis and Spirakis, IPL 97, 2006).
void choose_weighted(const NodeDraws& from, const double* sums, int64_t d, int64_t k,
                     int64_t* out) {
  std::vector<std::pair<double, int64_t>> keys;
  double before = 0.0;
  for (int64_t i = 0; i < d; ++i) {
    const double w = sums[i] - before;
    before = sums[i];
    if (w > 0.0)
      keys.emplace_back(-std::log(1.0 - u01(from.bits(static_cast<uint64_t>(i)))) / w, i);
  }
  std::partial_sort(keys.begin(), keys.begin() + k, keys.end());
  for (int64_t i = 0; i < k; ++i) out[i] = keys[i].second;
  std::sort(out, out + k);
}

void choose(const Rules& rules, const NodeDraws& from, const double* sums, int64_t d, int64_t k,
            int64_t* out) {
  if (rules.last) {
    for (int64_t i = 0; i < k; ++i) out[i] = d - k + i;
  } else if (rules.replace) {
    sums ? choose_weighted_with(from, sums, d, k, out) : choose_with(from, d, k, out);
  } else if (sums && k < d) {
    choose_weighted(from, sums, d, k, out);
  } else {
    choose_without(from, d, k, out);
  }
}

// Draws for the nodes [begin, end) of the batch; where[i] is the first arc of the i-th of them.
template <class Index>
void draw_hop(const CsrView<Index>& g, const Rules& given, const Batch& batch, int64_t begin,
              int64_t end, int64_t fan, int num_threads, std::vector<int64_t>& where,
              std::vector<int64_t>& arcs) {
  Rules rules = given;
  rules.replace = given.replace && fan >= 0;  // all arcs are all arcs
  const int64_t count = end - begin;
  const int threads = threads_for(count * std::max<int64_t>(fan, 8), num_threads);
  where.assign(static_cast<size_t>(count) + 1, 0);
  const auto tree = [&](int64_t i) { return batch.disjoint ? batch.tree[begin + i] : 0; };
  const auto sums = [&](int64_t u) { return rules.sums ? rules.sums + g.begin(u) : nullptr; };
#pragma omp parallel for num_threads(threads) schedule(static)
  for (int64_t i = 0; i < count; ++i) {
    __builtin_prefetch(g.indptr + batch.node[begin + std::min(i + kAhead, count - 1)]);
    const int64_t u = batch.node[begin + i];
    where[i + 1] = drawn(rules, sums(u), candidates(g, rules, u, tree(i)), fan);
  }
  for (int64_t i = 0; i < count; ++i) where[i + 1] += where[i];
  arcs.resize(static_cast<size_t>(where[count]));
#pragma omp parallel for num_threads(threads) schedule(dynamic, 256)
  for (int64_t i = 0; i < count; ++i) {
    const int64_t u = batch.node[begin + i], k = where[i + 1] - where[i];
    if (k == 0) continue;
    int64_t* out = arcs.data() + where[i];
    const NodeDraws from{rules.seed, rules.batch, static_cast<uint64_t>(begin + i)};
    choose(rules, from, sums(u), candidates(g, rules, u, tree(i)), k, out);
    for (int64_t j = 0; j < k; ++j) {
      out[j] += g.begin(u);
      __builtin_prefetch(g.indices + out[j]);
    }
  }
}

template <class Index>
void sample_hops(const CsrView<Index>& g, const Rules& rules, const int64_t* fans, int64_t hops,
                 int num_threads, Batch& batch, NodeNumbers& numbers) {
  std::vector<int64_t> where, arcs;
  int64_t begin = 0;
  batch.nodes_of_hop.push_back(static_cast<int64_t>(batch.node.size()));
  for (int64_t hop = 0; hop < hops; ++hop) {
    const auto end = static_cast<int64_t>(batch.node.size());
    draw_hop(g, rules, batch, begin, end, fans[hop], num_threads, where, arcs);
    const auto count = static_cast<int64_t>(arcs.size());
    batch.row.reserve(batch.row.size() + arcs.size());
    batch.col.reserve(batch.row.capacity());
    batch.arc.reserve(batch.row.capacity());
    numbers.reserve(static_cast<int64_t>(batch.node.size()) + count);
    for (int64_t i = 0; i < end - begin; ++i) {
      const int64_t t = batch.disjoint ? batch.tree[begin + i] : 0;
      for (int64_t j = where[i]; j < where[i + 1]; ++j) {
        const int64_t ahead = g.indices[arcs[std::min(j + kAhead, count - 1)]];
        numbers.fetch(batch.key(ahead, t));
        batch.row.push_back(batch.reach(numbers, g.indices[arcs[j]], t));
        batch.col.push_back(begin + i);
        batch.arc.push_back(arcs[j]);
      }
    }
    batch.nodes_of_hop.push_back(static_cast<int64_t>(batch.node.size()) - end);
    batch.arcs_of_hop.push_back(count);
    begin = end;
  }
}

NumpyArray<int64_t> array(const std::vector<int64_t>& from) {
  Fresh<int64_t> out(static_cast<int64_t>(from.size()));
  std::copy(from.begin(), from.end(), out.data.get());
  return out.release();
}

// (node, tree, row, col, arc, nodes of each hop, arcs of each hop)
template <class Index>
nb::tuple sample_neighbors(In<int64_t> indptr, In<Index> indices, In<int64_t> seeds,
                           In<int64_t> fans, In<double> sums, In<int64_t> times, In<int64_t> bounds,
                           bool disjoint, bool replace, bool last, uint64_t seed,
                           uint32_t batch_number, int num_threads) {
  Batch batch;
  {
    nb::gil_scoped_release free;
    const Rules rules{sums.shape(0) ? sums.data() : nullptr,
                      times.shape(0) ? times.data() : nullptr,
                      bounds.data(),
                      replace,
                      last,
                      seed,
                      batch_number};
    batch.disjoint = disjoint;
    NodeNumbers numbers(4 * static_cast<int64_t>(seeds.shape(0)));
    for (size_t i = 0; i < seeds.shape(0); ++i)
      batch.reach(numbers, seeds.data()[i], disjoint ? static_cast<int64_t>(i) : 0);
    sample_hops(view(indptr, indices), rules, fans.data(), static_cast<int64_t>(fans.shape(0)),
                num_threads, batch, numbers);
  }
  return nb::make_tuple(array(batch.node), array(batch.tree), array(batch.row), array(batch.col),
                        array(batch.arc), array(batch.nodes_of_hop), array(batch.arcs_of_hop));
}

// (row, col, arc): the arcs between some distinct nodes, by receiver; numbers go by their order.
template <class Index>
nb::tuple induced_arcs(In<int64_t> indptr, In<Index> indices, In<int64_t> nodes) {
  std::vector<int64_t> row, col, arc;
  {
    nb::gil_scoped_release free;
    const CsrView<Index> g = view(indptr, indices);
    const auto n = static_cast<int64_t>(nodes.shape(0));
    NodeNumbers numbers(n);
    bool fresh = false;
    for (int64_t i = 0; i < n; ++i)
      numbers.number(static_cast<uint64_t>(nodes.data()[i]), i, &fresh);
    for (int64_t i = 0; i < n; ++i) {
      const int64_t u = nodes.data()[i];
      for (int64_t e = g.begin(u); e < g.end(u); ++e) {
        const int64_t number = numbers.find(static_cast<uint64_t>(g.indices[e]));
        if (number < 0) continue;
        row.push_back(number);
        col.push_back(i);
        arc.push_back(e);
      }
    }
  }
  return nb::make_tuple(array(row), array(col), array(arc));
}

// Running sums in each row, added one after another.
void row_sums(In<int64_t> indptr, In<double> weights, Out<double> sums) {
  nb::gil_scoped_release free;
  const auto n = static_cast<int64_t>(indptr.shape(0)) - 1;
  for (int64_t u = 0; u < n; ++u) {
    double sum = 0.0;
    for (int64_t i = indptr.data()[u]; i < indptr.data()[u + 1]; ++i)
      sums.data()[i] = sum += weights.data()[i];
  }
}

template <class Index>
void bind(nb::module_& m) {
  using namespace nb::literals;
  m.def("sample_neighbors", &sample_neighbors<Index>, "indptr"_a.noconvert(),
        "indices"_a.noconvert(), "seeds"_a.noconvert(), "fans"_a.noconvert(), "sums"_a.noconvert(),
        "times"_a.noconvert(), "bounds"_a.noconvert(), "disjoint"_a, "replace"_a, "last"_a,
        "seed"_a, "batch"_a, "num_threads"_a);
  m.def("induced_arcs", &induced_arcs<Index>, "indptr"_a.noconvert(), "indices"_a.noconvert(),
        "nodes"_a.noconvert());
}

}  // namespace

void bind_sample(nb::module_& m) {
  bind<int32_t>(m);
  bind<int64_t>(m);
  using namespace nb::literals;
  m.def("row_sums", &row_sums, "indptr"_a.noconvert(), "weights"_a.noconvert(),
        "sums"_a.noconvert());
}

}  // namespace gs

// What the ends of an edge have in common: triangles, weighted overlaps, prefixes of
// neighbourhoods.
//   edge_triangles    triangles through each edge
//   edge_overlaps     sum over common neighbours of min(w, w') or w w', in ascending order
//   prefix_overlaps   largest Jaccard index of equally long prefixes of two ranked neighbourhoods
#include "core/triangles.hpp"

#include <numeric>

#include "cpu/bindings.hpp"
#include "cpu/parallel.hpp"

namespace gs {
namespace {

constexpr int64_t kNodes = 64;  // nodes or edges that a thread takes at a time

struct OrientedCopy {
  std::vector<int64_t> indptr;
  std::vector<int32_t> heads, edges;
  Oriented view() const {
    return {{static_cast<int64_t>(indptr.size()) - 1, indptr.data(), heads.data()}, edges.data()};
  }
};

// Nodes in order of (degree, id): the place of each.
std::vector<int32_t> degree_places(const CsrView<int32_t>& g) {
  const int64_t n = g.num_nodes;
  int64_t most = 0;
  for (int64_t v = 0; v < n; ++v) most = std::max(most, g.end(v) - g.begin(v));
  std::vector<int64_t> start(static_cast<size_t>(most) + 2, 0);
  for (int64_t v = 0; v < n; ++v) ++start[static_cast<size_t>(g.end(v) - g.begin(v)) + 1];
  std::partial_sum(start.begin(), start.end(), start.begin());
  std::vector<int32_t> place(static_cast<size_t>(n));
  for (int64_t v = 0; v < n; ++v)
    place[static_cast<size_t>(v)] =
        static_cast<int32_t>(start[static_cast<size_t>(g.end(v) - g.begin(v))]++);
  return place;
}

// Nodes are renamed by their place: neighbouring marks are those of nodes of similar degree.
OrientedCopy orient(const CsrView<int32_t>& g, const int32_t* edge_of_arc, int threads) {
  const int64_t n = g.num_nodes;
  const std::vector<int32_t> place = degree_places(g);
  OrientedCopy copy;
  copy.indptr.assign(static_cast<size_t>(n) + 1, 0);
#pragma omp parallel for num_threads(threads) schedule(dynamic, kNodes)
  for (int64_t v = 0; v < n; ++v) {
    int64_t above = 0;
    for (int64_t i = g.begin(v); i < g.end(v); ++i) above += place[g.indices[i]] > place[v];
    copy.indptr[static_cast<size_t>(place[v]) + 1] = above;
  }
  std::partial_sum(copy.indptr.begin(), copy.indptr.end(), copy.indptr.begin());
  copy.heads.resize(static_cast<size_t>(copy.indptr.back()));
  copy.edges.resize(copy.heads.size());
#pragma omp parallel for num_threads(threads) schedule(dynamic, kNodes)
  for (int64_t v = 0; v < n; ++v) {
    size_t at = static_cast<size_t>(copy.indptr[static_cast<size_t>(place[v])]);
    for (int64_t i = g.begin(v); i < g.end(v); ++i)
      if (place[g.indices[i]] > place[v]) {
        copy.heads[at] = place[g.indices[i]];
        copy.edges[at++] = edge_of_arc[i];
      }
  }
  return copy;
}

NumpyArray<int32_t> edge_triangles(In<int64_t> indptr, In<int32_t> indices, In<int32_t> edge_of_arc,
                                   int num_threads) {
  const CsrView<int32_t> g = view(indptr, indices);
  const int64_t n = g.num_nodes, m = g.num_arcs() / 2;
  Fresh<int32_t> count(m);
  {
    nb::gil_scoped_release free;
    const int threads = threads_for(g.num_arcs(), num_threads);
    const OrientedCopy copy = orient(g, edge_of_arc.data(), threads);
    const Oriented oriented = copy.view();
    int64_t most = 0;
    for (int64_t u = 0; u < n; ++u)
      most = std::max(most, oriented.out.end(u) - oriented.out.begin(u));
    std::vector<std::vector<int32_t>> found(static_cast<size_t>(threads));  // a count per thread
#pragma omp parallel num_threads(threads)
    {
      std::vector<int32_t>& mine = found[static_cast<size_t>(omp_get_thread_num())];
      mine.assign(static_cast<size_t>(m), 0);
      std::vector<int32_t> mark(static_cast<size_t>(n), 0), tally(static_cast<size_t>(most)),
          hits(static_cast<size_t>(most) + 1);
      const TriangleScratch scratch{mark.data(), tally.data(), hits.data()};
#pragma omp for schedule(dynamic, kNodes)
      for (int64_t u = 0; u < n; ++u) triangles_of(oriented, u, scratch, mine.data());
#pragma omp for
      for (int64_t k = 0; k < m; ++k) {
        int32_t sum = 0;
        for (const std::vector<int32_t>& one : found) sum += one.empty() ? 0 : one[k];
        count.data[copy.edges[static_cast<size_t>(k)]] = sum;
      }
    }
  }
  return count.release();
}

// Sum over the common neighbours of u and v; the shorter row is looked up in the longer one.
double overlap(const CsrView<int32_t>& g, const double* w, int64_t u, int64_t v, bool product) {
  if (g.end(u) - g.begin(u) > g.end(v) - g.begin(v)) std::swap(u, v);
  double sum = 0.0;
  int64_t at = g.begin(v);
  for (int64_t i = g.begin(u); i < g.end(u) && at < g.end(v); ++i) {
    at = std::lower_bound(g.indices + at, g.indices + g.end(v), g.indices[i]) - g.indices;
    if (at < g.end(v) && g.indices[at] == g.indices[i])
      sum += product ? w[i] * w[at] : std::min(w[i], w[at]);
  }
  return sum;
}

NumpyArray<double> edge_overlaps(In<int64_t> indptr, In<int32_t> indices, In<double> weights,
                                 In<int32_t> u, In<int32_t> v, bool product, int num_threads) {
  const CsrView<int32_t> g = view(indptr, indices);
  const int64_t m = static_cast<int64_t>(u.shape(0));
  Fresh<double> sums(m);
  {
    nb::gil_scoped_release free;
#pragma omp parallel for num_threads(threads_for(g.num_arcs(), num_threads)) \
    schedule(dynamic, kNodes)
    for (int64_t e = 0; e < m; ++e)
      sums.data[e] = overlap(g, weights.data(), u.data()[e], v.data()[e], product);
  }
  return sums.release();
}

// Neighbours of each node by their rank, 0 best, equal ranks together: rows of the graph.
struct Ranked {
  const int64_t* indptr;
  const int32_t *node, *rank;
};

// What has been read of the two prefixes, and the best index so far.
struct Prefixes {
  int32_t* seen;  // bit 1: in the first, bit 2: in the second
  int64_t common = 0, all = 0;
  void add(int32_t x, int32_t bit) {
    all += seen[x] == 0;
    seen[x] |= bit;
    common += seen[x] == 3;
  }
};

double prefix_overlap(const Ranked& g, int32_t u, int32_t v, int32_t* seen) {
  Prefixes read{seen};
  double best = 0.0;
  int64_t i = g.indptr[u], j = g.indptr[v];
  const int64_t last_i = g.indptr[u + 1], last_j = g.indptr[v + 1];
  const auto take = [&](int64_t& at, int64_t last, int32_t limit, int32_t other, int32_t bit) {
    for (; at < last && g.rank[at] <= limit; ++at)
      if (g.node[at] != other) read.add(g.node[at], bit);
  };
  while (i < last_i || j < last_j) {
    const int32_t next_i = i < last_i ? g.rank[i] : INT32_MAX;
    const int32_t next_j = j < last_j ? g.rank[j] : INT32_MAX;
    const int32_t limit = std::min(next_i, next_j);
    take(i, last_i, limit, v, 1);
    take(j, last_j, limit, u, 2);
    if (read.all)
      best = std::max(best, static_cast<double>(read.common) / static_cast<double>(read.all));
  }
  for (int64_t k = g.indptr[u]; k < last_i; ++k) seen[g.node[k]] = 0;
  for (int64_t k = g.indptr[v]; k < last_j; ++k) seen[g.node[k]] = 0;
  return best;
}

NumpyArray<double> prefix_overlaps(In<int64_t> indptr, In<int32_t> node, In<int32_t> rank,
                                   In<int32_t> u, In<int32_t> v, int num_threads) {
  const Ranked g{indptr.data(), node.data(), rank.data()};
  const int64_t m = static_cast<int64_t>(u.shape(0));
  const size_t n = indptr.shape(0) - 1;
  Fresh<double> best(m);
  {
    nb::gil_scoped_release free;
#pragma omp parallel num_threads(threads_for(2 * m, num_threads))
    {
      std::vector<int32_t> seen(n, 0);
#pragma omp for schedule(dynamic, kNodes)
      for (int64_t e = 0; e < m; ++e)
        best.data[e] = prefix_overlap(g, u.data()[e], v.data()[e], seen.data());
    }
  }
  return best.release();
}

struct RowEntry {
  uint64_t key;
  int32_t at;
};
struct TiedEntry {
  uint64_t tie;
  int64_t edge;
  int32_t at;
};

// Puts entries of equal key in the order of (tie, edge number); ties may be null.
void order_run(RowEntry* run, RowEntry* end, const int64_t* edge, const uint64_t* ties,
               std::vector<TiedEntry>& tied) {
  tied.clear();
  for (const RowEntry* e = run; e < end; ++e)
    tied.push_back({ties ? ties[edge[e->at]] : 0, edge[e->at], e->at});
  std::sort(tied.begin(), tied.end(), [](const TiedEntry& a, const TiedEntry& b) {
    return a.tie != b.tie ? a.tie < b.tie : a.edge < b.edge;
  });
  for (const TiedEntry& e : tied) (run++)->at = e.at;
}

// Rank of every entry in its row, from 1, in the order of (key, tie of its edge, edge).
NumpyArray<int32_t> row_ranks(In<int64_t> indptr, In<uint64_t> keys, In<int64_t> edge,
                              In<uint64_t> ties, int num_threads) {
  const int64_t n = static_cast<int64_t>(indptr.shape(0)) - 1;
  const int64_t size = static_cast<int64_t>(keys.shape(0));
  const uint64_t* tie = ties.shape(0) ? ties.data() : nullptr;
  Fresh<int32_t> ranks(size);
  {
    nb::gil_scoped_release free;
#pragma omp parallel num_threads(threads_for(size, num_threads))
    {
      std::vector<RowEntry> row;
      std::vector<TiedEntry> tied;
#pragma omp for schedule(dynamic, kNodes)
      for (int64_t v = 0; v < n; ++v) {
        const int64_t begin = indptr.data()[v], count = indptr.data()[v + 1] - begin;
        row.resize(static_cast<size_t>(count));
        for (int64_t k = 0; k < count; ++k)
          row[static_cast<size_t>(k)] = {keys.data()[begin + k], static_cast<int32_t>(k)};
        std::sort(row.begin(), row.end(),
                  [](const RowEntry& a, const RowEntry& b) { return a.key < b.key; });
        RowEntry *first = row.data(), *last = first + count;
        for (RowEntry *run = first, *end; run < last; run = end) {
          for (end = run + 1; end < last && end->key == run->key;) ++end;
          if (end > run + 1) order_run(run, end, edge.data() + begin, tie, tied);
        }
        for (int64_t k = 0; k < count; ++k)
          ranks.data[begin + row[static_cast<size_t>(k)].at] = static_cast<int32_t>(k) + 1;
      }
    }
  }
  return ranks.release();
}

}  // namespace

void bind_triangles(nb::module_& m) {
  using namespace nb::literals;
  m.def("edge_triangles", &edge_triangles, "indptr"_a, "indices"_a, "edge_of_arc"_a, "threads"_a);
  m.def("edge_overlaps", &edge_overlaps, "indptr"_a, "indices"_a, "weights"_a, "u"_a, "v"_a,
        "product"_a, "threads"_a);
  m.def("prefix_overlaps", &prefix_overlaps, "indptr"_a, "node"_a, "rank"_a, "u"_a, "v"_a,
        "threads"_a);
  m.def("row_ranks", &row_ranks, "indptr"_a, "keys"_a, "edge"_a, "ties"_a, "threads"_a);
}

}  // namespace gs

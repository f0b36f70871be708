// Spanners by levels: a shortest-path forest, then edges whose detour is too long.
//   shortest_path_forest   distances from the root of each component
//   spanner_level          the edges of a list that have no detour of t times their length
#include <queue>

#include "cpu/bindings.hpp"
#include "cpu/parallel.hpp"

namespace gs {
namespace {

struct Lengths {
  CsrView<int32_t> arcs;
  const int32_t* edge;
  const double* length;  // of each edge, or null: all one
  double of(int64_t arc) const { return length ? length[edge[arc]] : 1.0; }
};

using Entry = std::pair<double, int32_t>;
using Heap = std::priority_queue<Entry, std::vector<Entry>, std::greater<Entry>>;

NumpyArray<double> shortest_path_forest(In<int64_t> indptr, In<int32_t> indices,
                                        In<int32_t> edge_of_arc, In<double> length,
                                        In<int32_t> roots) {
  const CsrView<int32_t> arcs = view(indptr, indices);
  const Lengths g{arcs, edge_of_arc.data(), length.shape(0) ? length.data() : nullptr};
  Fresh<double> dist(arcs.num_nodes);
  {
    nb::gil_scoped_release free;
    std::fill(dist.data.get(), dist.data.get() + arcs.num_nodes,
              std::numeric_limits<double>::infinity());
    Heap heap;
    for (size_t k = 0; k < roots.shape(0); ++k) {
      check_signals();
      dist.data[roots.data()[k]] = 0.0;
      heap.push({0.0, roots.data()[k]});
      while (!heap.empty()) {
        const auto [d, v] = heap.top();
        heap.pop();
        if (d > dist.data[v]) continue;
        for (int64_t i = arcs.begin(v); i < arcs.end(v); ++i) {
          const double far = d + g.of(i);
          if (far >= dist.data[arcs.indices[i]]) continue;
          dist.data[arcs.indices[i]] = far;
          heap.push({far, arcs.indices[i]});
        }
      }
    }
  }
  return dist.release();
}

// A growing sub-graph: rows have room for all their edges from the start.
class Subgraph {
 public:
  Subgraph(const int64_t* indptr, int64_t n)
      : indptr_(indptr),
        end_(indptr, indptr + n),
        other_(static_cast<size_t>(indptr[n])),
        length_(static_cast<size_t>(indptr[n])) {}
  void add(int32_t u, int32_t v, double length) {
    put(u, v, length);
    put(v, u, length);
  }
  int64_t begin(int32_t v) const { return indptr_[v]; }
  int64_t end(int32_t v) const { return end_[static_cast<size_t>(v)]; }
  int32_t other(int64_t i) const { return other_[static_cast<size_t>(i)]; }
  double length(int64_t i) const { return length_[static_cast<size_t>(i)]; }

 private:
  void put(int32_t u, int32_t v, double length) {
    const size_t at = static_cast<size_t>(end_[static_cast<size_t>(u)]++);
    other_[at] = v;
    length_[at] = length;
  }
  const int64_t* indptr_;
  std::vector<int64_t> end_;
  std::vector<int32_t> other_;
  std::vector<double> length_;
};

// Marks of one thread; an entry is valid if it bears the number of the search.
struct Marks {
  explicit Marks(int64_t n) : stamp(static_cast<size_t>(n), 0), dist(static_cast<size_t>(n)) {}
  std::vector<int64_t> stamp;
  std::vector<double> dist;
  std::vector<int32_t> first, second, next;
  int64_t search = 0;
};

// Whether a path of at most `limit` edges joins u and v: two frontiers, the one with fewer edge
// ends grows.
bool near_hops(const Subgraph& h, int32_t u, int32_t v, int64_t limit, Marks& s) {
  s.search += 2;  // nodes of u's side bear the number, those of v's side the next one
  s.first.assign(1, u);
  s.second.assign(1, v);
  s.stamp[static_cast<size_t>(u)] = s.search;
  s.stamp[static_cast<size_t>(v)] = s.search + 1;
  const auto ends = [&](const std::vector<int32_t>& side) {
    int64_t sum = 0;
    for (const int32_t x : side) sum += h.end(x) - h.begin(x);
    return sum;
  };
  for (int64_t hop = 0; hop < limit; ++hop) {
    const bool lower = ends(s.first) <= ends(s.second);
    std::vector<int32_t>& side = lower ? s.first : s.second;
    const int64_t mine = s.search + (lower ? 0 : 1), theirs = s.search + (lower ? 1 : 0);
    s.next.clear();
    for (const int32_t x : side)
      for (int64_t i = h.begin(x); i < h.end(x); ++i) {
        int64_t& stamp = s.stamp[static_cast<size_t>(h.other(i))];
        if (stamp == theirs) return true;
        if (stamp == mine) continue;
        stamp = mine;
        s.next.push_back(h.other(i));
      }
    if (s.next.empty()) return false;
    side.swap(s.next);
  }
  return false;
}

// Whether a path of length at most `limit` joins u and v; lengths add up from u outward.
bool near_length(const Subgraph& h, int32_t u, int32_t v, double limit, Marks& s) {
  const int64_t search = ++s.search;
  Heap heap;
  s.stamp[static_cast<size_t>(u)] = search;
  s.dist[static_cast<size_t>(u)] = 0.0;
  heap.push({0.0, u});
  while (!heap.empty()) {
    const auto [d, x] = heap.top();
    heap.pop();
    if (x == v) return true;
    if (d > s.dist[static_cast<size_t>(x)]) continue;
    for (int64_t i = h.begin(x); i < h.end(x); ++i) {
      const size_t y = static_cast<size_t>(h.other(i));
      const double far = d + h.length(i);
      if (far > limit || (s.stamp[y] == search && s.dist[y] <= far)) continue;
      s.stamp[y] = search;
      s.dist[y] = far;
      heap.push({far, h.other(i)});
    }
  }
  return false;
}

// The list of edges that a spanner may take, and what it has taken.
class Spanner {
 public:
  Spanner(In<int64_t> indptr, In<int32_t> u, In<int32_t> v, In<double> length)
      : indptr_(indptr.data(), indptr.data() + indptr.shape(0)),
        u_(u.data(), u.data() + u.shape(0)),
        v_(v.data(), v.data() + v.shape(0)),
        length_(length.data(), length.data() + length.shape(0)),
        num_nodes_(static_cast<int64_t>(indptr.shape(0)) - 1),
        kept_(indptr_.data(), num_nodes_) {}

  void add(In<int64_t> edges) {
    for (size_t k = 0; k < edges.shape(0); ++k) take(edges.data()[k]);
  }

  // Mask over `edges`: those without a detour of t lengths, which are added in their order.  Blocks
  // are tested side by side against what was there before; only survivors are tested again.
  NumpyArray<bool> level(In<int64_t> edges, double t, int num_threads) {
    const int64_t count = static_cast<int64_t>(edges.shape(0));
    Fresh<bool> added(count);
    {
      nb::gil_scoped_release free;
      const int threads = threads_for(count, num_threads);
      while (static_cast<int>(marks_.size()) < threads) marks_.emplace_back(num_nodes_);
      constexpr int64_t block = 1 << 12;
      for (int64_t start = 0; start < count; start += block) {
        check_signals();
        const int64_t stop = std::min(count, start + block);
#pragma omp parallel for num_threads(threads) schedule(dynamic, 16)
        for (int64_t k = start; k < stop; ++k)
          added.data[k] =
              !has_detour(edges.data()[k], t, marks_[static_cast<size_t>(omp_get_thread_num())]);
        bool grown = false;
        for (int64_t k = start; k < stop; ++k) {
          if (!added.data[k]) continue;
          added.data[k] = !grown || !has_detour(edges.data()[k], t, marks_[0]);
          if (added.data[k]) take(edges.data()[k]);
          grown = grown || added.data[k];
        }
      }
    }
    return added.release();
  }

 private:
  double length(int64_t e) const { return length_.empty() ? 1.0 : length_[static_cast<size_t>(e)]; }
  void take(int64_t e) {
    kept_.add(u_[static_cast<size_t>(e)], v_[static_cast<size_t>(e)], length(e));
  }
  bool has_detour(int64_t e, double t, Marks& marks) const {
    const int32_t u = u_[static_cast<size_t>(e)], v = v_[static_cast<size_t>(e)];
    if (length_.empty()) return near_hops(kept_, u, v, static_cast<int64_t>(t), marks);
    return near_length(kept_, u, v, t * length(e), marks);
  }

  std::vector<int64_t> indptr_;
  std::vector<int32_t> u_, v_;
  std::vector<double> length_;
  int64_t num_nodes_;
  Subgraph kept_;
  std::vector<Marks> marks_;
};

}  // namespace

void bind_spanner(nb::module_& m) {
  using namespace nb::literals;
  m.def("shortest_path_forest", &shortest_path_forest, "indptr"_a, "indices"_a, "edge_of_arc"_a,
        "length"_a, "roots"_a);
  nb::class_<Spanner>(m, "Spanner")
      .def(nb::init<In<int64_t>, In<int32_t>, In<int32_t>, In<double>>(), "indptr"_a, "u"_a, "v"_a,
           "length"_a)
      .def("add", &Spanner::add, "edges"_a)
      .def("level", &Spanner::level, "edges"_a, "t"_a, "threads"_a);
}

}  // namespace gs

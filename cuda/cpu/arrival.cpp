// Edges in the order in which a procedure takes them.
//   rank_degree_order   rounds of seeds that follow their edges to the nodes of highest degree
//   forest_levels       which of the successive spanning forests an edge belongs to
#include <memory>

#include "cpu/bindings.hpp"
#include "cpu/parallel.hpp"
#include "cpu/union_find.hpp"

namespace gs {
namespace {

// Rows of edges in each node's own order of preference.
struct Preferences {
  const int64_t* indptr;
  const int32_t *other, *edge;
  int64_t num_nodes, num_edges;
  bool directed;
};

struct Pick {
  int64_t position;
  uint64_t tie;
  int32_t edge, tail, head;
  bool operator<(const Pick& o) const {
    return position != o.position ? position < o.position : tie < o.tie;
  }
};

class RankDegree {
 public:
  RankDegree(const Preferences& rows, const uint64_t* ties, const int32_t* cycle, double share,
             int64_t seeds)
      : rows_(rows), ties_(ties), cycle_(cycle), share_(share), seeds_(seeds) {
    const size_t n = static_cast<size_t>(rows.num_nodes);
    front_.assign(rows.indptr, rows.indptr + n);
    left_.resize(n);
    for (size_t v = 0; v < n; ++v) left_[v] = rows.indptr[v + 1] - rows.indptr[v];
    alive_.assign(static_cast<size_t>(rows.num_edges), 1);
    stamp_.assign(n, -1);
  }

  void run(int64_t* arrival) {
    std::vector<int32_t> seeds;
    std::vector<Pick> picks;
    for (int64_t arrived = 0, round = 0; arrived < rows_.num_edges; ++round) {
      if (round % 1024 == 0) check_signals();
      if (seeds.empty()) jump(seeds);
      picks.clear();
      for (const int32_t w : seeds) pick(w, picks);
      std::sort(picks.begin(), picks.end());
      for (const Pick& p : picks) {
        char& alive = alive_[static_cast<size_t>(p.edge)];
        if (!alive) continue;  // its other end took it too, at a better place
        alive = 0;
        arrival[p.edge] = arrived++;
        --left_[static_cast<size_t>(p.tail)];
        if (!rows_.directed) --left_[static_cast<size_t>(p.head)];
      }
      seeds.clear();
      for (const Pick& p : picks) {
        int64_t& stamp = stamp_[static_cast<size_t>(p.head)];
        if (stamp == round || left_[static_cast<size_t>(p.head)] == 0) continue;
        stamp = round;
        seeds.push_back(p.head);
      }
    }
  }

 private:
  // The next nodes of the cycle that have edges.
  void jump(std::vector<int32_t>& seeds) {
    for (int64_t k = 0; k < rows_.num_nodes && static_cast<int64_t>(seeds.size()) < seeds_; ++k) {
      const int32_t v = cycle_[at_];
      at_ = at_ + 1 == rows_.num_nodes ? 0 : at_ + 1;
      if (left_[static_cast<size_t>(v)] > 0) seeds.push_back(v);
    }
  }

  void pick(int32_t w, std::vector<Pick>& picks) {
    int64_t& front = front_[static_cast<size_t>(w)];
    const int64_t end = rows_.indptr[w + 1], left = left_[static_cast<size_t>(w)];
    while (front < end && !alive_[static_cast<size_t>(rows_.edge[front])]) ++front;
    const int64_t count =
        std::max<int64_t>(1, static_cast<int64_t>(share_ * static_cast<double>(left)));
    int64_t found = 0;
    for (int64_t i = front; i < end && found < count; ++i) {
      const int32_t e = rows_.edge[i];
      if (alive_[static_cast<size_t>(e)])
        picks.push_back({found++, ties_[e], e, w, rows_.other[i]});
    }
  }

  Preferences rows_;
  const uint64_t* ties_;
  const int32_t* cycle_;
  double share_;
  int64_t seeds_, at_ = 0;
  std::vector<int64_t> front_, left_, stamp_;
  std::vector<char> alive_;
};

NumpyArray<int64_t> rank_degree_order(In<int64_t> indptr, In<int32_t> other, In<int32_t> edge,
                                      In<uint64_t> ties, In<int32_t> cycle, double share,
                                      int64_t seeds, bool directed) {
  const int64_t m = static_cast<int64_t>(ties.shape(0));
  const Preferences rows{
      indptr.data(), other.data(), edge.data(), static_cast<int64_t>(indptr.shape(0)) - 1, m,
      directed};
  Fresh<int64_t> arrival(m);
  {
    nb::gil_scoped_release free;
    RankDegree(rows, ties.data(), cycle.data(), share, seeds).run(arrival.data.get());
  }
  return arrival.release();
}

// Level of every edge, from 1: it joins the first forest that does not yet connect its ends.  An
// edge of level j has ends of degree j or more, so forest j holds only those: nodes are numbered
// by falling degree (`place`), `wide[j]` of them have degree j or more, and all forests together
// take 2m entries.
NumpyArray<int32_t> forest_levels(In<int64_t> order, In<int32_t> place_u, In<int32_t> place_v,
                                  In<int64_t> wide, int64_t most) {
  const int64_t m = static_cast<int64_t>(order.shape(0));
  Fresh<int32_t> level(m);
  {
    nb::gil_scoped_release free;
    std::vector<std::unique_ptr<UnionFind>> forests;
    for (int64_t k = 0; k < m; ++k) {
      if (k % (1 << 16) == 0) check_signals();
      const int64_t e = order.data()[k];
      const int32_t u = place_u.data()[e], v = place_v.data()[e];
      // Forests are nested in what they connect: find the first that does not join u and v.
      size_t lo = 0, hi = forests.size();
      while (lo < hi) {
        const size_t mid = lo + (hi - lo) / 2;
        const bool inside = std::max(u, v) < wide.data()[mid + 1];
        if (inside && forests[mid]->find(u) == forests[mid]->find(v))
          lo = mid + 1;
        else
          hi = mid;
      }
      if (static_cast<int64_t>(lo) < most) {
        if (lo == forests.size())
          forests.push_back(std::make_unique<UnionFind>(wide.data()[lo + 1]));
        forests[lo]->unite(u, v);
      }
      level.data[e] = static_cast<int32_t>(lo) + 1;
    }
  }
  return level.release();
}

}  // namespace

void bind_arrival(nb::module_& m) {
  using namespace nb::literals;
  m.def("rank_degree_order", &rank_degree_order, "indptr"_a, "other"_a, "edge"_a, "ties"_a,
        "cycle"_a, "share"_a, "seeds"_a, "directed"_a);
  m.def("forest_levels", &forest_levels, "order"_a, "place_u"_a, "place_v"_a, "wide"_a, "most"_a);
}

}  // namespace gs

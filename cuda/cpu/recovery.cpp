// Off-tree edges of the tree sparsifier: most critical first, each one closing the balls round its
// ends for the rest of the pass.
#include <algorithm>
#include <map>

#include "cpu/bindings.hpp"
#include "cpu/hashed_sort.hpp"
#include "cpu/parallel.hpp"

namespace gs {
namespace {

// The growing sparsifier: neighbours in ascending order.
class Sparsifier {
 public:
  // Edges come by u < v, so that each row of the forest fills in ascending order.
  Sparsifier(int64_t n, const std::vector<bool>& in_tree, const int32_t* u, const int32_t* v) {
    const int64_t m = static_cast<int64_t>(in_tree.size());
    ptr_.resize(n + 2, 0);
    added_.resize(n, -1);
    for (int64_t e = 0; e < m; ++e)
      if (in_tree[e]) ++ptr_[u[e] + 2], ++ptr_[v[e] + 2];
    for (int64_t x = 0; x < n; ++x) ptr_[x + 2] += ptr_[x + 1];
    nbr_.resize_raw(ptr_[n + 1]);
    for (int64_t e = 0; e < m; ++e) {
      if (!in_tree[e]) continue;
      nbr_[ptr_[u[e] + 1]++] = v[e];
      nbr_[ptr_[v[e] + 1]++] = u[e];
    }
  }

  void add(int32_t u, int32_t v) {
    insert(u, v);
    insert(v, u);
  }

  // Calls visit(y) on the neighbours of x in ascending order until it returns false.
  template <class Visit>
  void neighbours(int32_t x, Visit visit) const {
    int32_t j = added_[x];
    for (int64_t i = ptr_[x]; i < ptr_[x + 1]; ++i) {
      for (; j >= 0 && links_[j].to < nbr_[i]; j = links_[j].next)
        if (!visit(links_[j].to)) return;
      if (!visit(nbr_[i])) return;
    }
    for (; j >= 0; j = links_[j].next)
      if (!visit(links_[j].to)) return;
  }

  void prefetch(int32_t x) const {
    __builtin_prefetch(&ptr_[x]);
    __builtin_prefetch(&added_[x]);
  }

 private:
  struct Link {
    int32_t to, next;
  };
  void insert(int32_t x, int32_t y) {
    int32_t before = -1, at = added_[x];
    while (at >= 0 && links_[at].to < y) before = std::exchange(at, links_[at].next);
    const auto fresh = static_cast<int32_t>(links_.size());
    links_.push_back({y, at});
    (before < 0 ? added_[x] : links_[before].next) = fresh;
  }
  Buffer<int64_t> ptr_;
  Buffer<int32_t> nbr_, added_;  // added_: first of a list of recovered neighbours, -1: none
  Buffer<Link> links_;
};

// Breadth-first balls; `seen` remembers which ball a node was last put in.
class Balls {
 public:
  Balls(int64_t n, int radius, int64_t cap) : radius_(radius), cap_(cap) { seen_.resize(n, 0); }

  // Adds to `out` the ball of s: at most cap nodes within radius hops.
  void collect(const Sparsifier& h, int32_t s, std::vector<int32_t>& out) {
    ++stamp_;
    const size_t first = out.size();
    out.push_back(s);
    seen_[s] = stamp_;
    size_t at = first, layer_end = out.size();
    for (int hop = 0; hop < radius_ && at < layer_end; ++hop, layer_end = out.size())
      for (; at < layer_end; ++at) {
        if (full(out.size() - first)) return;
        h.neighbours(out[at], [&](int32_t y) {
          if (seen_[y] != stamp_) {
            seen_[y] = stamp_;
            out.push_back(y);
          }
          return !full(out.size() - first);
        });
      }
  }

 private:
  bool full(size_t size) const { return static_cast<int64_t>(size) >= cap_; }
  int radius_;
  int64_t cap_;
  int64_t stamp_ = 0;
  Buffer<int64_t> seen_;
};

// Take an edge in pass p if both ends were closed in fewer than p balls; all passes scan the same
// list.  An edge that fails waits in the list of the first pass that could take it, so that
// passes in which nothing changes for it cost nothing.  Marks only grow: this is the plain scan.
std::vector<int64_t> recover(const Buffer<Keyed>& order, const int32_t* u, const int32_t* v,
                             Sparsifier& h, Balls& balls, int64_t n, int64_t budget) {
  constexpr int64_t ahead = 12;
  std::vector<int64_t> taken;
  Buffer<int32_t> mark;
  mark.resize(n, 0);
  std::vector<int32_t> ball;
  std::map<int32_t, std::vector<int64_t>> waiting;
  const auto scan = [&](int64_t rank, int32_t pass) {
    const int64_t e = order[rank].id;
    const int32_t first = std::max(mark[u[e]], mark[v[e]]) + 1;
    if (first > pass) {
      waiting[first].push_back(rank);
      return;
    }
    ball.clear();
    balls.collect(h, u[e], ball);
    balls.collect(h, v[e], ball);
    std::sort(ball.begin(), ball.end());
    ball.erase(std::unique(ball.begin(), ball.end()), ball.end());
    for (const int32_t x : ball) ++mark[x];
    h.add(u[e], v[e]);
    taken.push_back(e);
  };
  const auto done = [&] { return static_cast<int64_t>(taken.size()) >= budget; };
  for (int64_t rank = 0; rank < order.size() && !done(); ++rank) {
    if (rank + 2 * ahead < order.size()) {
      __builtin_prefetch(u + order[rank + 2 * ahead].id);
      __builtin_prefetch(v + order[rank + 2 * ahead].id);
    }
    if (rank + ahead < order.size())
      for (const int32_t x : {u[order[rank + ahead].id], v[order[rank + ahead].id]}) {
        __builtin_prefetch(&mark[x]);
        h.prefetch(x);
      }
    scan(rank, 1);
  }
  while (!done() && !waiting.empty()) {
    const int32_t pass = waiting.begin()->first;
    std::vector<int64_t> list = std::move(waiting.begin()->second);
    waiting.erase(waiting.begin());
    std::sort(list.begin(), list.end());
    for (size_t i = 0; i < list.size() && !done(); ++i) scan(list[i], pass);
    check_signals();
  }
  return taken;
}

// Off-tree edges in the order taken, at most `budget`.
NumpyArray<int64_t> recover_edges(In<int32_t> u, In<int32_t> v, In<double> stretch,
                                  In<int64_t> tree, int64_t n, int64_t budget, int radius,
                                  int64_t cap, uint64_t seed) {
  const int64_t m = static_cast<int64_t>(u.shape(0));
  std::vector<int64_t> taken;
  {
    nb::gil_scoped_release free;
    std::vector<bool> in_tree(static_cast<size_t>(m), false);
    for (size_t i = 0; i < tree.shape(0); ++i) in_tree[tree.data()[i]] = true;
    Buffer<Keyed> order;
    order.reserve(m - static_cast<int64_t>(tree.shape(0)));
    for (int64_t e = 0; e < m; ++e) {
      if (in_tree[e]) continue;
      order.push_back({descending(stretch.data()[e]), e});
    }
    sort_hashed_ties(order, seed, [](int64_t e) { return e; });
    check_signals();
    Sparsifier h(n, in_tree, u.data(), v.data());
    Balls balls(n, radius, cap);
    taken = recover(order, u.data(), v.data(), h, balls, n, budget);
  }
  Fresh<int64_t> out(static_cast<int64_t>(taken.size()));
  std::copy(taken.begin(), taken.end(), out.data.get());
  return out.release();
}

}  // namespace

void bind_recovery(nb::module_& m) {
  using namespace nb::literals;
  m.def("recover_edges", &recover_edges, "u"_a, "v"_a, "stretch"_a, "tree"_a, "n"_a, "budget"_a,
        "radius"_a, "cap"_a, "seed"_a);
}

}  // namespace gs

#include "cpu/breadth_first.hpp"

#include "cpu/hashed_sort.hpp"

namespace gs {
namespace {

// The queue tells what comes next, so that rows are on their way when their turn comes.
class Queue {
 public:
  Queue(const CsrView<int32_t>& g, Buffer<int32_t>& order, Buffer<int32_t>& depth)
      : g_(g), order_(order), depth_(depth) {}

  void run(int32_t root) {
    int64_t at = order_.size();
    put(root, 0);
    for (; at < order_.size(); ++at) {
      look_ahead(at);
      const int32_t x = order_[at], below = depth_[x] + 1;
      for (int64_t i = g_.begin(x); i < g_.end(x); ++i)
        if (depth_[g_.indices[i]] < 0) put(g_.indices[i], below);
    }
  }

 private:
  static constexpr int64_t kAhead = 8;

  void put(int32_t x, int32_t depth) {
    depth_[x] = depth;
    order_.push_back(x);
  }
  void look_ahead(int64_t at) const {
    if (at + 3 * kAhead < order_.size()) __builtin_prefetch(g_.indptr + order_[at + 3 * kAhead]);
    if (at + 2 * kAhead < order_.size())
      __builtin_prefetch(g_.indices + g_.begin(order_[at + 2 * kAhead]));
    if (at + kAhead >= order_.size()) return;
    const int32_t x = order_[at + kAhead];
    const int64_t most = std::min(g_.begin(x) + kAhead, g_.end(x));
    for (int64_t i = g_.begin(x); i < most; ++i) __builtin_prefetch(&depth_[g_.indices[i]]);
  }

  const CsrView<int32_t>& g_;
  Buffer<int32_t>& order_;
  Buffer<int32_t>& depth_;
};

// The first root first; the others, if any, by degree.
void visit(const CsrView<int32_t>& g, Buffer<int32_t>& order, Buffer<int32_t>& depth) {
  const int64_t n = g.num_nodes;
  Buffer<Keyed> by_degree, scratch;
  by_degree.resize_raw(n);
  for (int64_t x = 0; x < n; ++x)
    by_degree[x] = {~static_cast<uint64_t>((g.end(x) - g.begin(x))), x};
  radix_sort(by_degree.data(), n, scratch);
  Queue queue(g, order, depth);
  for (const Keyed& root : by_degree) {
    if (order.size() == n) break;
    if (depth[root.id] < 0) queue.run(static_cast<int32_t>(root.id));
  }
}

}  // namespace

BreadthFirst breadth_first(const CsrView<int32_t>& g, const int32_t* u, const int32_t* v,
                           int64_t num_edges) {
  constexpr int64_t ahead = 16;
  const int64_t n = g.num_nodes;
  BreadthFirst out;
  Buffer<int32_t> depth, rank;
  depth.resize(n, -1);
  out.order.reserve(n);
  visit(g, out.order, depth);
  out.depth.resize_raw(n);
  rank.resize_raw(n);
  for (int64_t i = 0; i < n; ++i) {
    if (i + ahead < n) {
      __builtin_prefetch(&depth[out.order[i + ahead]]);
      __builtin_prefetch(&rank[out.order[i + ahead]], 1);
    }
    out.depth[i] = depth[out.order[i]];
    rank[out.order[i]] = static_cast<int32_t>(i);
  }
  Buffer<int64_t> first;
  first.resize(n + 1, 0);
  for (int64_t e = 0; e < num_edges; ++e) ++first[u[e] + 1];
  for (int64_t x = 0; x < n; ++x) first[x + 1] += first[x];
  out.edges.reserve(num_edges);
  for (int64_t i = 0; i < n; ++i) {
    if (i + 2 * ahead < n) __builtin_prefetch(&first[out.order[i + 2 * ahead]]);
    if (i + ahead < n) __builtin_prefetch(v + first[out.order[i + ahead]]);
    if (i + ahead / 2 < n) {
      const int32_t y = out.order[i + ahead / 2];
      for (int64_t e = first[y]; e < first[y + 1]; ++e) __builtin_prefetch(&rank[v[e]]);
    }
    const int32_t x = out.order[i];
    for (int64_t e = first[x]; e < first[x + 1]; ++e)
      out.edges.push_back({static_cast<int32_t>(i), rank[v[e]], e});
  }
  return out;
}

}  // namespace gs

#include "cpu/net_batch.hpp"

namespace gs {
namespace {

constexpr int64_t kNew = -2, kUntouched = -1;  // in place of a last operation

// Pairs of one batch in the order of their first operation.
class Pairs {
 public:
  explicit Pairs(int64_t most) {
    int64_t slots = 16;
    while (slots < 2 * most) slots *= 2;
    slots_.resize(slots, -1);
    pairs_.reserve(static_cast<size_t>(most));
  }

  int32_t index(int32_t u, int32_t v) {
    const uint64_t mask = static_cast<uint64_t>(slots_.size()) - 1;
    uint64_t i = mix64(edge_code(static_cast<uint64_t>(u), static_cast<uint64_t>(v))) & mask;
    for (; slots_[i] >= 0; i = (i + 1) & mask) {
      const NetEdit& pair = pairs_[slots_[i]];
      if (pair.u == u && pair.v == v) return slots_[i];
    }
    slots_[i] = static_cast<int32_t>(pairs_.size());
    pairs_.push_back({kNew, 0.0, 0.0, u, v, -1});
    return slots_[i];
  }
  NetEdit& operator[](int32_t i) { return pairs_[i]; }

 private:
  Buffer<int32_t> slots_;
  std::vector<NetEdit> pairs_;
};

void note(int64_t& count, int64_t& first, int64_t at) {
  if (count++ == 0) first = at;
}

// Ignored operations (a missing edge deleted, nothing inserted) do not count as the pair's last.
void apply(NetBatch& net, NetEdit& pair, uint8_t op, double w, int64_t at) {
  if (op == kInsert && w == 0.0) {
    ++net.zeros;
    return;
  }
  if (op != kInsert && w == 0.0 && pair.after == 0.0) {
    note(net.missing, net.first_missing, at);
    return;
  }
  pair.op = at;
  pair.after = op == kInsert ? pair.after + w : w;
  if (pair.after > kMaxWeight && net.first_overflow < 0) net.first_overflow = at;
}

}  // namespace

NetBatch net_effects(const EdgeTable& edges, const uint8_t* ops, const int64_t* u, const int64_t* v,
                     const double* w, int64_t size) {
  constexpr int64_t ahead = 16;
  NetBatch net;
  net.size = size;
  Pairs pairs(size);
  std::vector<int32_t> of(static_cast<size_t>(size), -1);
  for (int64_t i = 0; i < size; ++i) {
    if (i + ahead < size) {
      const int64_t a = u[i + ahead], b = v[i + ahead];
      edges.prefetch(static_cast<int32_t>(std::min(a, b)), static_cast<int32_t>(std::max(a, b)));
    }
    if (u[i] == v[i]) {
      note(net.loops, net.first_loop, i);
      continue;
    }
    const auto a = static_cast<int32_t>(std::min(u[i], v[i]));
    const auto b = static_cast<int32_t>(std::max(u[i], v[i]));
    of[i] = pairs.index(a, b);
    NetEdit& pair = pairs[of[i]];
    if (pair.op == kNew) {
      pair.op = kUntouched;
      pair.eid = edges.find(a, b);
      if (pair.eid >= 0) pair.before = pair.after = edges[pair.eid].w;
    }
    apply(net, pair, ops[i], w[i], i);
  }
  for (int64_t i = 0; i < size; ++i) {
    if (of[i] < 0) continue;
    const NetEdit& pair = pairs[of[i]];
    if (pair.op != i) continue;
    if (pair.before == pair.after)
      ++net.unchanged;
    else if (pair.after == 0.0)
      net.deletions.push_back(pair);
    else
      (pair.before == 0.0 ? net.insertions : net.changes).push_back(pair);
  }
  return net;
}

}  // namespace gs

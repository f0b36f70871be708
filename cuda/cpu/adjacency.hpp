// The adjacency lists of one graph (G or H) over a shared edge table: rows with slack in one pool,
// O(1) insertion and deletion, freed blocks reused by size, compaction when half the pool is idle.
#pragma once
#include <array>

#include "core/slack_csr.hpp"
#include "cpu/edge_table.hpp"
#include "cpu/journal.hpp"

namespace gs {

class Adjacency {
 public:
  Adjacency(EdgeTable& edges, Side side) : edges_(edges), side_(side) { free_.fill(-1); }

  SlackView view() const { return {nodes_.data(), pool_.data()}; }
  int64_t num_nodes() const { return nodes_.size(); }
  int32_t degree(int32_t x) const { return nodes_[x].deg; }
  int32_t core_degree(int32_t x) const { return nodes_[x].core_deg; }
  const Entry* row(int32_t x) const { return pool_.data() + nodes_[x].beg; }
  int64_t pool_size() const { return pool_.size(); }
  int64_t pool_need() const { return need_; }
  Journal& journal() { return journal_; }
  bool holds(int32_t e) const { return edges_[e].pos[side_] >= 0; }

  // Where edge e stands in the row of its end x.
  int32_t position(int32_t e, int32_t x) const { return edges_[e].pos[slot(e, x)]; }
  const Entry& entry(int32_t e, int32_t x) const { return row(x)[position(e, x)]; }
  bool is_core(int32_t e) const { return edges_[e].pos[side_] < nodes_[edges_[e].u].core_deg; }

  void prefetch_node(int32_t x) const { __builtin_prefetch(&nodes_[x], 1); }
  void prefetch_end(int32_t x) const {
    __builtin_prefetch(&pool_[nodes_[x].beg] + nodes_[x].deg, 1);
  }

  void grow_nodes(int64_t n) {
    const int64_t old = nodes_.size();
    nodes_.reserve(n);
    capacity_.reserve(n);
    reserve_pool(pool_.size() + (n - old));
    for (int64_t x = old; x < n; ++x) {
      nodes_.push_back({allocate(0), 0, 0});
      capacity_.push_back(0);
      journal_.node(static_cast<int32_t>(x));
    }
    need_ += n - old;
  }

  // Lay out empty rows for known final degrees; the pool gets room to grow.
  void layout(const Buffer<int32_t>& degree) {
    pool_.clear();
    free_.fill(-1);
    int64_t total = 0;
    for (int32_t d : degree) total += int64_t{1} << log2_room(d);
    reserve_pool(total + total / 4 + 64);
    nodes_.resize_raw(degree.size());
    capacity_.resize_raw(degree.size());
    for (int64_t x = 0; x < degree.size(); ++x) {
      capacity_[x] = log2_room(degree[x]);
      nodes_[x] = {allocate(capacity_[x]), 0, 0};
    }
    need_ = nodes_.size();
    journal_.everything();
  }

  // Append e to the rows of both ends.
  void insert(int32_t e) {
    const int32_t u = edges_[e].u, v = edges_[e].v;
    const double r = 1.0 / edges_[e].w;
    append(u, {v, e, r}, 0);
    append(v, {u, e, r}, 1);
  }

  // Take e out of both rows; the last entry of a row fills the hole.
  void remove(int32_t e) {
    remove_at(edges_[e].u, edges_[e].pos[side_]);
    remove_at(edges_[e].v, edges_[e].pos[side_ + 1]);
    edges_[e].pos[side_] = edges_[e].pos[side_ + 1] = -1;
  }

  void set_resistance(int32_t e, double r) {
    for (int32_t x : {edges_[e].u, edges_[e].v}) {
      const int64_t at = nodes_[x].beg + position(e, x);
      pool_[at].r = r;
      journal_.slot(at);
    }
  }

  // An edge enters the core by swapping with the first pendant entry of each row ...
  void enter_core(int32_t e) {
    for (int32_t x : {edges_[e].u, edges_[e].v}) {
      exchange(x, position(e, x), nodes_[x].core_deg++);
      journal_.node(x);
    }
  }
  // ... and leaves it by swapping with the last core entry.
  void leave_core(int32_t e) {
    for (int32_t x : {edges_[e].u, edges_[e].v}) {
      exchange(x, position(e, x), --nodes_[x].core_deg);
      journal_.node(x);
    }
  }

  // Put entry `at` of row x at position `to`; used when a saved order is restored.
  void write(int32_t x, int32_t to, const Entry& entry) {
    pool_[nodes_[x].beg + to] = entry;
    journal_.slot(nodes_[x].beg + to);
    edges_[entry.eid].pos[slot(entry.eid, x)] = to;
  }
  void set_degrees(int32_t x, int32_t degree, int32_t core) {
    need_ += (int64_t{1} << log2_room(degree)) - (int64_t{1} << log2_room(nodes_[x].deg));
    nodes_[x].deg = degree;
    nodes_[x].core_deg = core;
    journal_.node(x);
  }

  void compact_if_idle() {
    if (pool_.size() <= 2 * need_ + 1024) return;
    Buffer<Entry> old;
    old.swap(pool_);
    free_.fill(-1);
    journal_.everything();
    reserve_pool(need_ + need_ / 4 + 64);
    for (int64_t x = 0; x < nodes_.size(); ++x) {
      const Entry* from = old.data() + nodes_[x].beg;
      capacity_[x] = log2_room(nodes_[x].deg);
      nodes_[x].beg = allocate(capacity_[x]);
      std::copy(from, from + nodes_[x].deg, pool_.data() + nodes_[x].beg);
    }
  }

 private:
  // Smallest power of two above the degree.
  static uint8_t log2_room(int32_t degree) {
    return degree == 0 ? 0
                       : static_cast<uint8_t>(32 - __builtin_clz(static_cast<uint32_t>(degree)));
  }

  int32_t slot(int32_t e, int32_t x) const { return side_ + (edges_[e].u == x ? 0 : 1); }

  void reserve_pool(int64_t entries) { pool_.reserve(entries); }

  // Freed blocks of one size form a list through the eid/nbr bits of their first entry.
  int64_t allocate(uint8_t log2_size) {
    int64_t& head = free_[log2_size];
    if (head >= 0) {
      const int64_t block = head;
      head = static_cast<int64_t>(
          (static_cast<uint64_t>(static_cast<uint32_t>(pool_[block].nbr)) << 32) |
          static_cast<uint32_t>(pool_[block].eid));
      return block;
    }
    const int64_t block = pool_.size();
    pool_.resize_raw(block + (int64_t{1} << log2_size));
    return block;
  }
  void release(int64_t block, uint8_t log2_size) {
    const uint64_t next = static_cast<uint64_t>(free_[log2_size]);
    pool_[block].nbr = static_cast<int32_t>(static_cast<uint32_t>(next >> 32));
    pool_[block].eid = static_cast<int32_t>(static_cast<uint32_t>(next));
    free_[log2_size] = block;
  }

  void append(int32_t x, const Entry& entry, int32_t end) {
    const int32_t d = nodes_[x].deg;
    const uint8_t room = log2_room(d + 1);
    need_ += (int64_t{1} << room) - (int64_t{1} << log2_room(d));
    if (room > capacity_[x]) move_row(x, room);
    pool_[nodes_[x].beg + d] = entry;
    nodes_[x].deg = d + 1;
    journal_.slot(nodes_[x].beg + d);
    journal_.node(x);
    edges_[entry.eid].pos[side_ + end] = d;
  }

  void move_row(int32_t x, uint8_t room) {
    const int64_t from = nodes_[x].beg;
    const int64_t to = allocate(room);
    std::copy(pool_.data() + from, pool_.data() + from + nodes_[x].deg, pool_.data() + to);
    release(from, capacity_[x]);
    capacity_[x] = room;
    nodes_[x].beg = to;
    journal_.block(to, nodes_[x].deg);
  }

  void remove_at(int32_t x, int32_t hole) {
    const int32_t last = --nodes_[x].deg;
    journal_.node(x);
    need_ += (int64_t{1} << log2_room(last)) - (int64_t{1} << log2_room(last + 1));
    if (hole != last) write(x, hole, pool_[nodes_[x].beg + last]);
  }

  void exchange(int32_t x, int32_t a, int32_t b) {
    if (a == b) return;
    const int64_t beg = nodes_[x].beg;
    const Entry first = pool_[beg + a];
    write(x, a, pool_[beg + b]);
    write(x, b, first);
  }

  EdgeTable& edges_;
  Side side_;
  Buffer<NodeRecord> nodes_;
  Buffer<uint8_t> capacity_;  // log2 of the block of each row
  Buffer<Entry> pool_;
  std::array<int64_t, 33> free_;
  int64_t need_ = 0;  // entries a fresh layout would take
  Journal journal_;
};

}  // namespace gs

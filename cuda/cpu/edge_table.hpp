// Edges of a changing graph: ends, weight, where they stand in the adjacency lists, and a hash map
// from a pair of nodes to its row.
#pragma once
#include "core/philox.hpp"
#include "cpu/buffer.hpp"

namespace gs {

// Positions are relative to the row of the node, so they survive a move of the row.
struct EdgeRecord {
  int32_t u, v;    // u < v; u = -1 in a free row, whose v is the next free row
  double w;        // conductance
  int32_t pos[4];  // in G at u, in G at v, in H at u, in H at v; -1: not there
};

enum Side : int32_t { kGraph = 0, kSparse = 2 };  // offset into EdgeRecord::pos

class EdgeTable {
 public:
  EdgeTable() { rehash(16); }

  EdgeRecord& operator[](int32_t e) { return rows_[e]; }
  const EdgeRecord& operator[](int32_t e) const { return rows_[e]; }
  int64_t rows() const { return rows_.size(); }
  int64_t count() const { return count_; }
  int32_t first_free() const { return free_; }
  bool alive(int32_t e) const { return rows_[e].u >= 0; }
  bool sparse(int32_t e) const { return rows_[e].pos[kSparse] >= 0; }
  int32_t other(int32_t e, int32_t x) const { return rows_[e].u ^ rows_[e].v ^ x; }

  void reserve(int64_t edges) {
    rows_.reserve(edges + edges / 8 + 16);
    int64_t capacity = slots_.size();
    while (capacity < 2 * edges) capacity *= 2;
    if (capacity > slots_.size()) rehash(capacity);
  }

  void prefetch(int32_t u, int32_t v) const { __builtin_prefetch(&slots_[tag(u, v) & mask_]); }
  void prefetch_row(int32_t e) const { __builtin_prefetch(&rows_[e], 1); }

  // Row of the edge u < v, or -1.
  int32_t find(int32_t u, int32_t v) const {
    const uint32_t want = tag(u, v);
    for (uint64_t i = want & mask_;; i = (i + 1) & mask_) {
      const Slot& slot = slots_[i];
      if (slot.eid < 0) return -1;
      if (slot.tag == want && rows_[slot.eid].u == u && rows_[slot.eid].v == v) return slot.eid;
    }
  }

  // A new edge u < v that is in no list yet.
  int32_t add(int32_t u, int32_t v, double w) {
    if ((count_ + 1) * 4 > slots_.size() * 3) rehash(slots_.size() * 2);
    int32_t e = free_;
    if (e >= 0)
      free_ = rows_[e].v;
    else {
      e = static_cast<int32_t>(rows_.size());
      rows_.resize_raw(rows_.size() + 1);
    }
    rows_[e] = {u, v, w, {-1, -1, -1, -1}};
    place({tag(u, v), e});
    ++count_;
    return e;
  }

  void erase(int32_t e) {
    unplace(e);
    rows_[e].u = -1;
    rows_[e].v = free_;
    free_ = e;
    --count_;
  }

  // Rows as saved: live ones are hashed, free ones are linked from `first_free`.
  void restore(Buffer<EdgeRecord> rows, int32_t first_free) {
    rows_ = std::move(rows);
    free_ = first_free;
    count_ = 0;
    slots_.clear();
    rehash(16);
    for (int32_t e = 0; e < rows_.size(); ++e) {
      if (!alive(e)) continue;
      if ((count_ + 1) * 2 > slots_.size()) rehash(slots_.size() * 2);
      place({tag(rows_[e].u, rows_[e].v), e});
      ++count_;
    }
  }

 private:
  // 32 bits of the hash; its low bits are the home slot, so a rehash never touches the rows.
  struct Slot {
    uint32_t tag;
    int32_t eid;
  };

  static uint32_t tag(int32_t u, int32_t v) {
    return static_cast<uint32_t>(
        mix64(edge_code(static_cast<uint64_t>(u), static_cast<uint64_t>(v))));
  }

  void place(Slot slot) {
    uint64_t i = slot.tag & mask_;
    while (slots_[i].eid >= 0) i = (i + 1) & mask_;
    slots_[i] = slot;
  }

  // Linear probing without tombstones: shift the rest of the run back.
  void unplace(int32_t e) {
    uint64_t hole = tag(rows_[e].u, rows_[e].v) & mask_;
    while (slots_[hole].eid != e) hole = (hole + 1) & mask_;
    for (uint64_t i = (hole + 1) & mask_; slots_[i].eid >= 0; i = (i + 1) & mask_) {
      const uint64_t home = slots_[i].tag & mask_;
      if (((i - home) & mask_) < ((i - hole) & mask_)) continue;
      slots_[hole] = slots_[i];
      hole = i;
    }
    slots_[hole].eid = -1;
  }

  void rehash(int64_t capacity) {
    Buffer<Slot> old;
    old.swap(slots_);
    slots_.resize(capacity, Slot{0, -1});
    mask_ = static_cast<uint64_t>(capacity) - 1;
    for (const Slot& slot : old)
      if (slot.eid >= 0) place(slot);
  }

  Buffer<EdgeRecord> rows_;
  Buffer<Slot> slots_;
  uint64_t mask_ = 0;
  int64_t count_ = 0;
  int32_t free_ = -1;
};

}  // namespace gs

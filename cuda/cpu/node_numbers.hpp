// Numbers of nodes in the order in which they were met: a hash table with linear probing.
#pragma once
#include <cstdint>
#include <vector>

namespace gs {

class NodeNumbers {
 public:
  explicit NodeNumbers(int64_t expected) { reserve(expected); }

  // Room for `count` keys with at least half of the places free.
  void reserve(int64_t count) {
    size_t places = 64;
    int bits = 6;
    while (places < 2 * static_cast<size_t>(count)) {
      places *= 2;
      ++bits;
    }
    if (places <= slots_.size()) return;
    std::vector<Slot> old(places);
    old.swap(slots_);
    shift_ = 64 - bits;
    for (const Slot& slot : old)
      if (slot.number >= 0) slots_[place(slot.key)] = slot;
  }

  void fetch(uint64_t key) const { __builtin_prefetch(slots_.data() + first(key)); }

  // The number of a key; a key that was not met before gets `next`.
  int64_t number(uint64_t key, int64_t next, bool* fresh) {
    if (next >= static_cast<int64_t>(slots_.size() / 2)) reserve(2 * next + 1);
    Slot& slot = slots_[place(key)];
    *fresh = slot.number < 0;
    if (*fresh) slot = {key, next};
    return slot.number;
  }

  // The number of a key, or -1.
  int64_t find(uint64_t key) const { return slots_[place(key)].number; }

 private:
  struct Slot {
    uint64_t key = 0;
    int64_t number = -1;
  };

  size_t first(uint64_t key) const {
    return static_cast<size_t>((key * 0x9E3779B97F4A7C15ull) >> shift_);
  }
  size_t place(uint64_t key) const {
    size_t at = first(key);
    while (slots_[at].number >= 0 && slots_[at].key != key) at = (at + 1) & (slots_.size() - 1);
    return at;
  }

  std::vector<Slot> slots_;
  int shift_ = 58;
};

}  // namespace gs

// Disjoint sets of nodes; the smallest number of a set stands for it.
#pragma once
#include <algorithm>
#include <numeric>

#include "cpu/buffer.hpp"

namespace gs {

class UnionFind {
 public:
  explicit UnionFind(int64_t n) {
    parent_.resize_raw(n);
    std::iota(parent_.begin(), parent_.end(), 0);
  }
  int32_t find(int32_t x) {
    while (parent_[x] != x) x = parent_[x] = parent_[parent_[x]];
    return x;
  }
  // True if a and b were in different sets.
  bool unite(int32_t a, int32_t b) {
    a = find(a);
    b = find(b);
    parent_[std::max(a, b)] = std::min(a, b);
    return a != b;
  }
  void prefetch(int32_t x) const { __builtin_prefetch(&parent_[x]); }

 private:
  Buffer<int32_t> parent_;
};

}  // namespace gs

// Net effect of a batch: what a list of operations does to each pair of nodes in the end.
#pragma once
#include <vector>

#include "cpu/edge_table.hpp"

namespace gs {

enum Op : uint8_t { kInsert = 0, kDelete = 1, kSet = 2 };

constexpr double kMaxWeight = 1e300;

struct NetEdit {
  int64_t op;  // position of the last operation on the pair
  double before, after;
  int32_t u, v;
  int32_t eid;  // -1: no such edge before
};

struct NetBatch {
  std::vector<NetEdit> deletions, changes, insertions;  // each by `op`
  int64_t size = 0;                                     // operations
  int64_t loops = 0, missing = 0, zeros = 0, unchanged = 0;
  int64_t first_loop = -1, first_missing = -1, first_overflow = -1;
};

// Ids are in range, weights are 0 or in [1e-300, 1e300].
NetBatch net_effects(const EdgeTable& edges, const uint8_t* ops, const int64_t* u, const int64_t* v,
                     const double* w, int64_t size);

}  // namespace gs

// Non-owning view of adjacency lists that change: every row has room to grow inside one pool.
// The order inside a row is part of the state (walkers pick by position), so only the host edits
// it.
#pragma once
#include "core/hd.hpp"

namespace gs {

struct alignas(16) Entry {
  int32_t nbr;  // the other end
  int32_t eid;  // row of the edge table
  double r;     // 1 / weight
};

struct alignas(16) NodeRecord {
  int64_t beg;       // first entry in the pool
  int32_t deg;       // entries in use
  int32_t core_deg;  // the first core_deg of them belong to the 2-core; 0 at a pendant node
};

static_assert(sizeof(Entry) == 16 && sizeof(NodeRecord) == 16, "one 128-bit load each");

// Reads a struct of 16 bytes; on a GPU by one load of 128 bits, which the compiler would split.
template <class T>
GS_HD T load16(const T* at) {
  static_assert(sizeof(T) == 16 && alignof(T) == 16, "one 128-bit load");
#ifdef __CUDA_ARCH__
  union {
    uint4 bits;
    T value;
  } out;
  out.bits = *reinterpret_cast<const uint4*>(at);
  return out.value;
#else
  return *at;
#endif
}

struct SlackView {
  const NodeRecord* nodes;
  const Entry* pool;
};

}  // namespace gs

// Saved form of a stream: the edge table and the order of every row.  Offsets in the pools and the
// parents of pendant nodes do not influence any decision and are made afresh.
#pragma once
#include <stdexcept>

#include "cpu/dygrass.hpp"

namespace gs {

struct SavedRows {
  Buffer<int64_t> indptr;  // (n + 1,)
  Buffer<int32_t> eids;    // edge of each entry, row by row
};

struct SavedState {
  int64_t n, edges;
  const int32_t *u, *v;  // (edges,); u = -1 in a free row, whose v is the next free one
  const double* w;
  int32_t first_free;
  int64_t dense_size, sparse_size;
  const int64_t *dense_ptr, *sparse_ptr;
  const int32_t *dense_eids, *sparse_eids;
};

SavedRows save_rows(const Adjacency& rows);
// Throws std::invalid_argument if the parts do not fit together.
void restore(Dygrass& stream, const SavedState& state, bool core);

}  // namespace gs

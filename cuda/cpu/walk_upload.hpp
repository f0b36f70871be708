// What a device needs for the walks of one sub-batch, packed for one copy: the rule, the queries,
// and what has changed in the rows since the last time.
#pragma once
#include "cpu/walk_batch.hpp"

namespace gs {

// bytes: rule (32), queries (32 each), node records (16 each), entries (16 each), slots of the
// entries (8 each), numbers of the nodes (4 each).  So every part starts at a multiple of its size.
struct WalkUpload {
  std::vector<uint8_t> bytes;
  int64_t num_nodes = 0, num_slots = 0;
  bool everything = false;  // the changes are not listed: copy nodes and pool as a whole
};

// Afterwards the journal of the rows is empty.
WalkUpload pack(Adjacency& rows, const WalkBatch& batch);

}  // namespace gs

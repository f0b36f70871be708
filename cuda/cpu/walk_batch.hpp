// Walks of one sub-batch as data, so that they can be made somewhere else: on a GPU.
#pragma once
#include <functional>
#include <vector>

#include "core/walk.hpp"
#include "cpu/adjacency.hpp"

namespace gs {

struct WalkBatch {
  bool sparse;  // in H, else in G
  bool best;    // of all walkers, else of the first round with a hit
  WalkRule rule;
  std::vector<WalkQuery> queries;
};

// Fills one hit per query and returns the steps walked.
using WalkMaker = std::function<int64_t(Adjacency& rows, const WalkBatch&, std::vector<Hit>&)>;

}  // namespace gs

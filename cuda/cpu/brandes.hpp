// Brandes' dependencies: how much of all shortest paths from one source runs through each node.
#pragma once
#include <cstdint>
#include <vector>

#include "core/csr.hpp"

namespace gs {

class Brandes {
 public:
  explicit Brandes(const CsrView<int32_t>& g)
      : g_(g),
        dist_(static_cast<size_t>(g.num_nodes), -1),
        paths_(static_cast<size_t>(g.num_nodes)),
        part_(static_cast<size_t>(g.num_nodes)) {}

  // Adds the dependency of `source` on every other node to `sum`.
  void add(int32_t source, double* sum) {
    order_.assign(1, source);
    shrunk_.clear();
    dist_[source] = 0;
    paths_[source] = 1.0;
    for (size_t at = 0; at < order_.size();) at = search(at);
    for (size_t at = order_.size(); at-- > 0;) gather(order_[at]);
    for (const int32_t v : order_) {
      if (v != source) sum[v] += part_[v];
      dist_[v] = -1;
    }
  }

 private:
  static constexpr double kMost = 1e200;  // path counts above are taken to another scale

  // Finds the next level from the nodes order[at:] and returns where it starts; the counts of one
  // level share a scale.
  size_t search(size_t at) {
    const size_t end = order_.size();
    double most = 0.0;
    for (; at < end; ++at) {
      const int32_t v = order_[at];
      for (int64_t i = g_.begin(v); i < g_.end(v); ++i) {
        const int32_t x = g_.indices[i];
        if (dist_[x] < 0) {
          dist_[x] = dist_[v] + 1;
          paths_[x] = 0.0;
          order_.push_back(x);
        }
        if (dist_[x] != dist_[v] + 1) continue;
        paths_[x] += paths_[v];
        if (paths_[x] > most) most = paths_[x];
      }
    }
    shrunk_.push_back(most > kMost ? 1.0 / kMost : 1.0);
    if (most > kMost)
      for (size_t k = end; k < order_.size(); ++k) paths_[order_[k]] /= kMost;
    return end;
  }

  void gather(int32_t v) {
    double total = 0.0;
    for (int64_t i = g_.begin(v); i < g_.end(v); ++i) {
      const int32_t x = g_.indices[i];
      if (dist_[x] != dist_[v] + 1) continue;
      total += paths_[v] / paths_[x] * shrunk_[static_cast<size_t>(dist_[v])] * (1.0 + part_[x]);
    }
    part_[v] = total;
  }

  CsrView<int32_t> g_;
  std::vector<int32_t> dist_, order_;
  std::vector<double> paths_, part_;
  std::vector<double> shrunk_;  // by what the counts of the level after were multiplied
};

}  // namespace gs

// The walk space "core": H is nearly a tree, so walkers stay in its 2-core and the pendant trees
// are climbed.  A pendant node keeps the edge to its parent; climbing ends at its anchor, a core
// node, or at the root of a pure tree.
#pragma once
#include <string>
#include <vector>

#include "cpu/adjacency.hpp"

namespace gs {

struct Climb {
  int32_t top;    // anchor, or root of a pure tree
  int32_t depth;  // edges climbed
  double off;     // resistance climbed, summed upwards
  bool anchored;
};

class TwoCore {
 public:
  TwoCore(EdgeTable& edges, Adjacency& sparse) : edges_(edges), h_(sparse) {}

  // Peel all of H and partition its rows, keeping the order inside each part.  O(n + m).
  void build();
  void grow_nodes(int64_t n) { up_.resize(n, kTop); }

  Climb climb(int32_t x) const {
    Climb c{x, 0, 0.0, false};
    while (up_[c.top].nbr >= 0) {
      c.off += up_[c.top].r;
      c.top = up_[c.top].nbr;
      ++c.depth;
    }
    c.anchored = h_.core_degree(c.top) > 0;
    return c;
  }

  // First common node of two climbs with the same top.
  int32_t meet(int32_t p, int32_t q, const Climb& a, const Climb& b) const;
  // Resistance of the path p .. meet .. q, summed from p.
  double tree_resistance(int32_t p, int32_t q, int32_t meet) const;

  void attach(int32_t e);  // e is in H's rows already
  void detach(int32_t e);  // e is in H's rows still
  void set_resistance(int32_t e, double r);
  bool is_core_node(int32_t x) const { return h_.core_degree(x) > 0; }

  // First wrong parent, or an empty text.
  std::string check_parents() const;
  // Core degree of every node from a fresh peel; `up` gets the parents.
  void peel(Buffer<int32_t>& core_degree, Buffer<Entry>& up) const;

 private:
  static constexpr Entry kTop{-1, -1, 0.0};

  void lift(int32_t x);
  void close_cycle(int32_t e, int32_t meet);
  void reroot(int32_t x);
  void peel_from(int32_t x);

  EdgeTable& edges_;
  Adjacency& h_;
  Buffer<Entry> up_;  // the entry of the parent edge; nbr = -1 at core nodes and roots
  std::vector<Entry> path_;
};

}  // namespace gs

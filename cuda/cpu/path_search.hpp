// Minimum-resistance path between two nodes: Dijkstra from both ends.  The labels live in a small
// hash map, so a search costs what it touches and not the size of the graph.
#pragma once
#include <vector>

#include "core/philox.hpp"
#include "core/slack_csr.hpp"
#include "cpu/buffer.hpp"

namespace gs {

struct Path {
  double R = 0.0;  // summed from the first node
  bool found = false;
  std::vector<int32_t> nodes;  // from the start to the end; empty if there is no path
  std::vector<int32_t> edges;  // one less
};

class PathSearch {
 public:
  PathSearch();

  // Ties are broken by the order of the search, which depends on the adjacency lists alone.
  Path find(const SlackView& graph, int32_t p, int32_t q);

 private:
  struct Label {
    double dist[2];  // from p, from q; infinite if not reached
    Entry pred[2];   // entry of the predecessor's row: nbr is the predecessor
    int32_t node;    // -1: free slot
    bool settled[2];
  };
  struct Item {
    double dist;
    int32_t node;
    bool operator<(const Item& o) const {  // a max-heap turned round; ties by id
      return dist > o.dist || (dist == o.dist && node > o.node);
    }
  };

  Label& label(int32_t x);
  void rehash();
  void clear();
  void expand(const SlackView& graph, int side);
  bool drop_stale(int side);
  Path trace();

  Buffer<Label> table_;
  std::vector<int64_t> used_;
  std::vector<Item> heap_[2];
  int64_t work_[2];
  double best_;
  int32_t meet_;
};

// A walk without its loops, in step order; R is left as the walk's own.
void erase_loops(Path& path);

}  // namespace gs

#include "cpu/reconnect.hpp"

#include <algorithm>
#include <numeric>
#include <unordered_map>

namespace gs {
namespace {

class Growth {
 public:
  Growth(const Adjacency& sparse, const std::vector<int32_t>& ends) : h_(sparse) {
    for (int32_t x : ends)
      if (group_.emplace(x, static_cast<int32_t>(groups_.size())).second) add_group({{}, {x}, 0});
  }

  // One node per group and turn, until at most one group can still grow.
  void run() {
    std::vector<int32_t> growing(groups_.size());
    std::iota(growing.begin(), growing.end(), 0);
    while (growing.size() > 1) {
      for (int32_t g : growing)
        if (can_grow(g)) visit(g);
      growing.erase(std::remove_if(growing.begin(), growing.end(),
                                   [this](int32_t g) { return !can_grow(g); }),
                    growing.end());
    }
    if (growing.empty()) add_group({});
    rest_ = growing.empty() ? static_cast<int32_t>(groups_.size()) - 1 : growing[0];
  }

  // Nodes of groups that are whole components: all but the one that stopped early.
  template <class Visit>
  void each_whole_node(Visit&& visit) const {
    for (int32_t g = 0; g < static_cast<int32_t>(groups_.size()); ++g)
      if (parent_[g] == g && g != rest_)
        for (int32_t x : groups_[g].visited) visit(x);
  }

  int32_t find(int32_t g) {
    while (parent_[g] != g) g = parent_[g] = parent_[parent_[g]];
    return g;
  }
  // The group of x; nodes that nobody reached belong to the one that stopped early.
  int32_t group(int32_t x) {
    const auto at = group_.find(x);
    return find(at == group_.end() ? rest_ : at->second);
  }
  bool join(int32_t a, int32_t b) {
    if (a != b) parent_[b] = a;
    return a != b;
  }

 private:
  struct Group {
    std::vector<int32_t> visited, waiting;
    size_t next = 0;  // first of `waiting`
  };

  void add_group(Group group) {
    parent_.push_back(static_cast<int32_t>(groups_.size()));
    groups_.push_back(std::move(group));
  }

  bool can_grow(int32_t g) const {
    return parent_[g] == g && groups_[g].next < groups_[g].waiting.size();
  }

  void visit(int32_t g) {
    const int32_t x = groups_[g].waiting[groups_[g].next++];
    groups_[g].visited.push_back(x);
    for (int32_t k = 0; k < h_.degree(x); ++k) {
      const int32_t y = h_.row(x)[k].nbr;
      const auto [at, fresh] = group_.emplace(y, g);
      if (fresh)
        groups_[g].waiting.push_back(y);
      else
        g = merge(g, find(at->second));
    }
  }

  int32_t merge(int32_t a, int32_t b) {
    if (a == b) return a;
    const auto size = [this](int32_t g) {
      return groups_[g].visited.size() + groups_[g].waiting.size();
    };
    if (size(a) < size(b)) std::swap(a, b);
    Group &big = groups_[a], &small = groups_[b];
    big.visited.insert(big.visited.end(), small.visited.begin(), small.visited.end());
    big.waiting.insert(big.waiting.end(), small.waiting.begin() + static_cast<int64_t>(small.next),
                       small.waiting.end());
    small = Group{};
    parent_[b] = a;
    return a;
  }

  const Adjacency& h_;
  std::unordered_map<int32_t, int32_t> group_;  // of each node that was reached
  std::vector<Group> groups_;
  std::vector<int32_t> parent_;  // union-find over groups
  int32_t rest_ = -1;
};

}  // namespace

std::vector<int32_t> joining_edges(const EdgeTable& edges, const Adjacency& graph,
                                   const Adjacency& sparse, const std::vector<int32_t>& ends) {
  Growth growth(sparse, ends);
  growth.run();
  std::vector<int32_t> found;
  growth.each_whole_node([&](int32_t x) {
    for (int32_t k = 0; k < graph.degree(x); ++k) {
      const Entry& entry = graph.row(x)[k];
      if (growth.group(x) != growth.group(entry.nbr)) found.push_back(entry.eid);
    }
  });
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  std::sort(found.begin(), found.end(), [&](int32_t a, int32_t b) {
    const EdgeRecord &x = edges[a], &y = edges[b];
    if (x.w != y.w) return x.w > y.w;
    return x.u != y.u ? x.u < y.u : x.v < y.v;
  });
  std::vector<int32_t> joined;
  for (int32_t e : found)
    if (growth.join(growth.group(edges[e].u), growth.group(edges[e].v))) joined.push_back(e);
  return joined;
}

}  // namespace gs

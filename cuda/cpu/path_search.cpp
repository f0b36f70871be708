#include "cpu/path_search.hpp"

#include <limits>
#include <unordered_map>

namespace gs {
namespace {

constexpr double kFar = std::numeric_limits<double>::infinity();

uint64_t hash_node(int32_t x) {
  return static_cast<uint64_t>(static_cast<uint32_t>(x)) * 0x9E3779B97F4A7C15ull >> 20;
}

}  // namespace

PathSearch::PathSearch() { table_.resize(512, Label{{kFar, kFar}, {}, -1, {false, false}}); }

PathSearch::Label& PathSearch::label(int32_t x) {
  const uint64_t mask = static_cast<uint64_t>(table_.size()) - 1;
  uint64_t i = hash_node(x) & mask;
  while (table_[i].node != x && table_[i].node >= 0) i = (i + 1) & mask;
  if (table_[i].node == x) return table_[i];
  if (static_cast<int64_t>(used_.size() + 1) * 2 > table_.size()) {
    rehash();
    return label(x);
  }
  table_[i].node = x;
  used_.push_back(static_cast<int64_t>(i));
  return table_[i];
}

void PathSearch::rehash() {
  Buffer<Label> old;
  old.swap(table_);
  table_.resize(2 * old.size(), Label{{kFar, kFar}, {}, -1, {false, false}});
  const std::vector<int64_t> slots = std::move(used_);
  used_.clear();
  for (int64_t slot : slots) label(old[slot].node) = old[slot];
}

void PathSearch::clear() {
  for (int64_t slot : used_) table_[slot] = Label{{kFar, kFar}, {}, -1, {false, false}};
  used_.clear();
  if (table_.size() > 65536) {  // do not keep the memory of one far search
    Buffer<Label> small;
    small.resize(512, Label{{kFar, kFar}, {}, -1, {false, false}});
    table_.swap(small);
  }
  for (int side : {0, 1}) {
    heap_[side].clear();
    work_[side] = 0;
  }
  best_ = kFar;
  meet_ = -1;
}

// Remove settled nodes from the top of a heap; false if nothing is left.
bool PathSearch::drop_stale(int side) {
  auto& heap = heap_[side];
  while (!heap.empty()) {
    const Label& top = label(heap.front().node);
    if (!top.settled[side] && top.dist[side] == heap.front().dist) return true;
    std::pop_heap(heap.begin(), heap.end());
    heap.pop_back();
  }
  return false;
}

void PathSearch::expand(const SlackView& graph, int side) {
  auto& heap = heap_[side];
  const Item item = heap.front();
  std::pop_heap(heap.begin(), heap.end());
  heap.pop_back();
  Label& here = label(item.node);
  here.settled[side] = true;
  const int32_t came_by = here.pred[side].eid;
  const NodeRecord row = graph.nodes[item.node];
  work_[side] += row.deg;
  for (int32_t k = 0; k < row.deg; ++k) {
    const Entry& entry = graph.pool[row.beg + k];
    if (entry.eid == came_by) continue;
    const double dist = item.dist + entry.r;
    if (dist >= best_) continue;
    Label& next = label(entry.nbr);
    if (dist >= next.dist[side]) continue;
    next.dist[side] = dist;
    next.pred[side] = {item.node, entry.eid, entry.r};
    heap.push_back({dist, entry.nbr});
    std::push_heap(heap.begin(), heap.end());
    if (dist + next.dist[1 - side] < best_) {
      best_ = dist + next.dist[1 - side];
      meet_ = entry.nbr;
    }
  }
}

Path PathSearch::trace() {
  Path path;
  path.found = true;
  std::vector<double> resistance;
  for (int32_t x = meet_;;) {
    path.nodes.push_back(x);
    const Entry pred = label(x).pred[0];
    if (pred.eid < 0) break;
    path.edges.push_back(pred.eid);
    resistance.push_back(pred.r);
    x = pred.nbr;
  }
  std::reverse(path.nodes.begin(), path.nodes.end());
  std::reverse(path.edges.begin(), path.edges.end());
  std::reverse(resistance.begin(), resistance.end());
  for (Entry pred = label(meet_).pred[1]; pred.eid >= 0; pred = label(pred.nbr).pred[1]) {
    path.nodes.push_back(pred.nbr);
    path.edges.push_back(pred.eid);
    resistance.push_back(pred.r);
  }
  for (double r : resistance) path.R += r;
  return path;
}

Path PathSearch::find(const SlackView& graph, int32_t p, int32_t q) {
  clear();
  const int32_t ends[2] = {p, q};
  for (int side : {0, 1}) {
    Label& start = label(ends[side]);
    start.dist[side] = 0.0;
    start.pred[side] = {-1, -1, 0.0};
    heap_[side].push_back({0.0, ends[side]});
  }
  while (drop_stale(0) && drop_stale(1)) {
    if (heap_[0].front().dist + heap_[1].front().dist >= best_) break;
    // The side that has read less goes on: a search that fails costs twice the smaller component.
    expand(graph, work_[0] <= work_[1] ? 0 : 1);
  }
  return meet_ < 0 ? Path{} : trace();
}

void erase_loops(Path& path) {
  std::unordered_map<int32_t, size_t> at;
  std::vector<int32_t> nodes, edges;
  for (size_t i = 0; i < path.nodes.size(); ++i) {
    const int32_t x = path.nodes[i];
    const auto seen = at.find(x);
    if (seen != at.end()) {
      while (nodes.size() > seen->second + 1) {
        at.erase(nodes.back());
        nodes.pop_back();
        edges.pop_back();
      }
      continue;
    }
    if (i > 0) edges.push_back(path.edges[i - 1]);
    at[x] = nodes.size();
    nodes.push_back(x);
  }
  path.nodes = std::move(nodes);
  path.edges = std::move(edges);
}

}  // namespace gs

#include "cpu/two_core.hpp"

namespace gs {

void TwoCore::peel(Buffer<int32_t>& core_degree, Buffer<Entry>& up) const {
  const int64_t n = h_.num_nodes();
  core_degree.clear();
  up.clear();
  core_degree.resize(n, 0);
  up.resize(n, kTop);
  Buffer<int32_t> leaves;
  for (int32_t x = 0; x < n; ++x) {
    core_degree[x] = h_.degree(x);
    if (core_degree[x] == 1) leaves.push_back(x);
  }
  for (int64_t i = 0; i < leaves.size(); ++i) {
    const int32_t x = leaves[i];
    if (core_degree[x] != 1) continue;  // the root of a pure tree lost its last child
    const Entry* row = h_.row(x);
    int32_t k = 0;  // the one neighbour that does not hang below x
    while (up[row[k].nbr].eid == row[k].eid) ++k;
    up[x] = row[k];
    core_degree[x] = 0;
    if (--core_degree[row[k].nbr] == 1) leaves.push_back(row[k].nbr);
  }
}

void TwoCore::build() {
  Buffer<int32_t> core_degree;
  peel(core_degree, up_);
  std::vector<Entry> pendant;
  for (int32_t x = 0; x < h_.num_nodes(); ++x) {
    const int32_t degree = h_.degree(x), core = core_degree[x];
    if (core != degree && core != 0) {
      pendant.clear();
      int32_t next = 0;
      for (int32_t k = 0; k < degree; ++k) {
        const Entry entry = h_.row(x)[k];
        const bool in_core = core_degree[entry.nbr] > 0;
        if (in_core)
          h_.write(x, next++, entry);
        else
          pendant.push_back(entry);
      }
      for (const Entry& entry : pendant) h_.write(x, next++, entry);
    }
    h_.set_degrees(x, degree, core);
  }
}

int32_t TwoCore::meet(int32_t p, int32_t q, const Climb& a, const Climb& b) const {
  int32_t da = a.depth, db = b.depth;
  for (; da > db; --da) p = up_[p].nbr;
  for (; db > da; --db) q = up_[q].nbr;
  while (p != q) {
    p = up_[p].nbr;
    q = up_[q].nbr;
  }
  return p;
}

double TwoCore::tree_resistance(int32_t p, int32_t q, int32_t meet) const {
  thread_local std::vector<double> down;
  double R = 0.0;
  for (; p != meet; p = up_[p].nbr) R += up_[p].r;
  down.clear();
  for (; q != meet; q = up_[q].nbr) down.push_back(up_[q].r);
  for (size_t i = down.size(); i-- > 0;) R += down[i];
  return R;
}

// The parent path of x becomes core, from x up to the first core node.
void TwoCore::lift(int32_t x) {
  while (up_[x].nbr >= 0) {
    const Entry step = up_[x];
    up_[x] = kTop;
    h_.enter_core(step.eid);
    x = step.nbr;
  }
}

// e closes a cycle in a pure tree: the cycle is the new core, the old root hangs below it.
void TwoCore::close_cycle(int32_t e, int32_t meet) {
  reroot(meet);
  h_.enter_core(e);
  const int32_t p = edges_[e].u, q = edges_[e].v;
  lift(p);
  path_.clear();
  for (int32_t x = q; up_[x].nbr >= 0;) {
    path_.push_back(up_[x]);
    const int32_t next = up_[x].nbr;
    up_[x] = kTop;
    x = next;
  }
  for (size_t i = path_.size(); i-- > 0;) h_.enter_core(path_[i].eid);
}

// Turn the parents round so that x is the root of its pure tree.
void TwoCore::reroot(int32_t x) {
  Entry below = kTop;
  while (x >= 0) {
    const Entry above = up_[x];
    up_[x] = below;
    below = {x, above.eid, above.r};
    x = above.nbr;
  }
}

void TwoCore::attach(int32_t e) {
  const int32_t p = edges_[e].u, q = edges_[e].v;
  const Climb a = climb(p), b = climb(q);
  if (a.anchored && b.anchored) {
    h_.enter_core(e);
    lift(p);
    lift(q);
    return;
  }
  if (a.top == b.top) return close_cycle(e, meet(p, q, a, b));
  // Two components: a pure tree is hung on the other one, the shallower if both are.
  const bool hang_p = b.anchored || (!a.anchored && a.depth <= b.depth);
  const int32_t low = hang_p ? p : q;
  reroot(low);
  up_[low] = {edges_.other(e, low), e, 1.0 / edges_[e].w};
}

void TwoCore::detach(int32_t e) {
  const int32_t p = edges_[e].u, q = edges_[e].v;
  if (!h_.is_core(e)) {
    up_[up_[p].eid == e ? p : q] = kTop;
    return;
  }
  h_.leave_core(e);
  peel_from(p);
  peel_from(q);
}

void TwoCore::peel_from(int32_t x) {
  while (h_.core_degree(x) == 1) {
    const Entry last = h_.row(x)[0];
    h_.leave_core(last.eid);
    up_[x] = last;
    x = last.nbr;
  }
}

void TwoCore::set_resistance(int32_t e, double r) {
  for (int32_t x : {edges_[e].u, edges_[e].v})
    if (up_[x].eid == e) up_[x].r = r;
}

}  // namespace gs

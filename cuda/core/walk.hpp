// One dyGRASS walker: a non-backtracking random walk that looks for a detour of low resistance
// (Yuan, Aghdaei, Feng, ICCAD 2025, arXiv 2505.02741).
// A walker is a pure function of (adjacency, rule, query, walker number).  Integers decide every
// step; floating point only adds R + r, multiplies R * w and compares, always in step order, so
// g++, nvcc and NVRTC agree to the bit.
#pragma once
#include "core/philox.hpp"
#include "core/slack_csr.hpp"

namespace gs {

constexpr int32_t kRound = 32;                          // walkers that finish together: one warp
constexpr double kUnbounded = 0x1.fffffffffffffp+1023;  // no bound on R

enum WalkPhase : uint32_t { kInsertion = 0, kRecheck = 1, kRecovery = 2 };

struct WalkRule {
  uint64_t seed;
  double limit;       // K: a path counts while R * w < K
  int32_t max_steps;  // T
  int32_t walkers;    // W, a multiple of kRound
  uint32_t phase;     // WalkPhase
  bool both_ends;     // odd walkers start at q
  bool core;          // pick among the first core_deg entries only
};

struct WalkQuery {
  uint64_t id;  // position of the update in the life of the stream
  double w;     // weight of the edge whose ends are to be joined
  double r0;    // resistance already spent on the way to p and q
  int32_t p, q;
};

struct Walker {
  double R;
  int32_t cur;
  int32_t target;
  int32_t prev;  // edge of the last step, -1 at the start
};

struct Hit {
  double R;
  int32_t walker;  // -1: no walker arrived
};

GS_HD Hit no_hit() { return {0.0, -1}; }

// Lexicographic order of (R, walker), no hit last: its minimum does not depend on who comes first.
GS_HD bool precedes(const Hit& a, const Hit& b) {
  if (a.walker < 0 || b.walker < 0) return a.walker >= 0;
  return a.R < b.R || (a.R == b.R && a.walker < b.walker);
}

// The random words of steps 4k .. 4k + 3.
GS_HD Philox4 walk_words(const WalkRule& rule, uint64_t id, int32_t walker, int32_t step) {
  const uint32_t high = static_cast<uint32_t>(id >> 32) & 0x0FFFFFFFu;
  return philox4x32(static_cast<uint32_t>(step) >> 2, static_cast<uint32_t>(walker),
                    static_cast<uint32_t>(id), high | (rule.phase << 28),
                    static_cast<uint32_t>(rule.seed), static_cast<uint32_t>(rule.seed >> 32));
}

// The word of a step.  No index that the compiler cannot see: registers have none.
GS_HD uint32_t word_of(const Philox4& words, int32_t step) {
  const uint32_t low = step & 1 ? words.x[1] : words.x[0];
  const uint32_t high = step & 1 ? words.x[3] : words.x[2];
  return step & 2 ? high : low;
}

GS_HD Walker start_walker(const WalkRule& rule, const WalkQuery& query, int32_t walker) {
  const bool from_q = rule.both_ends && (walker & 1);
  return {query.r0, from_q ? query.q : query.p, from_q ? query.p : query.q, -1};
}

GS_HD int32_t walk_degree(const NodeRecord& row, bool core) {
  return core ? row.core_deg : row.deg;
}

// The entry a walker takes is uniform over all but the edge it came by: entry k of the first
// degree - 1, and the last one in place of that edge.
struct Choice {
  const Entry* entry;
  const Entry* last;
};

// The caller has seen that there is one, i.e. degree > (arrived by an edge).
GS_HD Choice pick_entry(const Entry* pool, const NodeRecord& row, int32_t degree, bool arrived,
                        uint32_t word) {
  const uint64_t choices = static_cast<uint64_t>(degree - (arrived ? 1 : 0));
  const Entry* first = pool + row.beg;
  return {first + ((word * choices) >> 32), first + (degree - 1)};
}

GS_HD Entry resolve(const Choice& choice, int32_t prev) {
#ifdef __CUDA_ARCH__
  const Entry entry = load16(choice.entry);  // one trip to memory unless it is the edge back
  return entry.eid == prev ? load16(choice.last) : entry;
#else
  return choice.entry->eid == prev ? *choice.last : *choice.entry;
#endif
}

// May a path of resistance R still be the answer?
GS_HD bool within(double R, double w, double limit, double bound) {
  return (R * w < limit) && (R < bound);
}

struct NoTrace {
  GS_HD void operator()(int32_t, int32_t) const {}
};

// Run one walker to its end.  True on a hit; `steps` grows by the picks made, `trace(edge, node)`
// sees each of them, `walker.R` holds the resistance, the failing step included.
template <class Trace>
GS_HD bool run_walker(const SlackView& graph, const WalkRule& rule, const WalkQuery& query,
                      int32_t number, double bound, Walker& walker, int64_t& steps, Trace&& trace) {
  walker = start_walker(rule, query, number);
  Philox4 words{};
  for (int32_t s = 0; s < rule.max_steps; ++s) {
    const NodeRecord row = load16(graph.nodes + walker.cur);
    const int32_t degree = walk_degree(row, rule.core);
    if (degree <= (s > 0 ? 1 : 0)) return false;
    if ((s & 3) == 0) words = walk_words(rule, query.id, number, s);
    const Entry entry =
        resolve(pick_entry(graph.pool, row, degree, s > 0, word_of(words, s)), walker.prev);
    ++steps;
    walker.R += entry.r;
    trace(entry.eid, entry.nbr);
    if (!within(walker.R, query.w, rule.limit, bound)) return false;
    if (entry.nbr == walker.target) return true;
    walker.prev = entry.eid;
    walker.cur = entry.nbr;
  }
  return false;
}

}  // namespace gs

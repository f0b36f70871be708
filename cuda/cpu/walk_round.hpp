// Walkers of core/walk.hpp on the CPU: a round of 32 advances in lockstep, so that the memory
// accesses of different walkers overlap.
#pragma once
#include <limits>

#include "core/walk.hpp"

namespace gs {

constexpr double kInf = std::numeric_limits<double>::infinity();

struct Search {
  Hit best;
  int64_t steps;
};

// Lexicographic minimum of (R, walker) over walkers first .. first + 31.  A walker whose R exceeds
// a hit of its own round can only end behind it, so it stops: the result is the same.
template <bool Core>
Search run_round(const SlackView& graph, const WalkRule& rule, const WalkQuery& query,
                 int32_t first, double bound) {
  Walker walker[kRound];
  Philox4 words[kRound];
  int32_t lane[kRound];
  Choice choice[kRound];
  for (int32_t i = 0; i < kRound; ++i) {
    walker[i] = start_walker(rule, query, first + i);
    lane[i] = i;
  }
  Search out{no_hit(), 0};
  double leader = kInf;
  int32_t active = kRound;
  for (int32_t s = 0; s < rule.max_steps && active > 0; ++s) {
    if ((s & 3) == 0)
      for (int32_t a = 0; a < active; ++a)
        words[lane[a]] = walk_words(rule, query.id, first + lane[a], s);
    int32_t able = 0;
    for (int32_t a = 0; a < active; ++a) {
      const int32_t i = lane[a];
      const NodeRecord row = graph.nodes[walker[i].cur];
      const int32_t degree = walk_degree(row, Core);
      choice[able] = pick_entry(graph.pool, row, degree, s > 0, words[i].x[s & 3]);
      __builtin_prefetch(choice[able].entry);
      lane[able] = i;
      able += degree > (s > 0 ? 1 : 0);
    }
    out.steps += able;
    int32_t kept = 0;
    for (int32_t a = 0; a < able; ++a) {
      const int32_t i = lane[a];
      Walker& me = walker[i];
      const Entry entry = resolve(choice[a], me.prev);
      __builtin_prefetch(&graph.nodes[entry.nbr]);
      me.R += entry.r;
      me.prev = entry.eid;
      me.cur = entry.nbr;
      if (entry.nbr == me.target && within(me.R, query.w, rule.limit, bound)) {
        const Hit hit{me.R, first + i};
        if (precedes(hit, out.best)) out.best = hit;
        leader = out.best.R;
        continue;
      }
      lane[kept] = i;
      kept +=
          within(me.R, query.w, rule.limit, bound) & (me.R <= leader) & (entry.nbr != me.target);
    }
    active = kept;
  }
  return out;
}

// Rounds until one has a hit.
template <bool Core>
Search first_hit(const SlackView& graph, const WalkRule& rule, const WalkQuery& query) {
  Search out{no_hit(), 0};
  if (!within(query.r0, query.w, rule.limit, kUnbounded)) return out;  // R only grows
  for (int32_t first = 0; first < rule.walkers && out.best.walker < 0; first += kRound) {
    const Search round = run_round<Core>(graph, rule, query, first, kUnbounded);
    out.best = round.best;
    out.steps += round.steps;
  }
  return out;
}

// Best of all walkers: a later round only looks for less than the best so far.
template <bool Core>
Search best_hit(const SlackView& graph, const WalkRule& rule, const WalkQuery& query) {
  Search out{no_hit(), 0};
  for (int32_t first = 0; first < rule.walkers; first += kRound) {
    const Search round =
        run_round<Core>(graph, rule, query, first, out.best.walker < 0 ? kUnbounded : out.best.R);
    if (precedes(round.best, out.best)) out.best = round.best;
    out.steps += round.steps;
  }
  return out;
}

}  // namespace gs

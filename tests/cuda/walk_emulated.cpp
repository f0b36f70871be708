// The kernel of gpu/walk.cu against the CPU's rounds, on a random graph.
#include <random>

#include "cpu/two_core.hpp"
#include "cpu/walk_round.hpp"
#include "emulator.hpp"
#include "gpu/walk.cu"

namespace {

struct World {
  gs::EdgeTable edges;
  gs::Adjacency rows{edges, gs::kSparse};
  gs::TwoCore core{edges, rows};

  World(uint64_t seed, int32_t n, int64_t m) {
    std::mt19937_64 random(seed);
    rows.grow_nodes(n);
    core.grow_nodes(n);
    for (int64_t k = 0; k < m; ++k) {
      const auto u = static_cast<int32_t>(random() % n), v = static_cast<int32_t>(random() % n);
      if (u >= v || edges.find(u, v) >= 0) continue;
      rows.insert(edges.add(u, v, 0.25 + static_cast<double>(random() % 1000) / 250.0));
    }
    core.build();
  }
};

gs::Search on_cpu(const World& world, const gs::WalkRule& rule, const gs::WalkQuery& query,
                  bool best) {
  const gs::SlackView view = world.rows.view();
  if (best)
    return rule.core ? gs::best_hit<true>(view, rule, query)
                     : gs::best_hit<false>(view, rule, query);
  return rule.core ? gs::first_hit<true>(view, rule, query)
                   : gs::first_hit<false>(view, rule, query);
}

}  // namespace

extern "C" {

// Number of queries answered differently; hits gets the number of hits.
int64_t compare_walks(uint64_t seed, bool core, bool best, double limit, unsigned grid,
                      unsigned block, int64_t* hits) {
  const int32_t n = 60;
  const World world(seed, n, 190);
  const gs::WalkRule rule{seed * 77, limit, 40, 96, 1, (seed & 1) != 0, core};
  std::mt19937_64 random(seed + 1);
  std::vector<gs::WalkQuery> queries;
  while (queries.size() < 40) {
    const auto p = static_cast<int32_t>(random() % n), q = static_cast<int32_t>(random() % n);
    if (core && !(world.core.is_core_node(p) && world.core.is_core_node(q))) continue;
    if (p != q) queries.push_back({random(), 0.5, 0.125 * static_cast<double>(random() % 8), p, q});
  }
  std::vector<gs::Hit> found(queries.size());
  gs::WalkCounters counters{0, 0};
  const auto count = static_cast<int64_t>(queries.size());
  const gs::SlackView view = world.rows.view();
  const auto kernel = best ? &gs::walk_kernel<true> : &gs::walk_kernel<false>;
  emulate(grid, block, [&] {
    kernel(view.nodes, view.pool, &rule, queries.data(), count, &counters, found.data());
  });
  int64_t wrong = counters.steps == 0;
  *hits = 0;
  for (size_t i = 0; i < queries.size(); ++i) {
    const gs::Hit want = on_cpu(world, rule, queries[i], best).best;
    wrong += want.R != found[i].R || want.walker != found[i].walker;
    *hits += want.walker >= 0;
  }
  return wrong;
}
}

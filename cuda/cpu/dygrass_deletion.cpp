// Deletions: remove, look for a detour in G, put it into H, reconnect what is left apart.
#include <chrono>
#include <cmath>

#include "cpu/dygrass.hpp"
#include "cpu/parallel_each.hpp"
#include "cpu/reconnect.hpp"

namespace gs {

int64_t sub_batch_size(const StreamRules& rules, size_t batch);

void Dygrass::delete_all(BatchLog& log, const std::vector<NetEdit>& edits, const StreamRules& rules,
                         uint64_t first_id, int threads) {
  const auto size = static_cast<size_t>(sub_batch_size(rules, edits.size()));
  log.deletions.reserve(edits.size());
  for (size_t begin = 0; begin < edits.size();) {
    const size_t end = edits.size() - begin > size ? begin + size : edits.size();
    delete_some(log, edits, begin, end, rules, first_id, threads);
    begin = end;
  }
}

void Dygrass::delete_some(BatchLog& log, const std::vector<NetEdit>& edits, size_t begin,
                          size_t end, const StreamRules& rules, uint64_t first_id, int threads) {
  for (size_t i = begin; i < end; ++i) {
    const NetEdit& edit = edits[i];
    DeletionRecord record{};
    record.id = first_id + static_cast<uint64_t>(edit.op);
    record.w = edit.before;
    record.R = std::nan("");
    record.u = edit.u;
    record.v = edit.v;
    record.walker = -1;
    record.in_sparsifier = edges_.sparse(edit.eid);
    log.deletions.push_back(record);
    if (record.in_sparsifier) drop_sparse(edit.eid);
    g_.remove(edit.eid);
    edges_.erase(edit.eid);
  }
  const std::vector<Found> found = search_all(log, begin, rules, threads);
  for (size_t i = begin; i < end; ++i) put_back(log, log.deletions[i], found[i - begin]);
  repair(log, begin);
}

// One detour per deleted edge of H, all in G and H as they are after the removals.
std::vector<Dygrass::Found> Dygrass::search_all(BatchLog& log, size_t begin,
                                                const StreamRules& rules, int threads) {
  std::vector<Found> found(log.deletions.size() - begin);
  std::vector<size_t> open;
  for (size_t i = 0; i < found.size(); ++i)
    if (log.deletions[begin + i].in_sparsifier) open.push_back(i);
  const auto start = std::chrono::steady_clock::now();
  log.steps +=
      parallel_each(static_cast<int64_t>(open.size()), threads, [&](int64_t k, int thread) {
        const size_t i = open[static_cast<size_t>(k)];
        found[i] = search(log.deletions[begin + i], rules, scratch_[static_cast<size_t>(thread)]);
        return found[i].steps;
      });
  log.search_seconds +=
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return found;
}

Dygrass::Found Dygrass::search(const DeletionRecord& record, const StreamRules& rules,
                               PathSearch& scratch) const {
  Found found;
  if (rules.redundancy_check) {
    const WalkRule rule{rules.seed, rules.limit,     rules.max_steps, rules.walkers,
                        kInsertion, rules.both_ends, in_core_};
    TestRecord probe{record.id, record.w, 0.0, record.u, record.v, -1, 0, 0, 0, 0};
    found.steps += test(probe, rule);
    if (!probe.accepted) {
      found.redundant = true;
      found.path.R = probe.R;
      found.walker = probe.walker;
      return found;
    }
  }
  if (!rules.exact_recovery && walk_detour(found, record, rules)) return found;
  found.fallback = !rules.exact_recovery;
  found.path = scratch.find(g_.view(), record.u, record.v);
  return found;
}

// Best walker in G; it is run again to see its path, which is kept without loops.
bool Dygrass::walk_detour(Found& found, const DeletionRecord& record,
                          const StreamRules& rules) const {
  const WalkRule rule{
      rules.seed,      kInf, rules.recovery_steps, rules.recovery_walkers, kRecovery,
      rules.both_ends, false};
  const WalkQuery query{record.id, record.w, 0.0, record.u, record.v};
  const Search result = best_hit<false>(g_.view(), rule, query);
  found.steps += result.steps;
  if (result.best.walker < 0) return false;
  found.walker = result.best.walker;
  Path& path = found.path;
  path.nodes = {start_walker(rule, query, found.walker).cur};
  Walker walker;
  int64_t replayed = 0;
  path.found = run_walker(g_.view(), rule, query, found.walker, kUnbounded, walker, replayed,
                          [&path](int32_t edge, int32_t node) {
                            path.edges.push_back(edge);
                            path.nodes.push_back(node);
                          });
  path.R = walker.R;
  erase_loops(path);
  return true;
}

void Dygrass::put_back(BatchLog& log, DeletionRecord& record, const Found& found) {
  record.fallback = found.fallback;
  record.redundant = found.redundant;
  record.walker = found.walker;
  record.disconnected = record.in_sparsifier && !found.redundant && !found.path.found;
  if (found.path.found || found.redundant) record.R = found.path.R;
  log.path_nodes.insert(log.path_nodes.end(), found.path.nodes.begin(), found.path.nodes.end());
  for (int32_t e : found.path.edges) {
    if (edges_.sparse(e)) continue;
    add_sparse(e);
    log.added.push_back({edges_[e].w, edges_[e].u, edges_[e].v});
  }
  record.path_end = static_cast<int64_t>(log.path_nodes.size());
  record.added_end = static_cast<int64_t>(log.added.size());
}

void Dygrass::repair(BatchLog& log, size_t begin) {
  std::vector<int32_t> ends;
  for (size_t i = begin; i < log.deletions.size(); ++i)
    if (log.deletions[i].disconnected)
      ends.insert(ends.end(), {log.deletions[i].u, log.deletions[i].v});
  if (ends.size() <= 2) return;  // one split: both sides of G hold one end each
  for (int32_t e : joining_edges(edges_, g_, h_, ends)) {
    add_sparse(e);
    log.repaired.push_back({edges_[e].w, edges_[e].u, edges_[e].v});
  }
}

}  // namespace gs

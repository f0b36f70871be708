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
  const DeletionRecord* records = log.deletions.data() + begin;
  std::vector<size_t> open;
  for (size_t i = 0; i < found.size(); ++i)
    if (records[i].in_sparsifier) open.push_back(i);
  const auto start = std::chrono::steady_clock::now();
  if (walks_) {
    log.steps += search_elsewhere(found, open, records, rules, threads);
  } else {
    log.steps +=
        parallel_each(static_cast<int64_t>(open.size()), threads, [&](int64_t k, int thread) {
          const size_t i = open[static_cast<size_t>(k)];
          search(found[i], records[i], rules, scratch_[static_cast<size_t>(thread)]);
          return found[i].steps;
        });
  }
  log.search_seconds +=
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return found;
}

namespace {

WalkRule recovery_rule(const StreamRules& rules) {
  return {rules.seed,      kInf, rules.recovery_steps, rules.recovery_walkers, kRecovery,
          rules.both_ends, false};
}

WalkQuery recovery_query(const DeletionRecord& record) {
  return {record.id, record.w, 0.0, record.u, record.v};
}

// The deleted edge as an insertion: does H still have a detour for it?
TestRecord probe_of(const DeletionRecord& record) {
  return {record.id, record.w, 0.0, record.u, record.v, -1, 0, 0, 0, 0};
}

template <class Found>
void take(Found& found, const TestRecord& probe) {
  if (probe.accepted) return;
  found.redundant = true;
  found.path.R = probe.R;
  found.walker = probe.walker;
}

}  // namespace

void Dygrass::search(Found& found, const DeletionRecord& record, const StreamRules& rules,
                     PathSearch& scratch) const {
  if (rules.redundancy_check) {
    TestRecord probe = probe_of(record);
    found.steps += test(probe, insertion_rule(rules, kInsertion));
    take(found, probe);
  }
  if (found.redundant) return;
  Search result{no_hit(), 0};
  if (!rules.exact_recovery)
    result = best_hit<false>(g_.view(), recovery_rule(rules), recovery_query(record));
  found.steps += result.steps;
  follow(found, record, rules, result.best, scratch);
}

// The same for many deletions whose walks are made elsewhere; paths are found here.
int64_t Dygrass::search_elsewhere(std::vector<Found>& found, const std::vector<size_t>& open,
                                  const DeletionRecord* records, const StreamRules& rules,
                                  int threads) {
  int64_t steps = 0;
  if (rules.redundancy_check) {
    std::vector<TestRecord> probes;
    std::vector<TestRecord*> places;
    for (size_t i : open) probes.push_back(probe_of(records[i]));
    for (TestRecord& probe : probes) places.push_back(&probe);
    steps += test_elsewhere(places, insertion_rule(rules, kInsertion), threads);
    for (size_t k = 0; k < open.size(); ++k) take(found[open[k]], probes[k]);
  }
  std::vector<size_t> lost;
  for (size_t i : open)
    if (!found[i].redundant) lost.push_back(i);
  std::vector<Hit> hits(lost.size(), no_hit());
  if (!rules.exact_recovery && !lost.empty()) {
    WalkBatch batch{false, true, recovery_rule(rules), {}};
    for (size_t i : lost) batch.queries.push_back(recovery_query(records[i]));
    steps += walks_(g_, batch, hits);
  }
  parallel_each(static_cast<int64_t>(lost.size()), threads, [&](int64_t k, int thread) {
    const size_t i = lost[static_cast<size_t>(k)];
    follow(found[i], records[i], rules, hits[static_cast<size_t>(k)],
           scratch_[static_cast<size_t>(thread)]);
    return 0;
  });
  return steps;
}

// The path of the best walker in G, which is run again to see it, without its loops; the best path
// of all where no walker arrived.
void Dygrass::follow(Found& found, const DeletionRecord& record, const StreamRules& rules,
                     const Hit& hit, PathSearch& scratch) const {
  if (hit.walker < 0) {
    found.fallback = !rules.exact_recovery;
    found.path = scratch.find(g_.view(), record.u, record.v);
    return;
  }
  const WalkRule rule = recovery_rule(rules);
  const WalkQuery query = recovery_query(record);
  found.walker = hit.walker;
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

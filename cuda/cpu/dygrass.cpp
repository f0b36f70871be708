// Loading a stream, insertions and weight changes.
#include "cpu/dygrass.hpp"

#include <chrono>
#include <cmath>

#include "cpu/parallel_each.hpp"

namespace gs {

void Dygrass::load(int64_t n, const int64_t* u, const int64_t* v, const double* w,
                   const bool* sparse, int64_t m, bool core) {
  Buffer<int32_t> dense_degree, sparse_degree;
  dense_degree.resize(n, 0);
  sparse_degree.resize(n, 0);
  for (int64_t i = 0; i < m; ++i)
    for (int64_t x : {u[i], v[i]}) {
      ++dense_degree[x];
      sparse_degree[x] += sparse[i];
    }
  edges_.reserve(m);
  g_.layout(dense_degree);
  h_.layout(sparse_degree);
  for (int64_t i = 0; i < m; ++i) {
    const int32_t e = edges_.add(static_cast<int32_t>(u[i]), static_cast<int32_t>(v[i]), w[i]);
    g_.insert(e);
    if (sparse[i]) h_.insert(e);
  }
  rebuild(core);
}

void Dygrass::rebuild(bool core) {
  in_core_ = core;
  sparse_count_ = 0;
  for (int32_t e = 0; e < edges_.rows(); ++e) sparse_count_ += edges_.alive(e) && edges_.sparse(e);
  core_.grow_nodes(num_nodes());
  if (core) core_.build();
}

void Dygrass::grow_nodes(int64_t n) {
  g_.grow_nodes(n);
  h_.grow_nodes(n);
  core_.grow_nodes(n);
}

void Dygrass::add_sparse(int32_t e) {
  h_.insert(e);
  if (in_core_) core_.attach(e);
  ++sparse_count_;
}

void Dygrass::drop_sparse(int32_t e) {
  if (in_core_) core_.detach(e);
  h_.remove(e);
  --sparse_count_;
}

Plan Dygrass::plan(const TestRecord& record) const {
  Plan plan{kByWalk, 0.0, {record.id, record.w, 0.0, record.u, record.v}};
  if (!in_core_) return plan;
  const Climb a = core_.climb(record.u), b = core_.climb(record.v);
  if (a.top == b.top) {
    plan.how = kByTree;
    plan.R = core_.tree_resistance(record.u, record.v, core_.meet(record.u, record.v, a, b));
  } else if (!a.anchored || !b.anchored) {
    plan.how = kByComponent;
  } else {
    plan.query = {record.id, record.w, a.off + b.off, a.top, b.top};
  }
  return plan;
}

namespace {

// What a plan and its walk, if there was one, say of an insertion.
void decide(TestRecord& record, const Plan& plan, const Hit& hit, const WalkRule& rule) {
  const bool by_tree = plan.how == kByTree;
  const bool rejected = by_tree ? plan.R * record.w < rule.limit : hit.walker >= 0;
  record.how = plan.how;
  record.accepted = !rejected;
  record.R = !rejected ? std::nan("") : by_tree ? plan.R : hit.R;
  record.walker = hit.walker;
  record.rechecked = rule.phase == kRecheck;
}

}  // namespace

WalkRule Dygrass::insertion_rule(const StreamRules& rules, WalkPhase phase) const {
  return {rules.seed, rules.limit,     rules.max_steps, rules.walkers,
          phase,      rules.both_ends, in_core_};
}

// Decide one insertion on H as it is; returns the steps walked.
int64_t Dygrass::test(TestRecord& record, const WalkRule& rule) const {
  const Plan how = plan(record);
  Search result{no_hit(), 0};
  if (how.how == kByWalk)
    result = in_core_ ? first_hit<true>(h_.view(), rule, how.query)
                      : first_hit<false>(h_.view(), rule, how.query);
  decide(record, how, result.best, rule);
  return result.steps;
}

// The same for many insertions whose walks are made elsewhere.
int64_t Dygrass::test_elsewhere(const std::vector<TestRecord*>& records, const WalkRule& rule,
                                int threads) {
  std::vector<Plan> plans(records.size());
  parallel_each(static_cast<int64_t>(records.size()), threads, [&](int64_t i, int) {
    plans[static_cast<size_t>(i)] = plan(*records[static_cast<size_t>(i)]);
    return 0;
  });
  WalkBatch batch{true, false, rule, {}};
  for (const Plan& p : plans)
    if (p.how == kByWalk) batch.queries.push_back(p.query);
  std::vector<Hit> hits(batch.queries.size());
  const int64_t steps = hits.empty() ? 0 : walks_(h_, batch, hits);
  auto hit = hits.begin();
  for (size_t i = 0; i < records.size(); ++i)
    decide(*records[i], plans[i], plans[i].how == kByWalk ? *hit++ : no_hit(), rule);
  return steps;
}

void Dygrass::test_all(BatchLog& log, const std::vector<Candidate>& which, size_t begin, size_t end,
                       const WalkRule& rule, int threads) {
  const auto start = std::chrono::steady_clock::now();
  const auto record = [&](int64_t i) {
    return &log.tests[which[begin + static_cast<size_t>(i)].record];
  };
  const auto count = static_cast<int64_t>(end - begin);
  if (walks_) {
    std::vector<TestRecord*> records;
    for (int64_t i = 0; i < count; ++i) records.push_back(record(i));
    log.steps += test_elsewhere(records, rule, threads);
  } else {
    log.steps +=
        parallel_each(count, threads, [&](int64_t i, int) { return test(*record(i), rule); });
  }
  log.search_seconds +=
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// Add what the first test let pass.  With recheck the chunks after the first are tested again, each
// against H with the chunks before it: many edges of one batch may close the same gap.
void Dygrass::accept(BatchLog& log, std::vector<Candidate>& open, const StreamRules& rules,
                     int threads) {
  const WalkRule rule = insertion_rule(rules, kRecheck);
  size_t begin = 0;
  size_t chunk = rules.first_chunk > 0 ? static_cast<size_t>(rules.first_chunk) : open.size();
  while (begin < open.size()) {
    const size_t end = std::min(open.size(), begin + chunk);
    if (begin > 0) test_all(log, open, begin, end, rule, threads);
    for (size_t i = begin; i < end; ++i)
      if (log.tests[open[i].record].accepted) add_sparse(open[i].eid);
    begin = end;
    chunk *= 2;
  }
}

void Dygrass::insert_some(BatchLog& log, const std::vector<NetEdit>& edits, size_t begin,
                          size_t end, const StreamRules& rules, uint64_t first_id, int threads) {
  constexpr size_t ahead = 12;
  std::vector<Candidate> fresh;
  fresh.reserve(end - begin);
  for (size_t i = begin; i < end; ++i) {
    if (i + ahead < end) {
      edges_.prefetch(edits[i + ahead].u, edits[i + ahead].v);
      g_.prefetch_node(edits[i + ahead].u);
      g_.prefetch_node(edits[i + ahead].v);
    }
    if (i + ahead / 2 < end) {
      g_.prefetch_end(edits[i + ahead / 2].u);
      g_.prefetch_end(edits[i + ahead / 2].v);
    }
    const NetEdit& edit = edits[i];
    int32_t e = edit.eid;
    if (e < 0) {
      e = edges_.add(edit.u, edit.v, edit.after);
      g_.insert(e);
    }
    fresh.push_back({e, log.tests.size()});
    log.tests.push_back({first_id + static_cast<uint64_t>(edit.op), edit.after, 0.0, edit.u, edit.v,
                         -1, 0, 0, 0, 0});
  }
  const WalkRule rule = insertion_rule(rules, kInsertion);
  test_all(log, fresh, 0, fresh.size(), rule, threads);
  std::vector<Candidate> open;
  for (const Candidate& c : fresh)
    if (log.tests[c.record].accepted) open.push_back(c);
  accept(log, open, rules, threads);
}

int64_t sub_batch_size(const StreamRules& rules, size_t batch) {
  if (rules.sub_batch > 0) return rules.sub_batch;
  return std::max<int64_t>(1024, (static_cast<int64_t>(batch) + 9) / 10);
}

void Dygrass::insert_all(BatchLog& log, const std::vector<NetEdit>& edits, const StreamRules& rules,
                         uint64_t first_id, int threads) {
  const auto size = static_cast<size_t>(sub_batch_size(rules, edits.size()));
  log.tests.reserve(edits.size());
  for (size_t begin = 0; begin < edits.size();) {
    const size_t end = edits.size() - begin > size ? begin + size : edits.size();
    insert_some(log, edits, begin, end, rules, first_id, threads);
    begin = end;
  }
}

// New weights in G and H.  Returns the insertions together with the edges that grew in G alone:
// H may need them now.
std::vector<NetEdit> Dygrass::change_all(BatchLog& log, const NetBatch& net, uint64_t first_id) {
  std::vector<NetEdit> tested;
  for (const NetEdit& edit : net.changes) {
    const int32_t e = edit.eid;
    const bool in_sparse = edges_.sparse(e);
    const double r = 1.0 / edit.after;
    edges_[e].w = edit.after;
    g_.set_resistance(e, r);
    if (in_sparse) {
      h_.set_resistance(e, r);
      if (in_core_) core_.set_resistance(e, r);
    }
    const bool test = !in_sparse && edit.after > edit.before;
    if (test) tested.push_back(edit);
    log.changes.push_back({first_id + static_cast<uint64_t>(edit.op),
                           edit.before,
                           edit.after,
                           edit.u,
                           edit.v,
                           in_sparse,
                           test,
                           {}});
  }
  std::vector<NetEdit> merged(tested.size() + net.insertions.size());
  std::merge(tested.begin(), tested.end(), net.insertions.begin(), net.insertions.end(),
             merged.begin(), [](const NetEdit& a, const NetEdit& b) { return a.op < b.op; });
  return merged;
}

BatchLog Dygrass::apply(const NetBatch& net, const StreamRules& rules, uint64_t first_id,
                        int threads) {
  BatchLog log;
  if (static_cast<int>(scratch_.size()) < threads) scratch_.resize(static_cast<size_t>(threads));
  delete_all(log, net.deletions, rules, first_id, threads);
  insert_all(log, change_all(log, net, first_id), rules, first_id, threads);
  g_.compact_if_idle();
  h_.compact_if_idle();
  return log;
}

BatchLog Dygrass::retest(const StreamRules& rules, uint64_t first_id, int threads) {
  std::vector<NetEdit> edits;
  for (int32_t e = 0; e < edges_.rows(); ++e)
    if (edges_.alive(e) && !edges_.sparse(e))
      edits.push_back({0, edges_[e].w, edges_[e].w, edges_[e].u, edges_[e].v, e});
  std::sort(edits.begin(), edits.end(),
            [](const NetEdit& a, const NetEdit& b) { return a.u != b.u ? a.u < b.u : a.v < b.v; });
  for (size_t i = 0; i < edits.size(); ++i) edits[i].op = static_cast<int64_t>(i);
  BatchLog log;
  insert_all(log, edits, rules, first_id, threads);
  return log;
}

}  // namespace gs

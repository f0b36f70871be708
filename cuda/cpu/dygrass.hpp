// dyGRASS on the host: a graph G, its sparsifier H and the rules that keep H close to G while edges
// come and go.  One object is one stream; every method leaves results that do not depend on
// threads.
#pragma once
#include <string>

#include "cpu/net_batch.hpp"
#include "cpu/path_search.hpp"
#include "cpu/two_core.hpp"
#include "cpu/walk_batch.hpp"
#include "cpu/walk_round.hpp"

namespace gs {

struct StreamRules {
  uint64_t seed;
  double limit;         // K
  int32_t walkers;      // W
  int32_t max_steps;    // T
  int64_t sub_batch;    // 0: max(1024, a tenth of the batch)
  int64_t first_chunk;  // of the recheck; 0: no recheck
  int32_t recovery_walkers, recovery_steps;
  bool both_ends;
  bool exact_recovery;  // engine of deletions
  bool redundancy_check;
};

enum How : uint8_t { kByWalk = 0, kByTree = 1, kByComponent = 2 };

// Rows of the report; Python reads them as structured arrays, so their layout is fixed.
struct TestRecord {
  uint64_t id;
  double w, R;  // R is NaN if the edge was accepted
  int32_t u, v;
  int32_t walker;  // -1: none
  uint8_t accepted, how, rechecked, unused;
};
struct DeletionRecord {
  uint64_t id;
  double w, R;
  int64_t path_end, added_end;  // ends of its pieces of path_nodes and added
  int32_t u, v;
  int32_t walker;
  uint8_t in_sparsifier, fallback, disconnected, redundant;
};
struct ChangeRecord {
  uint64_t id;
  double before, after;
  int32_t u, v;
  uint8_t in_sparsifier, tested, unused[6];
};
struct EdgeTriple {
  double w;
  int32_t u, v;
};
static_assert(sizeof(TestRecord) == 40 && sizeof(DeletionRecord) == 56, "read by Python");
static_assert(sizeof(ChangeRecord) == 40 && sizeof(EdgeTriple) == 16, "read by Python");

struct BatchLog {
  std::vector<TestRecord> tests;
  std::vector<DeletionRecord> deletions;
  std::vector<ChangeRecord> changes;
  std::vector<int32_t> path_nodes;
  std::vector<EdgeTriple> added;  // by recoveries
  std::vector<EdgeTriple> repaired;
  int64_t steps = 0;
  double search_seconds = 0.0;  // in walks and path searches: the part that runs in parallel
};

// How one insertion is to be decided: at once, or by a walk.
struct Plan {
  How how;
  double R;  // with kByTree
  WalkQuery query;
};

class Dygrass {
 public:
  Dygrass() : g_(edges_, kGraph), h_(edges_, kSparse), core_(edges_, h_) {}
  Dygrass(const Dygrass&) = delete;
  Dygrass& operator=(const Dygrass&) = delete;

  // Edges u < v, sorted, without repeats.
  void load(int64_t n, const int64_t* u, const int64_t* v, const double* w, const bool* sparse,
            int64_t m, bool core);
  void grow_nodes(int64_t n);

  BatchLog apply(const NetBatch& net, const StreamRules& rules, uint64_t first_id, int threads);
  // Test every edge of G that H lacks, in (u, v) order, with the next ids.
  BatchLog retest(const StreamRules& rules, uint64_t first_id, int threads);

  // First broken invariant, or an empty text.
  std::string check() const;

  int64_t num_nodes() const { return g_.num_nodes(); }
  const EdgeTable& edges() const { return edges_; }
  EdgeTable& edges() { return edges_; }
  const Adjacency& rows(bool sparse) const { return sparse ? h_ : g_; }
  Adjacency& rows(bool sparse) { return sparse ? h_ : g_; }
  const TwoCore& core() const { return core_; }
  int64_t sparse_count() const { return sparse_count_; }
  bool walks_in_core() const { return in_core_; }
  // After rows of G and H were written: count, and peel H for the core space.
  void rebuild(bool core);
  // Who makes the walks; nobody: the threads of the CPU.
  void set_walks(WalkMaker walks) { walks_ = std::move(walks); }

 private:
  struct Found {
    Path path;
    int32_t walker = -1;
    bool fallback = false, redundant = false;
    int64_t steps = 0;
  };
  struct Candidate {
    int32_t eid;
    size_t record;
  };

  Plan plan(const TestRecord& record) const;
  WalkRule insertion_rule(const StreamRules& rules, WalkPhase phase) const;
  int64_t test(TestRecord& record, const WalkRule& rule) const;
  int64_t test_elsewhere(const std::vector<TestRecord*>& records, const WalkRule& rule,
                         int threads);
  void test_all(BatchLog& log, const std::vector<Candidate>& which, size_t begin, size_t end,
                const WalkRule& rule, int threads);
  void insert_all(BatchLog& log, const std::vector<NetEdit>& edits, const StreamRules& rules,
                  uint64_t first_id, int threads);
  void insert_some(BatchLog& log, const std::vector<NetEdit>& edits, size_t begin, size_t end,
                   const StreamRules& rules, uint64_t first_id, int threads);
  void accept(BatchLog& log, std::vector<Candidate>& open, const StreamRules& rules, int threads);
  std::vector<NetEdit> change_all(BatchLog& log, const NetBatch& net, uint64_t first_id);

  void delete_all(BatchLog& log, const std::vector<NetEdit>& edits, const StreamRules& rules,
                  uint64_t first_id, int threads);
  void delete_some(BatchLog& log, const std::vector<NetEdit>& edits, size_t begin, size_t end,
                   const StreamRules& rules, uint64_t first_id, int threads);
  std::vector<Found> search_all(BatchLog& log, size_t begin, const StreamRules& rules, int threads);
  int64_t search_elsewhere(std::vector<Found>& found, const std::vector<size_t>& open,
                           const DeletionRecord* records, const StreamRules& rules, int threads);
  void search(Found& found, const DeletionRecord& record, const StreamRules& rules,
              PathSearch& scratch) const;
  void follow(Found& found, const DeletionRecord& record, const StreamRules& rules, const Hit& hit,
              PathSearch& scratch) const;
  void put_back(BatchLog& log, DeletionRecord& record, const Found& found);
  void repair(BatchLog& log, size_t begin);

  void add_sparse(int32_t e);
  void drop_sparse(int32_t e);

  EdgeTable edges_;
  Adjacency g_, h_;
  TwoCore core_;
  std::vector<PathSearch> scratch_;  // one per thread
  WalkMaker walks_;
  int64_t sparse_count_ = 0;
  bool in_core_ = false;
};

}  // namespace gs

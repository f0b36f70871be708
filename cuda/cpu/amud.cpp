// Label statistics of the patterns AA, AA' and A'A of a digraph without loops and parallel arcs.
//   amud_paths    with path counts: one pass over the nodes, no product is formed
//   amud_support  of the 0/1 support: a stamped two-step walk from each row
// Counts are integers, so they do not depend on the number of threads.
#include "core/amud.hpp"

#include "cpu/bindings.hpp"
#include "cpu/parallel.hpp"

namespace gs {
namespace {

using Wide = __int128;

struct Arcs {
  CsrView<int32_t> out, in;
};

// Sums over the nodes; see graphsparse/patterns/counts.py for their names.
constexpr int kSums = 11;
struct Sums {
  Wide value[kSums] = {};
  void add(int at, int64_t x) { value[at] += x; }
};

// Records are of 8 and 16 bytes: none crosses a cache line, and a pass touches no more than it
// needs.
struct NodeCounts {
  int32_t out, in;  // labelled neighbours
};
struct NodeMatches {
  int64_t aa, fork;  // paths of AA, and of AA' or A'A, to a node of the same label
};

constexpr int64_t kAhead = 24;  // arcs ahead whose nodes are fetched, beyond the end of a row too

// Codes of a row, gathered once.
template <class Code>
const Code* gather(const CsrView<int32_t>& g, int64_t v, const Code* codes,
                   std::vector<Code>& room) {
  const int64_t size = g.end(v) - g.begin(v);
  const int32_t* row = g.indices + g.begin(v);
  const int64_t left = g.num_arcs() - g.begin(v);
  for (int64_t k = 0; k < size; ++k) {
    if (k + kAhead < left) __builtin_prefetch(codes + row[k + kAhead]);
    room[static_cast<size_t>(k)] = codes[row[k]];
  }
  return room.data();
}

template <class Code>
struct PathTask {
  Arcs arcs;
  const Code* codes;
  int64_t classes;
  bool alone;           // one thread: plain additions
  NodeCounts* counts;   // (n,)
  int32_t* shared;      // (n,) neighbours both ways
  NodeMatches* starts;  // (n,) or null: of paths that start here, with those of AA'
  NodeMatches* ends;    // (n,) or null: of paths that end here, with those of A'A
};

inline void add(int64_t& to, int64_t value, bool alone) {
  if (alone)
    to += value;
  else
    __atomic_fetch_add(&to, value, __ATOMIC_RELAXED);
}

template <class Code>
struct Scratch {
  Scratch(int64_t classes, int64_t longest)
      : out_histogram(static_cast<size_t>(classes) + 1),
        in_histogram(out_histogram),
        out_room(static_cast<size_t>(longest)),
        in_room(out_room) {}
  std::vector<int32_t> out_histogram, in_histogram;
  std::vector<Code> out_room, in_room;
};

// Tell the neighbours in a row how many of the nodes behind v have their label.
template <class Code>
void scatter_matches(const PathTask<Code>& task, const CsrView<int32_t>& g, int64_t v,
                     const Code* codes, const int32_t* aa, const int32_t* fork,
                     NodeMatches* matches) {
  for (int64_t e = g.begin(v), k = 0; e < g.end(v); ++e, ++k) {
    if (e + kAhead < g.num_arcs()) __builtin_prefetch(matches + g.indices[e + kAhead], 1);
    const Code c = codes[k];
    if (static_cast<int64_t>(c) == task.classes) continue;
    NodeMatches& to = matches[g.indices[e]];
    add(to.aa, aa[c], task.alone);
    add(to.fork, fork[c], task.alone);
  }
}

template <class Code>
void count_node(const PathTask<Code>& task, int64_t v, Scratch<Code>& s, Sums& sums) {
  const CsrView<int32_t>&out = task.arcs.out, &in = task.arcs.in;
  const int64_t outs = out.end(v) - out.begin(v), ins = in.end(v) - in.begin(v);
  const Code* out_codes = gather(out, v, task.codes, s.out_room);
  const Code* in_codes = gather(in, v, task.codes, s.in_room);
  int32_t *f = s.out_histogram.data(), *b = s.in_histogram.data();
  const LabelTotals ahead = fill_histogram(out_codes, outs, f, task.classes);
  const LabelTotals behind = fill_histogram(in_codes, ins, b, task.classes);
  sums.add(0, behind.count * ahead.count);
  sums.add(1, behind.count * behind.count);
  sums.add(2, ahead.count * ahead.count);
  sums.add(3, match_histogram(in_codes, ins, f, task.classes));
  sums.add(4, behind.squares);
  sums.add(5, ahead.squares);
  const Shared shared = shared_entries(out.indices + out.begin(v), outs, in.indices + in.begin(v),
                                       ins, task.codes, task.classes);
  const Code own = task.codes[v];
  if (static_cast<int64_t>(own) != task.classes) {
    sums.add(6, shared.all);
    sums.add(7, outs);
    sums.add(8, ins);
    sums.add(9, f[own]);
    sums.add(10, shared.labelled);
  }
  task.counts[v] = {static_cast<int32_t>(ahead.count), static_cast<int32_t>(behind.count)};
  task.shared[v] = static_cast<int32_t>(shared.all);
  if (task.starts) {
    scatter_matches(task, in, v, in_codes, f, b, task.starts);
    scatter_matches(task, out, v, out_codes, b, f, task.ends);
  }
  clear_histogram(out_codes, outs, f);
  clear_histogram(in_codes, ins, b);
}

// Rows of (pairs, matches) of the nodes in AA, AA' and A'A, start and end together, from the
// scattered matches.  The path from a node back to itself is taken out.
template <class Code>
void node_row(const PathTask<Code>& task, int64_t i, int64_t* row) {
  const CsrView<int32_t>&out = task.arcs.out, &in = task.arcs.in;
  int64_t aa = 0, aat = 0, ata = 0;
  for (int64_t e = out.begin(i); e < out.end(i); ++e) {
    if (e + kAhead < out.num_arcs()) __builtin_prefetch(task.counts + out.indices[e + kAhead]);
    const NodeCounts& far = task.counts[out.indices[e]];
    aa += far.out;
    aat += far.in;
  }
  for (int64_t e = in.begin(i); e < in.end(i); ++e) {
    if (e + kAhead < in.num_arcs()) __builtin_prefetch(task.counts + in.indices[e + kAhead]);
    const NodeCounts& far = task.counts[in.indices[e]];
    aa += far.in;
    ata += far.out;
  }
  const bool labelled = static_cast<int64_t>(task.codes[i]) != task.classes;
  const int64_t outs = out.end(i) - out.begin(i), ins = in.end(i) - in.begin(i);
  const NodeMatches &start = task.starts[i], &end = task.ends[i];
  path_row({aa, aat, ata}, {start.aa + end.aa, start.fork, end.fork}, task.shared[i], outs, ins,
           labelled, row);
}

constexpr int64_t kRows = 512;  // rows that a thread takes at a time

int64_t longest_row(const Arcs& arcs) {
  int64_t most = 0;
  for (const CsrView<int32_t>& g : {arcs.out, arcs.in})
    for (int64_t v = 0; v < g.num_nodes; ++v) most = std::max(most, g.end(v) - g.begin(v));
  return most;
}

template <class Code>
void run_paths(const PathTask<Code>& task, int threads, Sums& sums, int64_t* rows) {
  const int64_t n = task.arcs.out.num_nodes, blocks = (n + kRows - 1) / kRows;
  std::vector<Scratch<Code>> room(static_cast<size_t>(threads),
                                  Scratch<Code>(task.classes, longest_row(task.arcs)));
#pragma omp parallel num_threads(threads)
  {
    Scratch<Code>& scratch = room[static_cast<size_t>(omp_get_thread_num())];
    Sums own;
#pragma omp for schedule(dynamic, 1)
    for (int64_t p = 0; p < blocks; ++p)
      for (int64_t v = p * kRows; v < std::min(n, (p + 1) * kRows); ++v)
        count_node(task, v, scratch, own);
#pragma omp critical
    for (int k = 0; k < kSums; ++k) sums.value[k] += own.value[k];
#pragma omp for schedule(dynamic, 1)
    for (int64_t p = 0; p < blocks; ++p)
      for (int64_t v = p * kRows; rows && v < std::min(n, (p + 1) * kRows); ++v)
        node_row(task, v, rows + 6 * v);
  }
}

// (sums as (low, high) words, out, in: labelled neighbours of each node, node rows (n, 6)).
template <class Code>
nb::tuple amud_paths(In<int64_t> out_ptr, In<int32_t> out_idx, In<int64_t> in_ptr,
                     In<int32_t> in_idx, In<Code> codes, int64_t classes, bool per_node,
                     int num_threads) {
  const Arcs arcs{view(out_ptr, out_idx), view(in_ptr, in_idx)};
  const int64_t n = arcs.out.num_nodes;
  Fresh<uint64_t> words(2 * kSums);
  Fresh<int32_t> ahead(n), behind(n);
  Fresh<int64_t> rows(per_node ? 6 * n : 0);
  {
    nb::gil_scoped_release free;
    const int threads = threads_for(arcs.out.num_arcs(), num_threads);
    const Fresh<NodeCounts> counts(n);
    const Fresh<int32_t> shared(n);
    const Fresh<NodeMatches> matches(per_node ? 2 * n : 0);
    NodeMatches* starts = per_node ? matches.data.get() : nullptr;
    std::fill(matches.data.get(), matches.data.get() + matches.size, NodeMatches{0, 0});
    const PathTask<Code> task{arcs,
                              codes.data(),
                              classes,
                              threads == 1,
                              counts.data.get(),
                              shared.data.get(),
                              starts,
                              per_node ? starts + n : nullptr};
    Sums sums;
    run_paths(task, threads, sums, per_node ? rows.data.get() : nullptr);
    for (int k = 0; k < kSums; ++k) {
      words.data[2 * k] = static_cast<uint64_t>(sums.value[k]);
      words.data[2 * k + 1] = static_cast<uint64_t>(sums.value[k] >> 64);
    }
    for (int64_t v = 0; v < n; ++v) {
      ahead.data[v] = counts.data[v].out;
      behind.data[v] = counts.data[v].in;
    }
  }
  return nb::make_tuple(words.release(), ahead.release(), behind.release(), rows.release());
}

enum Pattern : int { kTwoOut = 0, kCoupling = 1, kCocitation = 2 };

// For each of `rows`: its pairs and matches; with `ends`, of AA those that end in it, and how many
// of its pairs stand in both directions, summed.  AA' and A'A are symmetric.
nb::tuple amud_support(In<int64_t> out_ptr, In<int32_t> out_idx, In<int64_t> in_ptr,
                       In<int32_t> in_idx, In<uint32_t> codes, uint32_t classes, In<int32_t> rows,
                       int pattern, bool ends, int num_threads) {
  const CsrView<int32_t> out = view(out_ptr, out_idx), in = view(in_ptr, in_idx);
  const int64_t n = out.num_nodes, count = static_cast<int64_t>(rows.shape(0));
  const bool both = ends && pattern == kTwoOut;
  Fresh<uint32_t> pairs(count), matches(count), end_pairs(both ? count : 0),
      end_matches(both ? count : 0);
  int64_t returned = 0;
  {
    nb::gil_scoped_release free;
    const CsrView<int32_t>& first = pattern == kCocitation ? in : out;
    const CsrView<int32_t>& second = pattern == kCoupling ? in : out;
    const int threads = threads_for(out.num_arcs(), num_threads);
    std::vector<Fresh<Mark>> marks;
    for (int t = 0; t < threads; ++t) marks.emplace_back(n);
    const int64_t step = std::max<int64_t>(1024, count / 64);
#pragma omp parallel for num_threads(threads) schedule(static, 1)
    for (int t = 0; t < threads; ++t)
      for (int64_t v = 0; v < n; ++v) marks[t].data[v] = {0, codes.data()[v]};
    for (int64_t start = 0; start < count; start += step) {
      check_signals();
      const int64_t stop = std::min(count, start + step);
#pragma omp parallel for num_threads(threads) schedule(dynamic, 8) reduction(+ : returned)
      for (int64_t k = start; k < stop; ++k) {
        Mark* mine = marks[static_cast<size_t>(omp_get_thread_num())].data.get();
        const uint32_t stamp = 2 * static_cast<uint32_t>(k) + 1;
        const int64_t i = rows.data()[k];
        const Reached from = two_steps(first, second, i, stamp, 0, classes, mine);
        pairs.data[k] = from.pairs;
        matches.data[k] = from.matches;
        if (!both) continue;
        // Nodes that both walks reach bear the stamp of the first when the second finds them.
        const Reached to = two_steps(in, in, i, stamp + 1, stamp, classes, mine);
        end_pairs.data[k] = to.pairs;
        end_matches.data[k] = to.matches;
        returned += to.returned;
      }
    }
  }
  return nb::make_tuple(pairs.release(), matches.release(), end_pairs.release(),
                        end_matches.release(), returned);
}

template <class Code>
void bind_paths(nb::module_& m) {
  using namespace nb::literals;
  m.def("amud_paths", &amud_paths<Code>, "out_ptr"_a, "out_idx"_a, "in_ptr"_a, "in_idx"_a,
        "codes"_a.noconvert(), "classes"_a, "per_node"_a, "threads"_a);
}

}  // namespace

void bind_amud(nb::module_& m) {
  using namespace nb::literals;
  bind_paths<uint8_t>(m);
  bind_paths<uint32_t>(m);
  m.def("amud_support", &amud_support, "out_ptr"_a, "out_idx"_a, "in_ptr"_a, "in_idx"_a, "codes"_a,
        "classes"_a, "rows"_a, "pattern"_a, "ends"_a, "threads"_a);
}

}  // namespace gs

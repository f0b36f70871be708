// Forest fires: how often each edge burns.
#include <algorithm>
#include <cstring>

#include "core/philox.hpp"
#include "cpu/bindings.hpp"
#include "cpu/parallel.hpp"

namespace gs {
namespace {

struct Forest {
  CsrView<int32_t> arcs;
  const int32_t* edge;   // edge number of every arc
  const int32_t* nodes;  // nodes with an arc, ascending
  int64_t num_nodes;
};

struct Burning {
  uint64_t seed;
  uint32_t domain;
  double p;
};

uint64_t below(uint64_t bits, uint64_t count) {
  return static_cast<uint64_t>((static_cast<unsigned __int128>(bits) * count) >> 64);
}

// Marks of one thread: a node is visited if it bears the number of the fire.
struct Ashes {
  std::vector<int32_t> seen;
  std::vector<int32_t> queue;
  std::vector<int32_t> list;  // arcs of a node, from its first, to nodes not visited by then
};

// One fire; returns the edges that burn, one after the other.
void burn(const Forest& forest, const Burning& how, int32_t fire, Ashes& s,
          std::vector<int32_t>& burnt) {
  const CsrView<int32_t>& g = forest.arcs;
  const auto next = [&](uint32_t t) {
    return draw(how.seed, static_cast<uint64_t>(fire), t, how.domain);
  };
  const auto fresh = [&](int64_t i) { return s.seen[static_cast<size_t>(g.indices[i])] != fire; };
  const uint64_t first = below(next(0).a, static_cast<uint64_t>(forest.num_nodes));
  const int32_t start = forest.nodes[first];
  s.seen[static_cast<size_t>(start)] = fire;
  s.queue.assign(1, start);
  uint32_t t = 1;
  for (size_t at = 0; at < s.queue.size(); ++at) {
    const int64_t v = s.queue[at];
    int64_t i = g.begin(v);
    while (i < g.end(v) && !fresh(i)) ++i;
    if (i == g.end(v)) continue;
    Draw d = next(t++);
    if (!(u01(d.a) < how.p)) continue;
    const int64_t begin = i;
    const int32_t degree = static_cast<int32_t>(g.end(v) - begin);
    int32_t* list = s.list.data();
    size_t left = 0;
    for (int32_t k = 0; k < degree; ++k) {
      list[left] = k;
      left += fresh(begin + k);
    }
    while (true) {
      const size_t j = static_cast<size_t>(below(d.b, left));
      const int64_t arc = begin + list[j];
      burnt.push_back(forest.edge[arc]);
      s.seen[static_cast<size_t>(g.indices[arc])] = fire;
      s.queue.push_back(g.indices[arc]);
      list[j] = list[--left];
      if (!left) break;
      d = next(t++);
      if (!(u01(d.a) < how.p)) break;
    }
  }
}

// Fires of the next round: those that are missing by the mean of the past ones, within limits.
int64_t round_size(int64_t fires, int64_t total, double enough, int64_t threads, int64_t chunk) {
  const double mean = fires ? static_cast<double>(total) / static_cast<double>(fires) : enough;
  const double missing = (enough - static_cast<double>(total)) / std::max(mean, 1e-9);
  return std::max<int64_t>(
      1, static_cast<int64_t>(std::clamp<double>(
             missing, static_cast<double>(std::min(threads, chunk)), static_cast<double>(chunk))));
}

// (times each edge burnt, fires).  At most `chunk` fires run at a time; those behind the one that
// reaches `enough` burnt edges do not count, so the result depends on neither chunks nor threads.
nb::tuple forest_fire(In<int64_t> indptr, In<int32_t> indices, In<int32_t> edge_of_arc,
                      In<int32_t> nodes, int64_t num_edges, uint64_t seed, uint32_t domain,
                      double p, double enough, int64_t chunk, int num_threads) {
  const Forest forest{view(indptr, indices), edge_of_arc.data(), nodes.data(),
                      static_cast<int64_t>(nodes.shape(0))};
  Fresh<int32_t> count(num_edges);
  int64_t fires = 0;
  {
    nb::gil_scoped_release free;
    std::memset(count.data.get(), 0, static_cast<size_t>(num_edges) * sizeof(int32_t));
    const int threads = threads_for(forest.arcs.num_arcs(), num_threads);
    std::vector<Ashes> ashes(static_cast<size_t>(threads));
    int64_t most = 0;
    for (int64_t v = 0; v < forest.arcs.num_nodes; ++v)
      most = std::max(most, forest.arcs.end(v) - forest.arcs.begin(v));
    for (Ashes& s : ashes) {
      s.seen.assign(static_cast<size_t>(forest.arcs.num_nodes), -1);
      s.list.resize(static_cast<size_t>(most) + 1);
    }
    std::vector<std::vector<int32_t>> burnt(static_cast<size_t>(chunk));
    int64_t total = 0;
    bool done = forest.num_nodes == 0;
    while (!done) {
      check_signals();
      const int64_t round = round_size(fires, total, enough, threads, chunk);
#pragma omp parallel for num_threads(threads) schedule(dynamic, 1)
      for (int64_t k = 0; k < round; ++k) {
        std::vector<int32_t>& mine = burnt[static_cast<size_t>(k)];
        mine.clear();
        burn(forest, {seed, domain, p}, static_cast<int32_t>(fires + k),
             ashes[static_cast<size_t>(omp_get_thread_num())], mine);
      }
      for (int64_t k = 0; k < round && !done; ++k) {
        for (const int32_t e : burnt[static_cast<size_t>(k)]) ++count.data[e];
        total += static_cast<int64_t>(burnt[static_cast<size_t>(k)].size());
        ++fires;
        done = static_cast<double>(total) >= enough;
      }
    }
  }
  return nb::make_tuple(count.release(), fires);
}

}  // namespace

void bind_fire(nb::module_& m) {
  using namespace nb::literals;
  m.def("forest_fire", &forest_fire, "indptr"_a, "indices"_a, "edge_of_arc"_a, "nodes"_a,
        "num_edges"_a, "seed"_a, "domain"_a, "p"_a, "enough"_a, "chunk"_a, "threads"_a);
}

}  // namespace gs

// Python face of the stream.  Arguments are checked by graphsparse/streaming.
#include <nanobind/stl/string.h>

#include "cpu/bindings.hpp"
#include "cpu/dygrass.hpp"
#include "cpu/dygrass_state.hpp"
#include "cpu/parallel.hpp"
#include "cpu/parallel_each.hpp"

namespace gs {

void bind_walks(nb::module_& m, nb::class_<Dygrass>& stream);

namespace {

// Rows of plain structs as bytes; Python gives them their dtype.
template <class Row>
NumpyArray<uint8_t> bytes_of(std::vector<Row>&& rows) {
  auto* kept = new std::vector<Row>(std::move(rows));
  nb::capsule owner(kept, [](void* p) noexcept { delete static_cast<std::vector<Row>*>(p); });
  return NumpyArray<uint8_t>(reinterpret_cast<uint8_t*>(kept->data()), {kept->size() * sizeof(Row)},
                             owner);
}

template <class T>
NumpyArray<T> array_of(const Buffer<T>& values) {
  Fresh<T> out(values.size());
  std::copy(values.begin(), values.end(), out.data.get());
  return out.release();
}

nb::dict report(BatchLog&& log) {
  nb::dict out;
  out["tests"] = bytes_of(std::move(log.tests));
  out["deletions"] = bytes_of(std::move(log.deletions));
  out["changes"] = bytes_of(std::move(log.changes));
  out["path_nodes"] = bytes_of(std::move(log.path_nodes));
  out["added"] = bytes_of(std::move(log.added));
  out["repaired"] = bytes_of(std::move(log.repaired));
  out["steps"] = log.steps;
  out["search_seconds"] = log.search_seconds;
  return out;
}

void load(Dygrass& self, int64_t n, In<int64_t> u, In<int64_t> v, In<double> w, In<bool> sparse,
          bool core) {
  nb::gil_scoped_release free;
  self.load(n, u.data(), v.data(), w.data(), sparse.data(), static_cast<int64_t>(u.shape(0)), core);
}

NetBatch prepare(const Dygrass& self, In<uint8_t> ops, In<int64_t> u, In<int64_t> v, In<double> w) {
  nb::gil_scoped_release free;
  return net_effects(self.edges(), ops.data(), u.data(), v.data(), w.data(),
                     static_cast<int64_t>(ops.shape(0)));
}

nb::dict apply(Dygrass& self, const NetBatch& net, const StreamRules& rules, uint64_t first_id,
               int threads) {
  BatchLog log;
  {
    nb::gil_scoped_release free;
    log = self.apply(net, rules, first_id, resolve_threads(threads));
  }
  return report(std::move(log));
}

nb::dict retest(Dygrass& self, const StreamRules& rules, uint64_t first_id, int threads) {
  BatchLog log;
  {
    nb::gil_scoped_release free;
    log = self.retest(rules, first_id, resolve_threads(threads));
  }
  return report(std::move(log));
}

// Live edges (u, v, w) of G or H.
nb::tuple edges(const Dygrass& self, bool sparse) {
  const EdgeTable& table = self.edges();
  const int64_t m = sparse ? self.sparse_count() : table.count();
  Fresh<int64_t> u(m), v(m);
  Fresh<double> w(m);
  int64_t at = 0;
  for (int32_t e = 0; e < table.rows(); ++e) {
    if (!table.alive(e) || (sparse && !table.sparse(e))) continue;
    u.data[at] = table[e].u;
    v.data[at] = table[e].v;
    w.data[at++] = table[e].w;
  }
  return nb::make_tuple(u.release(), v.release(), w.release());
}

nb::dict save(const Dygrass& self) {
  const EdgeTable& table = self.edges();
  Fresh<int32_t> u(table.rows()), v(table.rows());
  Fresh<double> w(table.rows());
  for (int32_t e = 0; e < table.rows(); ++e) {
    u.data[e] = table[e].u;
    v.data[e] = table[e].v;
    w.data[e] = table.alive(e) ? table[e].w : 0.0;
  }
  const SavedRows dense = save_rows(self.rows(false)), sparse = save_rows(self.rows(true));
  nb::dict out;
  out["edge_u"] = u.release();
  out["edge_v"] = v.release();
  out["edge_w"] = w.release();
  out["first_free"] = table.first_free();
  out["graph_indptr"] = array_of(dense.indptr);
  out["graph_edges"] = array_of(dense.eids);
  out["sparsifier_indptr"] = array_of(sparse.indptr);
  out["sparsifier_edges"] = array_of(sparse.eids);
  return out;
}

void restore_arrays(Dygrass& self, In<int32_t> u, In<int32_t> v, In<double> w, int32_t first_free,
                    In<int64_t> dense_ptr, In<int32_t> dense_eids, In<int64_t> sparse_ptr,
                    In<int32_t> sparse_eids, bool core) {
  nb::gil_scoped_release free;
  restore(self,
          {static_cast<int64_t>(dense_ptr.shape(0)) - 1, static_cast<int64_t>(u.shape(0)), u.data(),
           v.data(), w.data(), first_free, static_cast<int64_t>(dense_eids.shape(0)),
           static_cast<int64_t>(sparse_eids.shape(0)), dense_ptr.data(), sparse_ptr.data(),
           dense_eids.data(), sparse_eids.data()},
          core);
}

// One walker run alone: (hit, R, nodes).
nb::tuple walk(const Dygrass& self, bool sparse, int32_t p, int32_t q, double w, double r0,
               const StreamRules& rules, uint32_t phase, uint64_t id, int32_t number) {
  const bool core = sparse && self.walks_in_core();
  const WalkRule rule{rules.seed,      rules.limit, rules.max_steps, rules.walkers, phase,
                      rules.both_ends, core};
  const WalkQuery query{id, w, r0, p, q};
  std::vector<int32_t> nodes{start_walker(rule, query, number).cur};
  Walker walker;
  int64_t steps = 0;
  const bool hit = run_walker(self.rows(sparse).view(), rule, query, number, kUnbounded, walker,
                              steps, [&nodes](int32_t, int32_t x) { nodes.push_back(x); });
  return nb::make_tuple(hit, walker.R, bytes_of(std::move(nodes)));
}

// (top, off, anchored) of each node.
nb::tuple climb(const Dygrass& self, In<int64_t> nodes) {
  const auto count = static_cast<int64_t>(nodes.shape(0));
  Fresh<int32_t> top(count);
  Fresh<double> off(count);
  Fresh<bool> anchored(count);
  for (int64_t i = 0; i < count; ++i) {
    const Climb c = self.core().climb(static_cast<int32_t>(nodes.data()[i]));
    top.data[i] = c.top;
    off.data[i] = c.off;
    anchored.data[i] = c.anchored;
  }
  return nb::make_tuple(top.release(), off.release(), anchored.release());
}

// Smallest path resistance of each pair, infinite where there is no path.
NumpyArray<double> path_resistances(const Dygrass& self, bool sparse, In<int64_t> u, In<int64_t> v,
                                    int num_threads) {
  const auto count = static_cast<int64_t>(u.shape(0));
  Fresh<double> out(count);
  {
    nb::gil_scoped_release free;
    const int threads = resolve_threads(num_threads);
    std::vector<PathSearch> scratch(static_cast<size_t>(threads));
    parallel_each(count, threads, [&](int64_t i, int thread) {
      const Path path = scratch[static_cast<size_t>(thread)].find(
          self.rows(sparse).view(), static_cast<int32_t>(u.data()[i]),
          static_cast<int32_t>(v.data()[i]));
      out.data[i] = path.found ? path.R : kInf;
      return 0;
    });
  }
  return out.release();
}

void bind_rules(nb::module_& m) {
  nb::class_<StreamRules>(m, "StreamRules")
      .def("__init__", [](StreamRules* self) { new (self) StreamRules{}; })
      .def_rw("seed", &StreamRules::seed)
      .def_rw("limit", &StreamRules::limit)
      .def_rw("walkers", &StreamRules::walkers)
      .def_rw("max_steps", &StreamRules::max_steps)
      .def_rw("sub_batch", &StreamRules::sub_batch)
      .def_rw("first_chunk", &StreamRules::first_chunk)
      .def_rw("recovery_walkers", &StreamRules::recovery_walkers)
      .def_rw("recovery_steps", &StreamRules::recovery_steps)
      .def_rw("both_ends", &StreamRules::both_ends)
      .def_rw("exact_recovery", &StreamRules::exact_recovery)
      .def_rw("redundancy_check", &StreamRules::redundancy_check);
  nb::class_<NetBatch>(m, "NetBatch")
      .def_ro("size", &NetBatch::size)
      .def_ro("loops", &NetBatch::loops)
      .def_ro("missing", &NetBatch::missing)
      .def_ro("zeros", &NetBatch::zeros)
      .def_ro("unchanged", &NetBatch::unchanged)
      .def_ro("first_loop", &NetBatch::first_loop)
      .def_ro("first_missing", &NetBatch::first_missing)
      .def_ro("first_overflow", &NetBatch::first_overflow)
      .def_prop_ro("num_insertions", [](const NetBatch& b) { return b.insertions.size(); });
}

}  // namespace

void bind_dygrass(nb::module_& m) {
  using namespace nb::literals;
  bind_rules(m);
  nb::class_<Dygrass> stream(m, "Dygrass");
  bind_walks(m, stream);
  stream.def(nb::init<>())
      .def("load", &load, "n"_a, "u"_a, "v"_a, "w"_a, "sparse"_a, "core"_a)
      .def("prepare", &prepare, "ops"_a, "u"_a, "v"_a, "w"_a)
      .def("apply", &apply, "net"_a, "rules"_a, "first_id"_a, "threads"_a)
      .def("retest", &retest, "rules"_a, "first_id"_a, "threads"_a)
      .def("grow_nodes", &Dygrass::grow_nodes, "n"_a)
      .def("check", &Dygrass::check)
      .def("edges", &edges, "sparse"_a)
      .def("save", &save)
      .def("restore", &restore_arrays, "edge_u"_a, "edge_v"_a, "edge_w"_a, "first_free"_a,
           "graph_indptr"_a, "graph_edges"_a, "sparsifier_indptr"_a, "sparsifier_edges"_a, "core"_a)
      .def("walk", &walk, "sparse"_a, "p"_a, "q"_a, "w"_a, "r0"_a, "rules"_a, "phase"_a, "id"_a,
           "walker"_a)
      .def("climb", &climb, "nodes"_a)
      .def("path_resistances", &path_resistances, "sparse"_a, "u"_a, "v"_a, "threads"_a)
      .def(
          "pool_size", [](const Dygrass& d, bool sparse) { return d.rows(sparse).pool_size(); },
          "sparse"_a)
      .def_prop_ro("num_nodes", &Dygrass::num_nodes)
      .def_prop_ro("num_edges", [](const Dygrass& d) { return d.edges().count(); })
      .def_prop_ro("num_rows", [](const Dygrass& d) { return d.edges().rows(); })
      .def_prop_ro("num_sparsifier_edges", &Dygrass::sparse_count);
}

}  // namespace gs

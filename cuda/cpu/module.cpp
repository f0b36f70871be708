// The native module: thread settings and the bindings of every kernel file.
#include "cpu/bindings.hpp"
#include "cpu/parallel.hpp"

namespace gs {
std::atomic<bool> in_forked_child{false};
}

NB_MODULE(_native, m) {
  m.doc() = "Compiled kernels of graphsparse.  Arguments are checked by the Python callers.";
  m.def("mark_forked_child", [] { gs::in_forked_child = true; });
  m.def("resolve_threads", &gs::resolve_threads, nanobind::arg("threads"));
  gs::bind_amud(m);
  gs::bind_amud_tracker(m);
  gs::bind_arrival(m);
  gs::bind_attention(m);
  gs::bind_approximate(m);
  gs::bind_build(m);
  gs::bind_components(m);
  gs::bind_dropout(m);
  gs::bind_dropout_linear(m);
  gs::bind_dygrass(m);
  gs::bind_fire(m);
  gs::bind_format(m);
  gs::bind_gin_attention(m);
  gs::bind_gin_update(m);
  gs::bind_head_products(m);
  gs::bind_hop_attention(m);
  gs::bind_hypergraph_core(m);
  gs::bind_hypergraph_walks(m);
  gs::bind_laplacian(m);
  gs::bind_ldl(m);
  gs::bind_ordering(m);
  gs::bind_parse(m);
  gs::bind_parse_rows(m);
  gs::bind_pattern(m);
  gs::bind_project(m);
  gs::bind_recovery(m);
  gs::bind_sample(m);
  gs::bind_segment(m);
  gs::bind_select(m);
  gs::bind_sketch(m);
  gs::bind_sketch_merge(m);
  gs::bind_sketch_start(m);
  gs::bind_sketch_update(m);
  gs::bind_spanner(m);
  gs::bind_sparse_linear(m);
  gs::bind_spmm(m);
  gs::bind_tall_product(m);
  gs::bind_tree(m);
  gs::bind_triangles(m);
  gs::bind_trim(m);
}

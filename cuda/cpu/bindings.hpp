// One binding function per source file; module.cpp calls them all.
#pragma once
#include <nanobind/nanobind.h>

namespace gs {
void bind_amud(nanobind::module_& m);
void bind_amud_tracker(nanobind::module_& m);
void bind_arrival(nanobind::module_& m);
void bind_attention(nanobind::module_& m);
void bind_approximate(nanobind::module_& m);
void bind_build(nanobind::module_& m);
void bind_components(nanobind::module_& m);
void bind_dropout(nanobind::module_& m);
void bind_dropout_linear(nanobind::module_& m);
void bind_dygrass(nanobind::module_& m);
void bind_fire(nanobind::module_& m);
void bind_format(nanobind::module_& m);
void bind_gin_attention(nanobind::module_& m);
void bind_gin_update(nanobind::module_& m);
void bind_head_products(nanobind::module_& m);
void bind_hop_attention(nanobind::module_& m);
void bind_hypergraph_core(nanobind::module_& m);
void bind_hypergraph_walks(nanobind::module_& m);
void bind_laplacian(nanobind::module_& m);
void bind_ldl(nanobind::module_& m);
void bind_ordering(nanobind::module_& m);
void bind_parse(nanobind::module_& m);
void bind_parse_rows(nanobind::module_& m);
void bind_pattern(nanobind::module_& m);
void bind_project(nanobind::module_& m);
void bind_recovery(nanobind::module_& m);
void bind_sample(nanobind::module_& m);
void bind_segment(nanobind::module_& m);
void bind_select(nanobind::module_& m);
void bind_sketch(nanobind::module_& m);
void bind_sketch_merge(nanobind::module_& m);
void bind_sketch_start(nanobind::module_& m);
void bind_sketch_update(nanobind::module_& m);
void bind_spanner(nanobind::module_& m);
void bind_sparse_linear(nanobind::module_& m);
void bind_spmm(nanobind::module_& m);
void bind_tall_product(nanobind::module_& m);
void bind_tree(nanobind::module_& m);
void bind_triangles(nanobind::module_& m);
void bind_trim(nanobind::module_& m);
}  // namespace gs

// A simple undirected graph with its nodes in breadth-first order: ends of an edge lie close to
// each other in memory then, whatever the numbers that the caller gave them.
#pragma once
#include "core/csr.hpp"
#include "cpu/buffer.hpp"

namespace gs {

struct RankedEdge {
  int32_t a, b;  // ranks of the ends
  int64_t id;    // number of the edge
};

struct BreadthFirst {
  Buffer<int32_t> order;     // node of each rank
  Buffer<int32_t> depth;     // layer of each rank; 0: first of its component
  Buffer<RankedEdge> edges;  // by rank of the end u, equal ones by id
};

// Roots: in each component the node of largest degree, lowest number.  The edges (u < v) come in
// the order of their numbers, by u.
BreadthFirst breadth_first(const CsrView<int32_t>& g, const int32_t* u, const int32_t* v,
                           int64_t num_edges);

}  // namespace gs

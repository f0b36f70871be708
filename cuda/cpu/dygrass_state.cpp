// Invariants of a stream, and its saved form.
#include "cpu/dygrass_state.hpp"

#include <cmath>
#include <numeric>

namespace gs {
namespace {

std::string text(const char* what, int64_t where) {
  return std::string(what) + " " + std::to_string(where);
}

// Number of components of the rows of one side.
int64_t components(const Adjacency& rows) {
  Buffer<int32_t> parent;
  parent.resize_raw(rows.num_nodes());
  std::iota(parent.begin(), parent.end(), 0);
  const auto find = [&](int32_t x) {
    while (parent[x] != x) x = parent[x] = parent[parent[x]];
    return x;
  };
  int64_t count = rows.num_nodes();
  for (int32_t x = 0; x < rows.num_nodes(); ++x)
    for (int32_t k = 0; k < rows.degree(x); ++k) {
      const int32_t a = find(x), b = find(rows.row(x)[k].nbr);
      if (a != b) {
        parent[a] = b;
        --count;
      }
    }
  return count;
}

// Does every listed entry agree with the edge table, and is every edge listed at both ends?
std::string check_rows(const EdgeTable& edges, const Adjacency& rows, int64_t count) {
  int64_t entries = 0;
  for (int32_t x = 0; x < rows.num_nodes(); ++x) {
    entries += rows.degree(x);
    for (int32_t k = 0; k < rows.degree(x); ++k) {
      const Entry& entry = rows.row(x)[k];
      const int32_t e = entry.eid;
      if (e < 0 || e >= edges.rows() || !edges.alive(e))
        return text("unknown edge in the row of node", x);
      if (edges[e].u != x && edges[e].v != x) return text("foreign edge in the row of node", x);
      if (entry.nbr != edges.other(e, x) || entry.r != 1.0 / edges[e].w || rows.position(e, x) != k)
        return text("an entry disagrees with the edge table in the row of node", x);
    }
  }
  return entries == 2 * count ? ""
                              : text("entries that no edge accounts for:", entries - 2 * count);
}

std::string check_core(const Adjacency& h, const TwoCore& core) {
  Buffer<int32_t> fresh;
  Buffer<Entry> unused;
  core.peel(fresh, unused);
  for (int32_t x = 0; x < h.num_nodes(); ++x) {
    if (h.core_degree(x) != fresh[x])
      return text("the core degree differs from a fresh peel at node", x);
    for (int32_t k = 0; k < h.degree(x); ++k)
      if ((k < fresh[x]) != (fresh[x] > 0 && fresh[h.row(x)[k].nbr] > 0))
        return text("core and pendant entries are mixed at node", x);
  }
  return core.check_parents();
}

}  // namespace

std::string TwoCore::check_parents() const {
  Buffer<int8_t> safe;  // climbing from here ends
  safe.resize(h_.num_nodes(), 0);
  int64_t pendant_edges = 0, parents = 0;
  for (int32_t start = 0; start < h_.num_nodes(); ++start) {
    pendant_edges += h_.degree(start) - h_.core_degree(start);
    parents += up_[start].nbr >= 0;
    int32_t x = start;
    for (int64_t steps = 0; !safe[x] && up_[x].nbr >= 0; x = up_[x].nbr) {
      const Entry& up = up_[x];
      if (h_.core_degree(x) > 0 || !h_.holds(up.eid) || edges_.other(up.eid, x) != up.nbr ||
          h_.entry(up.eid, x).r != up.r)
        return text("wrong parent at node", x);
      if (++steps > h_.num_nodes()) return text("parents form a cycle at node", x);
    }
    for (x = start; !safe[x]; x = up_[x].nbr) {
      safe[x] = 1;
      if (up_[x].nbr < 0) break;
    }
  }
  return 2 * parents == pendant_edges
             ? ""
             : text("pendant edges without a lower end:", pendant_edges / 2 - parents);
}

std::string Dygrass::check() const {
  int64_t sparse = 0;
  for (int32_t e = 0; e < edges_.rows(); ++e) {
    if (!edges_.alive(e)) continue;
    const EdgeRecord& edge = edges_[e];
    if (!(edge.u < edge.v) || edges_.find(edge.u, edge.v) != e)
      return text("pair not found or listed twice: edge", e);
    if ((edge.pos[kSparse] < 0) != (edge.pos[kSparse + 1] < 0))
      return text("half an edge of H: edge", e);
    sparse += edges_.sparse(e);
  }
  if (sparse != sparse_count_) return text("miscounted edges of H:", sparse_count_);
  if (std::string bad = check_rows(edges_, g_, edges_.count()); !bad.empty()) return "G: " + bad;
  if (std::string bad = check_rows(edges_, h_, sparse); !bad.empty()) return "H: " + bad;
  if (components(g_) != components(h_)) return text("components of H:", components(h_));
  return in_core_ ? check_core(h_, core_) : "";
}

SavedRows save_rows(const Adjacency& rows) {
  SavedRows out;
  const int64_t n = rows.num_nodes();
  out.indptr.resize_raw(n + 1);
  out.indptr[0] = 0;
  for (int32_t x = 0; x < n; ++x) out.indptr[x + 1] = out.indptr[x] + rows.degree(x);
  out.eids.resize_raw(out.indptr[n]);
  int64_t at = 0;
  for (int32_t x = 0; x < n; ++x)
    for (int32_t k = 0; k < rows.degree(x); ++k) out.eids[at++] = rows.row(x)[k].eid;
  return out;
}

namespace {

void require(bool good, const char* what, int64_t where) {
  if (!good) throw std::invalid_argument("the saved state is damaged: " + text(what, where));
}

void restore_rows(const EdgeTable& edges, Adjacency& rows, const int64_t* indptr,
                  const int32_t* eids, int64_t n, int64_t size) {
  require(indptr[0] == 0 && indptr[n] == size, "row offsets do not end at", size);
  Buffer<int32_t> degree;
  degree.resize_raw(n);
  for (int64_t x = 0; x < n; ++x) {
    require(indptr[x] <= indptr[x + 1] && indptr[x + 1] <= size, "wrong row offset at node", x);
    degree[x] = static_cast<int32_t>(indptr[x + 1] - indptr[x]);
  }
  rows.layout(degree);
  for (int32_t x = 0; x < n; ++x) {
    for (int32_t k = 0; k < degree[x]; ++k) {
      const int32_t e = eids[indptr[x] + k];
      require(e >= 0 && e < edges.rows() && edges.alive(e), "unknown edge in the row of node", x);
      require(edges[e].u == x || edges[e].v == x, "foreign edge in the row of node", x);
      rows.write(x, k, {edges.other(e, x), e, 1.0 / edges[e].w});
    }
    rows.set_degrees(x, degree[x], 0);
  }
}

void restore_edges(EdgeTable& edges, const SavedState& s) {
  Buffer<EdgeRecord> rows;
  rows.resize_raw(s.edges);
  int64_t free = 0;
  for (int64_t e = 0; e < s.edges; ++e) {
    rows[e] = {s.u[e], s.v[e], s.w[e], {-1, -1, -1, -1}};
    if (s.u[e] == -1) {
      ++free;
      continue;
    }
    require(s.u[e] >= 0 && s.u[e] < s.v[e] && s.v[e] < s.n, "wrong ends at edge", e);
    require(s.w[e] >= 1e-300 && s.w[e] <= 1e300, "wrong weight at edge", e);
  }
  int32_t at = s.first_free;
  for (int64_t left = free; left > 0; --left, at = s.v[at])
    require(at >= 0 && at < s.edges && s.u[at] == -1, "broken list of free rows at", at);
  require(at == -1, "broken list of free rows at", at);
  edges.restore(std::move(rows), s.first_free);
}

}  // namespace

void restore(Dygrass& stream, const SavedState& s, bool core) {
  restore_edges(stream.edges(), s);
  restore_rows(stream.edges(), stream.rows(false), s.dense_ptr, s.dense_eids, s.n, s.dense_size);
  restore_rows(stream.edges(), stream.rows(true), s.sparse_ptr, s.sparse_eids, s.n, s.sparse_size);
  stream.rebuild(core);
  const std::string bad = stream.check();
  if (!bad.empty()) throw std::invalid_argument("the saved state is damaged: " + bad);
}

}  // namespace gs

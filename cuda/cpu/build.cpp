// Building and reshaping CSR graphs: bucket sort of edges, reversal, edge numbers, filtering.
// Every function takes arrays that Python has checked; ids are in range.
#include "cpu/bindings.hpp"
#include "cpu/parallel.hpp"

namespace gs {
namespace {

// First (row, col) pair outside [0, n), or -1.
template <class T>
int64_t first_bad_id(In<T> row, In<T> col, int64_t n) {
  const int64_t m = static_cast<int64_t>(row.shape(0));
  const T* r = row.data();
  const T* c = col.data();
  constexpr int64_t block = 1 << 14;  // branch-free inside a block, so the compiler vectorises it
  for (int64_t b = 0; b < m; b += block) {
    const int64_t e = std::min(m, b + block);
    bool bad = false;
    for (int64_t i = b; i < e; ++i)
      bad |= (static_cast<uint64_t>(r[i]) >= static_cast<uint64_t>(n)) |
             (static_cast<uint64_t>(c[i]) >= static_cast<uint64_t>(n));
    if (!bad) continue;
    for (int64_t i = b; i < e; ++i)
      if (static_cast<uint64_t>(r[i]) >= static_cast<uint64_t>(n) ||
          static_cast<uint64_t>(c[i]) >= static_cast<uint64_t>(n))
        return i;
  }
  return -1;
}

// Rows of (col, entry) sorted by (col, entry).  With `mirror`, each entry that is no loop is
// stored in both rows.  Returns (indptr, indices, entry).
template <class T, class Index>
nb::tuple coo_to_csr(In<T> row, In<T> col, int64_t n, bool mirror, int num_threads) {
  const int64_t m = static_cast<int64_t>(row.shape(0));
  const T* r = row.data();
  const T* c = col.data();
  const int threads = m < (1 << 16) ? 1 : resolve_threads(num_threads);
  Fresh<int64_t> indptr(n + 1);
  int64_t* ptr = indptr.data.get();
  std::fill(ptr, ptr + n + 1, 0);
  std::unique_ptr<Fresh<Index>> indices;
  std::unique_ptr<Fresh<int64_t>> entry;
  {
    nb::gil_scoped_release free;
    for (int64_t i = 0; i < m; ++i) {
      ++ptr[r[i]];
      if (mirror && r[i] != c[i]) ++ptr[c[i]];
    }
    int64_t sum = 0;
    for (int64_t u = 0; u <= n; ++u) {
      const int64_t d = u < n ? ptr[u] : 0;
      ptr[u] = sum;
      sum += d;
    }
    indices = std::make_unique<Fresh<Index>>(sum);
    entry = std::make_unique<Fresh<int64_t>>(sum);
    check_signals();
    Index* out = indices->data.get();
    int64_t* ent = entry->data.get();
    std::vector<int64_t> cursor(ptr, ptr + n);
    // Stable: entries arrive in each row in the caller's order.
    for (int64_t i = 0; i < m; ++i) {
      int64_t at = cursor[r[i]]++;
      out[at] = static_cast<Index>(c[i]);
      ent[at] = i;
      if (mirror && r[i] != c[i]) {
        at = cursor[c[i]]++;
        out[at] = static_cast<Index>(r[i]);
        ent[at] = i;
      }
    }
    check_signals();
#pragma omp parallel num_threads(threads)
    {
      std::vector<std::pair<Index, int64_t>> buf;
#pragma omp for schedule(dynamic, 4096)
      for (int64_t u = 0; u < n; ++u) {
        const int64_t b = ptr[u], e = ptr[u + 1];
        if (std::is_sorted(out + b, out + e)) continue;
        buf.resize(static_cast<size_t>(e - b));
        for (int64_t i = b; i < e; ++i) buf[i - b] = {out[i], ent[i]};
        std::sort(buf.begin(), buf.end());
        for (int64_t i = b; i < e; ++i) {
          out[i] = buf[i - b].first;
          ent[i] = buf[i - b].second;
        }
      }
    }
  }
  return nb::make_tuple(indptr.release(), indices->release(), entry->release());
}

// Reverse of every arc; rows come out sorted.  Returns (indptr, indices, arc of the input).
template <class Index>
nb::tuple reverse(In<int64_t> indptr, In<Index> indices, int64_t num_cols) {
  const CsrView<Index> g = view(indptr, indices);
  Fresh<int64_t> out_ptr(num_cols + 1);
  Fresh<Index> out_idx(g.num_arcs());
  Fresh<int64_t> arc(g.num_arcs());
  {
    nb::gil_scoped_release free;
    int64_t* ptr = out_ptr.data.get();
    std::fill(ptr, ptr + num_cols + 1, 0);
    for (int64_t i = 0; i < g.num_arcs(); ++i) ++ptr[g.indices[i] + 1];
    for (int64_t v = 0; v < num_cols; ++v) ptr[v + 1] += ptr[v];
    std::vector<int64_t> cursor(ptr, ptr + num_cols);
    for (int64_t u = 0; u < g.num_nodes; ++u)
      for (int64_t i = g.begin(u); i < g.end(u); ++i) {
        const int64_t at = cursor[g.indices[i]]++;
        out_idx.data[at] = static_cast<Index>(u);
        arc.data[at] = i;
      }
  }
  return nb::make_tuple(out_ptr.release(), out_idx.release(), arc.release());
}

// What a CSR array claims to be: (first arc out of order or -1, duplicates, loops).
template <class Index>
nb::tuple inspect(In<int64_t> indptr, In<Index> indices) {
  const CsrView<Index> g = view(indptr, indices);
  int64_t bad = -1, duplicates = 0, loops = 0;
  {
    nb::gil_scoped_release free;
    for (int64_t u = 0; u < g.num_nodes && bad < 0; ++u)
      for (int64_t i = g.begin(u); i < g.end(u); ++i) {
        loops += static_cast<int64_t>(g.indices[i]) == u;
        if (i == g.begin(u)) continue;
        duplicates += g.indices[i] == g.indices[i - 1];
        if (g.indices[i] < g.indices[i - 1]) {
          bad = i;
          break;
        }
      }
  }
  return nb::make_tuple(bad, duplicates, loops);
}

// Is the sorted CSR pattern equal to its own reverse?  Weights, if any, must agree as well.
// One pass: the arcs (v, u) of row v with u < v are met in order as u ascends.
template <class Index, class Weight>
bool symmetric(const CsrView<Index>& g, const Weight* w) {
  std::vector<int64_t> cursor(g.indptr, g.indptr + g.num_nodes);
  for (int64_t u = 0; u < g.num_nodes; ++u)
    for (int64_t i = g.begin(u); i < g.end(u); ++i) {
      const int64_t v = static_cast<int64_t>(g.indices[i]);
      const int64_t at = cursor[v]++;
      if (at >= g.end(v) || static_cast<int64_t>(g.indices[at]) != u) return false;
      if (w && w[at] != w[i]) return false;
    }
  return true;
}

template <class Index>
bool is_symmetric(In<int64_t> indptr, In<Index> indices) {
  nb::gil_scoped_release free;
  return symmetric<Index, float>(view(indptr, indices), nullptr);
}

template <class Index, class Weight>
bool is_symmetric_weighted(In<int64_t> indptr, In<Index> indices, In<Weight> weights) {
  nb::gil_scoped_release free;
  return symmetric<Index, Weight>(view(indptr, indices), weights.data());
}

// Calls visit(edge, arc u -> v, arc v -> u) for every pair u <= v in (u, v) order, one thread.
// The lower arcs of row v are met in their order, so a cursor per row finds them without search.
// Rows are short and their cursors lie anywhere: they are fetched a few rows ahead.
template <class Index, class Touch, class Visit>
void for_each_pair(const CsrView<Index>& g, Touch touch, Visit visit) {
  constexpr int64_t far = 8, near = 4, cap = 16;
  const int64_t n = g.num_nodes;
  std::vector<int64_t> cursor(g.indptr, g.indptr + n);
  int64_t start[16];  // first upper arc of the rows u .. u + far
  const auto open_row = [&](int64_t u) {
    if (u >= n) return;
    const int64_t b = start[u & 15] = g.lower_bound(u, u);
    for (int64_t i = b; i < std::min(g.end(u), b + cap); ++i)
      __builtin_prefetch(&cursor[g.indices[i]], 1);
  };
  for (int64_t u = 0; u < std::min(far, n); ++u) open_row(u);
  int64_t edge = 0;
  for (int64_t u = 0; u < n; ++u) {
    open_row(u + far);
    if (u + near < n)
      for (int64_t b = start[(u + near) & 15], i = b; i < std::min(g.end(u + near), b + cap); ++i)
        touch(cursor[g.indices[i]]);
    for (int64_t i = start[u & 15]; i < g.end(u); ++i) {
      const int64_t v = static_cast<int64_t>(g.indices[i]);
      visit(edge++, i, v == u ? i : cursor[v]++);
    }
  }
}

// Number of the edge that each arc belongs to: ranks of the pairs u <= v in (u, v) order.
template <class Index>
NumpyArray<int64_t> edge_ids(In<int64_t> indptr, In<Index> indices) {
  const CsrView<Index> g = view(indptr, indices);
  Fresh<int64_t> ids(g.num_arcs());
  {
    nb::gil_scoped_release free;
    int64_t* out = ids.data.get();
    for_each_pair(
        g, [&](int64_t arc) { __builtin_prefetch(out + arc, 1); },
        [&](int64_t edge, int64_t there, int64_t back) { out[there] = out[back] = edge; });
  }
  return ids.release();
}

// Arc mask of an edge mask, numbered as in edge_ids.
template <class Index>
NumpyArray<bool> arc_mask(In<int64_t> indptr, In<Index> indices, In<bool> edge_mask) {
  const CsrView<Index> g = view(indptr, indices);
  Fresh<bool> out(g.num_arcs());
  {
    nb::gil_scoped_release free;
    const bool* mask = edge_mask.data();
    bool* arcs = out.data.get();
    for_each_pair(
        g, [&](int64_t arc) { __builtin_prefetch(arcs + arc, 1); },
        [&](int64_t edge, int64_t there, int64_t back) { arcs[there] = arcs[back] = mask[edge]; });
  }
  return out.release();
}

// The arcs that a mask keeps: (indptr, indices, arc numbers or None).
template <class Index>
nb::tuple filter(In<int64_t> indptr, In<Index> indices, In<bool> mask, bool want_arcs,
                 int num_threads) {
  const CsrView<Index> g = view(indptr, indices);
  const bool* keep = mask.data();
  const int threads = g.num_arcs() < (1 << 16) ? 1 : resolve_threads(num_threads);
  Fresh<int64_t> out_ptr(g.num_nodes + 1);
  int64_t* ptr = out_ptr.data.get();
  std::unique_ptr<Fresh<Index>> out_idx;
  std::unique_ptr<Fresh<int64_t>> arcs;
  {
    nb::gil_scoped_release free;
    const auto cut = balanced_rows(g.indptr, g.num_nodes, threads);
    ptr[0] = 0;
#pragma omp parallel for num_threads(threads) schedule(static, 1)
    for (int t = 0; t < threads; ++t)
      for (int64_t u = cut[t]; u < cut[t + 1]; ++u) {
        int64_t kept = 0;
        for (int64_t i = g.begin(u); i < g.end(u); ++i) kept += keep[i];
        ptr[u + 1] = kept;
      }
    for (int64_t u = 0; u < g.num_nodes; ++u) ptr[u + 1] += ptr[u];
    out_idx = std::make_unique<Fresh<Index>>(ptr[g.num_nodes]);
    if (want_arcs) arcs = std::make_unique<Fresh<int64_t>>(ptr[g.num_nodes]);
#pragma omp parallel for num_threads(threads) schedule(static, 1)
    for (int t = 0; t < threads; ++t) {
      int64_t at = ptr[cut[t]];
      const int64_t stop = cut[t] < g.num_nodes ? g.indptr[cut[t + 1]] : 0;
      const int64_t last = ptr[cut[t + 1]];
      for (int64_t i = cut[t] < g.num_nodes ? g.indptr[cut[t]] : 0; i < stop && at < last; ++i) {
        out_idx->data[at] = g.indices[i];  // overwritten by the next kept arc: no branch
        if (want_arcs) arcs->data[at] = i;
        at += keep[i];
      }
    }
  }
  nb::object arc_numbers = want_arcs ? nb::cast(arcs->release()) : nb::none();
  return nb::make_tuple(out_ptr.release(), out_idx->release(), arc_numbers);
}

template <class Index>
void bind_index(nb::module_& m) {
  using namespace nb::literals;
  m.def("reverse", &reverse<Index>, "indptr"_a, "indices"_a, "num_cols"_a);
  m.def("inspect", &inspect<Index>, "indptr"_a, "indices"_a);
  m.def("is_symmetric", &is_symmetric<Index>, "indptr"_a, "indices"_a);
  m.def("is_symmetric_weighted", &is_symmetric_weighted<Index, float>, "indptr"_a, "indices"_a,
        "weights"_a);
  m.def("is_symmetric_weighted", &is_symmetric_weighted<Index, double>, "indptr"_a, "indices"_a,
        "weights"_a);
  m.def("edge_ids", &edge_ids<Index>, "indptr"_a, "indices"_a);
  m.def("arc_mask", &arc_mask<Index>, "indptr"_a, "indices"_a, "edge_mask"_a);
  m.def("filter", &filter<Index>, "indptr"_a, "indices"_a, "mask"_a, "want_arcs"_a, "threads"_a);
}

}  // namespace

void bind_build(nb::module_& m) {
  using namespace nb::literals;
  m.def("first_bad_id", &first_bad_id<int32_t>, "row"_a, "col"_a, "n"_a);
  m.def("first_bad_id", &first_bad_id<int64_t>, "row"_a, "col"_a, "n"_a);
  m.def("coo_to_csr32", &coo_to_csr<int32_t, int32_t>, "row"_a, "col"_a, "n"_a, "mirror"_a,
        "threads"_a);
  m.def("coo_to_csr32", &coo_to_csr<int64_t, int32_t>, "row"_a, "col"_a, "n"_a, "mirror"_a,
        "threads"_a);
  m.def("coo_to_csr64", &coo_to_csr<int64_t, int64_t>, "row"_a, "col"_a, "n"_a, "mirror"_a,
        "threads"_a);
  bind_index<int32_t>(m);
  bind_index<int64_t>(m);
}

}  // namespace gs

// Sorted CSR pattern of an edge list, without its weights: three bucket passes and no sorting.
// Each pass is stable, so going through the heads in order sorts every row by its heads.
#include "cpu/bindings.hpp"
#include "cpu/parallel.hpp"

namespace gs {
namespace {

// Where the buckets of `count` start; `count` becomes these starts.
template <class Count>
void to_starts(std::vector<Count>& count) {
  Count sum = 0;
  for (Count& c : count) {
    const Count here = c;
    c = sum;
    sum += here;
  }
}

// Rows of an undirected pattern are [smaller neighbours, then loops and larger ones]: the larger
// ones come from the passes by head and by tail, the smaller ones from reading those rows in order.
template <class T, class Index, class Count>
void fill_pattern(const T* r, const T* c, int64_t m, int64_t n, bool mirror, int64_t* indptr,
                  std::unique_ptr<Fresh<Index>>& indices) {
  std::vector<Count> heads(n + 1), tails(n + 1), loops(mirror ? n + 1 : 0);
  for (int64_t i = 0; i < m; ++i) {
    const T a = mirror ? std::min(r[i], c[i]) : r[i], b = mirror ? std::max(r[i], c[i]) : c[i];
    ++tails[a];
    ++heads[b];
    if (mirror && a == b) ++loops[a];
  }
  indptr[0] = 0;
  for (int64_t u = 0; u < n; ++u)
    indptr[u + 1] = indptr[u] + tails[u] + (mirror ? heads[u] - loops[u] : 0);
  indices = std::make_unique<Fresh<Index>>(indptr[n]);
  Index* out = indices->data.get();
  check_signals();

  std::unique_ptr<Index[]> by_head(new Index[static_cast<size_t>(m)]);
  for (int64_t u = 0; u < n; ++u)  // where the larger neighbours of u go
    tails[u] = static_cast<Count>(indptr[u]) + (mirror ? heads[u] - loops[u] : 0);
  to_starts(heads);
  for (int64_t i = 0; i < m; ++i) {
    const T a = mirror ? std::min(r[i], c[i]) : r[i], b = mirror ? std::max(r[i], c[i]) : c[i];
    by_head[heads[b]++] = static_cast<Index>(a);
  }
  check_signals();
  int64_t at = 0;
  for (int64_t v = 0; v < n; ++v)  // heads[v] is now the end of bucket v
    for (; at < static_cast<int64_t>(heads[v]); ++at)
      out[tails[by_head[at]]++] = static_cast<Index>(v);
  if (!mirror) return;
  check_signals();
  for (int64_t u = 0; u < n; ++u) heads[u] = static_cast<Count>(indptr[u]);
  for (int64_t u = 0; u < n; ++u) {
    // tails[u] is the end of row u; its smaller neighbours are all written by now
    for (int64_t i = heads[u]; i < indptr[u + 1]; ++i)
      if (out[i] != static_cast<Index>(u)) out[heads[out[i]]++] = static_cast<Index>(u);
  }
}

// (indptr, indices) of m entries; with `mirror` each that is no loop stands in both rows.
template <class T, class Index>
nb::tuple pattern_csr(In<T> row, In<T> col, int64_t n, bool mirror) {
  const int64_t m = static_cast<int64_t>(row.shape(0));
  Fresh<int64_t> indptr(n + 1);
  std::unique_ptr<Fresh<Index>> indices;
  {
    nb::gil_scoped_release free;
    const auto fill =
        m < (1ll << 30) ? fill_pattern<T, Index, uint32_t> : fill_pattern<T, Index, uint64_t>;
    fill(row.data(), col.data(), m, n, mirror, indptr.data.get(), indices);
  }
  return nb::make_tuple(indptr.release(), indices->release());
}

}  // namespace

void bind_pattern(nb::module_& m) {
  using namespace nb::literals;
  m.def("pattern_csr32", &pattern_csr<int32_t, int32_t>, "row"_a, "col"_a, "n"_a, "mirror"_a);
  m.def("pattern_csr32", &pattern_csr<int64_t, int32_t>, "row"_a, "col"_a, "n"_a, "mirror"_a);
  m.def("pattern_csr64", &pattern_csr<int64_t, int64_t>, "row"_a, "col"_a, "n"_a, "mirror"_a);
}

}  // namespace gs

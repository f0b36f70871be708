// Products of a CSR pattern per head: dot products of the two ends of every entry, and sums over
// each row weighted by entry and head.  Each is the gradient of the other.
#include "cpu/bindings.hpp"
#include "cpu/head_rows.hpp"
#include "cpu/row_ranges.hpp"

namespace gs {
namespace {

template <class T>
struct HeadProducts {
  const int64_t* indptr;
  const int32_t* indices;
  const int64_t* entry;  // (nnz,) where the weights of an entry lie, or null: in order
  Heads heads;
  const T* left;   // (rows, heads * dim), dots only
  const T* right;  // (cols, heads * dim)
  T* weight;       // (nnz, heads): result of the dots, factors of the sums
  T* out;          // (rows, heads * dim), sums only
};

template <class T>
GS_INLINE void dots_body(const HeadProducts<T>& a, int64_t first, int64_t last) {
  for (int64_t i = first; i < last; ++i) {
    const int64_t begin = a.indptr[i], count = a.indptr[i + 1] - begin;
    row_dots<T>(a.left + i * a.heads.width(), a.right, nullptr, a.indices + begin, count,
                a.indptr[last] - begin, a.heads, a.weight + begin * a.heads.count);
  }
}

template <class T>
GS_INLINE void sums_body(const HeadProducts<T>& a, int64_t first, int64_t last) {
  const int64_t heads = a.heads.count, width = a.heads.width();
  std::vector<T> scratch;
  for (int64_t i = first; i < last; ++i) {
    const int64_t begin = a.indptr[i], count = a.indptr[i + 1] - begin;
    const T* weight = a.weight + begin * heads;
    if (a.entry) {
      scratch.resize(static_cast<size_t>(count * heads));
      for (int64_t e = 0; e < count; ++e)
        std::copy_n(a.weight + a.entry[begin + e] * heads, heads, scratch.data() + e * heads);
      weight = scratch.data();
    }
    row_sum(a.right, a.indices + begin, count, weight, heads, a.heads, a.out + i * width);
  }
}

#define GS_HEAD_CLONES(T)                                                                          \
  GS_CLONES void dots_rows(const HeadProducts<T>& a, int64_t p, int64_t q) { dots_body(a, p, q); } \
  GS_CLONES void sums_rows(const HeadProducts<T>& a, int64_t p, int64_t q) { sums_body(a, p, q); }
GS_HEAD_CLONES(float)
GS_HEAD_CLONES(double)
#undef GS_HEAD_CLONES

template <class T>
void run(const HeadProducts<T>& a, int64_t n, bool sums, int num_threads) {
  over_row_ranges(a.indptr, n, a.heads.width(), num_threads, [&](int64_t first, int64_t last) {
    sums ? sums_rows(a, first, last) : dots_rows(a, first, last);
  });
}

template <class T>
void head_dots(In<int64_t> indptr, In<int32_t> indices, int64_t heads, int64_t dim, In<T> left,
               In<T> right, Out<T> out, int num_threads) {
  nb::gil_scoped_release free;
  const HeadProducts<T> a{indptr.data(), indices.data(), nullptr,    {heads, dim},
                          left.data(),   right.data(),   out.data(), nullptr};
  run(a, static_cast<int64_t>(indptr.shape(0)) - 1, false, num_threads);
}

template <class T>
void head_sums(In<int64_t> indptr, In<int32_t> indices, In<int64_t> entry, int64_t heads,
               int64_t dim, Out<T> weight, In<T> right, Out<T> out, int num_threads) {
  nb::gil_scoped_release free;
  const HeadProducts<T> a{indptr.data(), indices.data(), entry.shape(0) ? entry.data() : nullptr,
                          {heads, dim},  nullptr,        right.data(),
                          weight.data(), out.data()};
  run(a, static_cast<int64_t>(indptr.shape(0)) - 1, true, num_threads);
}

template <class T>
void bind_type(nb::module_& m) {
  using namespace nb::literals;
  m.def("head_dots", &head_dots<T>, "indptr"_a.noconvert(), "indices"_a.noconvert(), "heads"_a,
        "dim"_a, "left"_a.noconvert(), "right"_a.noconvert(), "out"_a.noconvert(), "threads"_a);
  m.def("head_sums", &head_sums<T>, "indptr"_a.noconvert(), "indices"_a.noconvert(),
        "entry"_a.noconvert(), "heads"_a, "dim"_a, "weight"_a.noconvert(), "right"_a.noconvert(),
        "out"_a.noconvert(), "threads"_a);
}

}  // namespace

void bind_head_products(nb::module_& m) {
  bind_type<float>(m);
  bind_type<double>(m);
}

}  // namespace gs

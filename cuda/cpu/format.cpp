// Writing text: edge lists and METIS rows from arrays.  Weights get the fewest digits that read
// back to the same double.
#include <charconv>
#include <cstring>

#include "cpu/bindings.hpp"
#include "cpu/parallel.hpp"

namespace gs {
namespace {

constexpr int64_t kMostId = 20;      // bytes of a 64-bit integer
constexpr int64_t kMostWeight = 32;  // bytes of a double in its shortest form

char* put(char* p, int64_t value) { return std::to_chars(p, p + kMostId, value).ptr; }
char* put(char* p, double value) { return std::to_chars(p, p + kMostWeight, value).ptr; }

nb::bytes as_bytes(const char* text, int64_t size) {
  return nb::bytes(text, static_cast<size_t>(size));
}

// Lines "u<delimiter>v[<delimiter>w]\n"; an empty `weights` means none.
template <class Index>
nb::bytes format_edges(In<Index> u, In<Index> v, In<double> weights, int64_t base, int delimiter) {
  const int64_t m = static_cast<int64_t>(u.shape(0));
  const bool weighted = weights.shape(0) > 0;
  const char between = static_cast<char>(delimiter);
  std::unique_ptr<char[]> text(
      new char[static_cast<size_t>(m * (2 * kMostId + kMostWeight + 3) + 1)]);
  char* p = text.get();
  {
    nb::gil_scoped_release free;
    for (int64_t i = 0; i < m; ++i) {
      p = put(p, static_cast<int64_t>(u.data()[i]) + base);
      *p++ = between;
      p = put(p, static_cast<int64_t>(v.data()[i]) + base);
      if (weighted) {
        *p++ = between;
        p = put(p, weights.data()[i]);
      }
      *p++ = '\n';
    }
  }
  return as_bytes(text.get(), p - text.get());
}

// A line per row with the neighbours counted from 1, each followed by its weight if there are
// weights; those are integers here.
template <class Index>
nb::bytes format_rows(In<int64_t> indptr, In<Index> indices, In<int64_t> weights) {
  const int64_t rows = static_cast<int64_t>(indptr.shape(0)) - 1;
  const bool weighted = weights.shape(0) > 0;
  const int64_t first = indptr.data()[0], entries = indptr.data()[rows] - first;
  std::unique_ptr<char[]> text(
      new char[static_cast<size_t>(entries * (2 * kMostId + 2) + rows + 1)]);
  char* p = text.get();
  {
    nb::gil_scoped_release free;
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t i = indptr.data()[r]; i < indptr.data()[r + 1]; ++i) {
        if (i > indptr.data()[r]) *p++ = ' ';
        p = put(p, static_cast<int64_t>(indices.data()[i]) + 1);
        if (!weighted) continue;
        *p++ = ' ';
        p = put(p, weights.data()[i]);
      }
      *p++ = '\n';
    }
  }
  return as_bytes(text.get(), p - text.get());
}

}  // namespace

void bind_format(nb::module_& m) {
  using namespace nb::literals;
  m.def("format_edges", &format_edges<int32_t>, "u"_a, "v"_a, "weights"_a, "base"_a, "delimiter"_a);
  m.def("format_edges", &format_edges<int64_t>, "u"_a, "v"_a, "weights"_a, "base"_a, "delimiter"_a);
  m.def("format_rows", &format_rows<int32_t>, "indptr"_a, "indices"_a, "weights"_a);
  m.def("format_rows", &format_rows<int64_t>, "indptr"_a, "indices"_a, "weights"_a);
}

}  // namespace gs

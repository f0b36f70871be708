// Products with a Laplacian, reproducible dot products, and random projections of its edges.
#include "core/laplacian.hpp"

#include "core/philox.hpp"
#include "cpu/bindings.hpp"
#include "cpu/parallel.hpp"

namespace gs {
namespace {

constexpr int64_t kSmall = 1 << 16;  // multiplications below which one thread is faster

// L x for x of shape (n, width), row by row.
NumpyArray<double> laplacian_product(In<int64_t> indptr, In<int32_t> indices, In<double> weights,
                                     In<double> x, int64_t width, int num_threads) {
  const CsrView<int32_t> g = view(indptr, indices);
  const int64_t n = g.num_nodes;
  Fresh<double> out(n * width);
  {
    nb::gil_scoped_release free;
    const int threads = g.num_arcs() * width < kSmall ? 1 : resolve_threads(num_threads);
    const auto cut = balanced_rows(g.indptr, n, threads);
#pragma omp parallel for num_threads(threads) schedule(static, 1)
    for (int p = 0; p < threads; ++p)
      for (int64_t u = cut[p]; u < cut[p + 1]; ++u) {
        int64_t c = 0;
        for (; c + 8 <= width; c += 8)
          laplacian_row<8>(g, weights.data(), u, x.data() + c, width, out.data.get() + c);
        for (; c < width; ++c)
          laplacian_row<1>(g, weights.data(), u, x.data() + c, width, out.data.get() + c);
      }
  }
  return out.release();
}

// Dot product of each pair of columns of x and y (n, width).  Rows are summed in blocks of fixed
// size and four chains each, so that the order of additions depends on neither the threads nor
// the other columns.
NumpyArray<double> column_dots(In<double> x, In<double> y, int64_t width, int num_threads) {
  constexpr int64_t kRows = 1 << 12;
  const int64_t n = width ? static_cast<int64_t>(x.shape(0)) / width : 0;
  const int64_t blocks = (n + kRows - 1) / kRows;
  Fresh<double> out(width);
  {
    nb::gil_scoped_release free;
    std::vector<double> part(static_cast<size_t>(blocks * width * 4), 0.0);
    const int threads = n * width < kSmall ? 1 : resolve_threads(num_threads);
    const double *a = x.data(), *b = y.data();
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t block = 0; block < blocks; ++block) {
      double* sum = part.data() + block * width * 4;
      const int64_t end = std::min(n, (block + 1) * kRows);
      for (int64_t i = block * kRows; i < end; ++i)
        for (int64_t c = 0; c < width; ++c)
          sum[(i & 3) * width + c] += a[i * width + c] * b[i * width + c];
    }
    std::fill(out.data.get(), out.data.get() + width, 0.0);
    for (int64_t block = 0; block < blocks; ++block)
      for (int64_t c = 0; c < width; ++c) {
        const double* s = part.data() + block * width * 4 + c;
        out.data[c] += (s[0] + s[width]) + (s[2 * width] + s[3 * width]);
      }
  }
  return out.release();
}

// x of shape (n, width) minus the mean of each component.
NumpyArray<double> remove_means(In<double> x, In<int32_t> labels, int64_t count, int64_t width) {
  const int64_t n = static_cast<int64_t>(labels.shape(0));
  Fresh<double> out(n * width);
  {
    nb::gil_scoped_release free;
    std::vector<double> sum(static_cast<size_t>(count * width), 0.0);
    std::vector<int64_t> size(static_cast<size_t>(count), 0);
    for (int64_t i = 0; i < n; ++i) {
      ++size[labels.data()[i]];
      for (int64_t c = 0; c < width; ++c)
        sum[labels.data()[i] * width + c] += x.data()[i * width + c];
    }
    for (int64_t k = 0; k < count; ++k)
      for (int64_t c = 0; c < width; ++c) sum[k * width + c] /= static_cast<double>(size[k]);
    for (int64_t i = 0; i < n; ++i)
      for (int64_t c = 0; c < width; ++c)
        out.data[i * width + c] = x.data()[i * width + c] - sum[labels.data()[i] * width + c];
  }
  return out.release();
}

// B' W^(1/2) q for the random sign vectors q number 64 block .. 64 block + width - 1 (width <= 64),
// shape (n, width).  Bit c of draw(seed, edge, block, domain) is the sign of the edge in vector c.
NumpyArray<double> sign_projection(In<int32_t> u, In<int32_t> v, In<double> root_weights, int64_t n,
                                   uint64_t seed, uint32_t block, uint32_t domain, int64_t width) {
  Fresh<double> out(n * width);
  {
    nb::gil_scoped_release free;
    double* x = out.data.get();
    std::fill(x, x + n * width, 0.0);
    for (size_t e = 0; e < u.shape(0); ++e) {
      const uint64_t bits = draw(seed, e, block, domain).a;
      double* xu = x + u.data()[e] * width;
      double* xv = x + v.data()[e] * width;
      const double w = root_weights.data()[e];
      for (int64_t c = 0; c < width; ++c) {
        const double s = (bits >> c) & 1 ? w : -w;
        xu[c] += s;
        xv[c] -= s;
      }
    }
  }
  return out.release();
}

// First word of the walk counter (step 0, walker 0, id, phase): one draw per id.
NumpyArray<uint32_t> phase_words(uint64_t seed, In<uint64_t> ids, uint32_t phase) {
  const int64_t size = static_cast<int64_t>(ids.shape(0));
  Fresh<uint32_t> out(size);
  for (int64_t i = 0; i < size; ++i) {
    const uint64_t id = ids.data()[i];
    const uint32_t high = (static_cast<uint32_t>(id >> 32) & 0x0FFFFFFFu) | phase << 28;
    out.data[i] = philox4x32(0, 0, static_cast<uint32_t>(id), high, static_cast<uint32_t>(seed),
                             static_cast<uint32_t>(seed >> 32))
                      .x[0];
  }
  return out.release();
}

}  // namespace

void bind_laplacian(nb::module_& m) {
  using namespace nb::literals;
  m.def("laplacian_product", &laplacian_product, "indptr"_a, "indices"_a, "weights"_a, "x"_a,
        "width"_a, "threads"_a);
  m.def("column_dots", &column_dots, "x"_a, "y"_a, "width"_a, "threads"_a);
  m.def("remove_means", &remove_means, "x"_a, "labels"_a, "count"_a, "width"_a);
  m.def("sign_projection", &sign_projection, "u"_a, "v"_a, "root_weights"_a, "n"_a, "seed"_a,
        "block"_a, "domain"_a, "width"_a);
  m.def("phase_words", &phase_words, "seed"_a, "ids"_a, "phase"_a);
}

}  // namespace gs

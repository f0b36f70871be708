// After the powers of FastRP: directions of rows, statistics of columns, standard columns.  Sums
// over rows go block by block in order, so that they do not depend on the threads.
#include <nanobind/stl/optional.h>

#include <cmath>
#include <optional>

#include "cpu/bindings.hpp"
#include "cpu/parallel.hpp"
#include "cpu/sketch_rows.hpp"

namespace gs {
namespace {

template <class T>
using Matrix = nb::ndarray<T, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

constexpr int64_t kRows = 2048;  // rows of a block

template <class T>
struct Columns {
  const T* x;
  int64_t n, width;
  int64_t blocks() const { return (n + kRows - 1) / kRows; }
  int64_t end(int64_t block) const { return std::min((block + 1) * kRows, n); }
};

// Sums and largest magnitudes of the columns of one block; returns how many rows are all zero.
template <class T>
GS_CLONES int64_t block_sums(const Columns<T>& c, int64_t block, double* sum, double* most) {
  int64_t zeros = 0;
  for (int64_t i = block * kRows; i < c.end(block); ++i) {
    const T* row = c.x + i * c.width;
    T any = T(0);
    for (int64_t k = 0; k < c.width; ++k) {
      const double value = row[k];
      sum[k] += value;
      most[k] = std::max(most[k], std::abs(value));
    }
    int64_t k = 0;
    while (k < c.width && row[k] == any) ++k;
    zeros += k == c.width;
  }
  return zeros;
}

template <class T>
GS_CLONES void block_squares(const Columns<T>& c, int64_t block, const double* mean, double* sum) {
  for (int64_t i = block * kRows; i < c.end(block); ++i) {
    const T* row = c.x + i * c.width;
    for (int64_t k = 0; k < c.width; ++k) {
      const double gap = row[k] - mean[k];
      sum[k] += gap * gap;
    }
  }
}

template <class T>
GS_CLONES void standard_rows(T* x, int64_t width, int64_t from, int64_t to, const T* mean,
                             const T* inverse) {
  for (int64_t i = from; i < to; ++i)
    for (int64_t k = 0; k < width; ++k)
      x[i * width + k] = (x[i * width + k] - mean[k]) * inverse[k];
}

// Mean, population deviation and largest magnitude of every column; returns the all-zero rows.
template <class T>
int64_t column_statistics(Matrix<const T> x, Out<double> mean, Out<double> deviation,
                          Out<double> most, int num_threads) {
  nb::gil_scoped_release free;
  const Columns<T> c{x.data(), static_cast<int64_t>(x.shape(0)), static_cast<int64_t>(x.shape(1))};
  const int64_t blocks = c.blocks(), width = c.width;
  const int threads = threads_for(c.n * width, num_threads);
  std::vector<double> sums(static_cast<size_t>(blocks * width)), tops(sums.size());
  int64_t zeros = 0;
#pragma omp parallel for num_threads(threads) schedule(static) reduction(+ : zeros)
  for (int64_t b = 0; b < blocks; ++b)
    zeros += block_sums(c, b, sums.data() + b * width, tops.data() + b * width);
  const double count = static_cast<double>(std::max<int64_t>(c.n, 1));
  for (int64_t k = 0; k < width; ++k) {
    double sum = 0.0, top = 0.0;
    for (int64_t b = 0; b < blocks; ++b) {
      sum += sums[b * width + k];
      top = std::max(top, tops[b * width + k]);
    }
    mean.data()[k] = sum / count;
    most.data()[k] = top;
  }
  std::fill(sums.begin(), sums.end(), 0.0);
#pragma omp parallel for num_threads(threads) schedule(static)
  for (int64_t b = 0; b < blocks; ++b) block_squares(c, b, mean.data(), sums.data() + b * width);
  for (int64_t k = 0; k < width; ++k) {
    double sum = 0.0;
    for (int64_t b = 0; b < blocks; ++b) sum += sums[b * width + k];
    deviation.data()[k] = std::sqrt(sum / count);
  }
  return zeros;
}

template <class T>
void standardize(Matrix<T> x, In<T> mean, In<T> inverse, int num_threads) {
  nb::gil_scoped_release free;
  const int64_t n = static_cast<int64_t>(x.shape(0)), width = static_cast<int64_t>(x.shape(1));
  const int threads = threads_for(n * width, num_threads);
#pragma omp parallel for num_threads(threads) schedule(static)
  for (int64_t b = 0; b < (n + kRows - 1) / kRows; ++b)
    standard_rows(x.data(), width, b * kRows, std::min((b + 1) * kRows, n), mean.data(),
                  inverse.data());
}

template <class T>
GS_CLONES void merge_range(const HalfRows* half, const T* x, const RowSink<T>& sink,
                           const int64_t* rows, int64_t from, int64_t to, T* buffer) {
  for (int64_t r = from; r < to; ++r) {
    const int64_t row = rows ? rows[r] : r;
    for (int64_t k = 0; k < sink.width; ++k)
      buffer[k] = half ? static_cast<T>(half->entry(row, k)) : x[row * sink.width + k];
    finish_row(sink, buffer, row, r);
  }
}

// merged[r] (+)= alpha * x[rows[r]], or of its direction.
template <class T>
void merge_into(const HalfRows* half, const T* x, int64_t width,
                const std::optional<In<int64_t>>& rows, Matrix<T>& merged, double alpha, bool unit,
                bool fresh, int num_threads) {
  nb::gil_scoped_release free;
  RowSink<T> sink;
  sink.merged = merged.data();
  sink.width = sink.stride = width;
  sink.alpha = alpha;
  sink.unit = unit;
  sink.fresh = fresh;
  const int64_t n = static_cast<int64_t>(merged.shape(0));
  const int threads = threads_for(n * width, num_threads);
#pragma omp parallel for num_threads(threads) schedule(static)
  for (int64_t b = 0; b < (n + kRows - 1) / kRows; ++b) {
    std::vector<T> buffer(static_cast<size_t>(padded(width)));
    merge_range(half, x, sink, rows ? rows->data() : nullptr, b * kRows,
                std::min((b + 1) * kRows, n), buffer.data());
  }
}

template <class T>
void bind_type(nb::module_& m) {
  using namespace nb::literals;
  m.def("column_statistics", &column_statistics<T>, "x"_a.noconvert(), "mean"_a.noconvert(),
        "deviation"_a.noconvert(), "most"_a.noconvert(), "threads"_a);
  m.def("standardize", &standardize<T>, "x"_a.noconvert(), "mean"_a.noconvert(),
        "inverse"_a.noconvert(), "threads"_a);
  m.def(
      "merge_rows",
      [](Matrix<const T> x, std::optional<In<int64_t>> rows, Matrix<T> merged, double alpha,
         bool unit, bool fresh, int threads) {
        merge_into<T>(nullptr, x.data(), static_cast<int64_t>(x.shape(1)), rows, merged, alpha,
                      unit, fresh, threads);
      },
      "x"_a.noconvert(), "rows"_a.noconvert().none(), "merged"_a.noconvert(), "alpha"_a, "unit"_a,
      "fresh"_a, "threads"_a);
}

}  // namespace

void bind_sketch_merge(nb::module_& m) {
  using namespace nb::literals;
  bind_type<float>(m);
  bind_type<double>(m);
  // Whole cache lines and huge pages: gathers of rows are half as fast from a NumPy block.
  m.def("fresh_bytes", [](int64_t size) { return Fresh<uint8_t>(size).release(); }, "size"_a);
  m.def(
      "merge_rows",
      [](Matrix<const uint16_t> x, std::optional<In<int64_t>> rows, Matrix<float> merged,
         double alpha, bool unit, bool fresh, int threads) {
        const HalfRows half{x.data(), static_cast<int64_t>(x.shape(1))};
        merge_into<float>(&half, nullptr, half.width, rows, merged, alpha, unit, fresh, threads);
      },
      "x"_a.noconvert(), "rows"_a.noconvert().none(), "merged"_a.noconvert(), "alpha"_a, "unit"_a,
      "fresh"_a, "threads"_a);
}

}  // namespace gs

// x W^T + b for a sparse W: rows of x are turned into columns, a tile at a time, so that each
// stored weight multiplies whole vectors.
#include "core/sparse_linear.hpp"

#include <nanobind/stl/optional.h>

#include "cpu/bindings.hpp"
#include "cpu/parallel.hpp"
#include "cpu/vectors.hpp"

namespace gs {
namespace {

template <class T>
using Matrix = nb::ndarray<T, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

constexpr int64_t kFew = 4;       // rows up to which a tile is not worth filling
constexpr int64_t kOutputs = 16;  // outputs gathered before they are written row by row
constexpr int kWide = 4;          // vectors of a full tile: 64 rows of float32

template <class T>
using Four __attribute__((vector_size(4 * sizeof(T)), aligned(sizeof(T)), may_alias)) = T;
template <class T>
using Order __attribute__((vector_size(4 * sizeof(T)))) =
    std::conditional_t<sizeof(T) == 4, int32_t, int64_t>;

// Four by four entries change places; `from` and `to` are the lengths of their rows.
template <class T>
GS_INLINE void turn_block(const T* x, int64_t from, T* tile, int64_t to) {
  const auto row = [&](int64_t r) -> const Four<T>& {
    return *reinterpret_cast<const Four<T>*>(x + r * from);
  };
  const auto put = [&](int64_t c, const Four<T>& a, const Four<T>& b, const Order<T>& order) {
    *reinterpret_cast<Four<T>*>(tile + c * to) = __builtin_shuffle(a, b, order);
  };
  const Order<T> low = {0, 4, 1, 5}, high = {2, 6, 3, 7}, front = {0, 1, 4, 5}, back = {2, 3, 6, 7};
  const Four<T> a = row(0), b = row(1), c = row(2), d = row(3);
  const Four<T> ab = __builtin_shuffle(a, b, low), cd = __builtin_shuffle(c, d, low);
  put(0, ab, cd, front);
  put(1, ab, cd, back);
  const Four<T> ab2 = __builtin_shuffle(a, b, high), cd2 = __builtin_shuffle(c, d, high);
  put(2, ab2, cd2, front);
  put(3, ab2, cd2, back);
}

// tile[c * lanes + r] = x[r, c]; lanes beyond `rows` stay as they are and are never written out.
template <class T>
GS_INLINE void turn(const T* x, int64_t rows, int64_t cols, int64_t lanes, T* tile) {
  for (int64_t r = 0; r < rows; r += 4) {
    int64_t c = 0;
    if (r + 4 <= rows)
      for (; c + 4 <= cols; c += 4) turn_block(x + r * cols + c, cols, tile + c * lanes + r, lanes);
    for (; c < cols; ++c)
      for (int64_t k = r; k < std::min(r + 4, rows); ++k) tile[c * lanes + k] = x[k * cols + c];
  }
}

template <class T, int kVectors>
GS_INLINE void tile_rows(const SparseLinear<T>& map, const T* x, int64_t rows, T* tile, T* out) {
  using V = Vec<T>;
  constexpr int64_t lanes = kVectors * kLanes<T>;
  turn(x, rows, map.in_dim, lanes, tile);
  alignas(64) T block[kOutputs * lanes];
  for (int64_t o = 0; o < map.out_dim; o += kOutputs) {
    const int64_t end = std::min(o + kOutputs, map.out_dim);
    for (int64_t k = o; k < end; ++k) {
      V sum[kVectors] = {};
      for (int32_t e = map.indptr[k]; e < map.indptr[k + 1]; ++e) {
        const T value = map.values[e];
        const V* column = vec(tile + map.indices[e] * lanes);
        for (int j = 0; j < kVectors; ++j) sum[j] += value * column[j];
      }
      V* to = vec(block + (k - o) * lanes);
      for (int j = 0; j < kVectors; ++j) to[j] = map.bias ? sum[j] + map.bias[k] : sum[j];
    }
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t k = o; k < end; ++k) out[r * map.out_dim + k] = block[(k - o) * lanes + r];
  }
}

template <class T>
GS_INLINE void some_rows(const SparseLinear<T>& map, const T* x, int64_t rows, T* tile, T* out) {
  const int64_t wide = kWide * kLanes<T>, narrow = kLanes<T>;
  int64_t r = 0;
  for (; rows - r > narrow; r += std::min(wide, rows - r))
    tile_rows<T, kWide>(map, x + r * map.in_dim, std::min(wide, rows - r), tile,
                        out + r * map.out_dim);
  if (rows - r > kFew) {
    tile_rows<T, 1>(map, x + r * map.in_dim, rows - r, tile, out + r * map.out_dim);
    return;
  }
  for (; r < rows; ++r)
    for (int64_t o = 0; o < map.out_dim; ++o)
      out[r * map.out_dim + o] = linear_entry(map, x + r * map.in_dim, o);
}

// One body, compiled for three instruction sets.
GS_CLONES void rows_of(const SparseLinear<float>& map, const float* x, int64_t rows, float* tile,
                       float* out) {
  some_rows(map, x, rows, tile, out);
}
GS_CLONES void rows_of(const SparseLinear<double>& map, const double* x, int64_t rows, double* tile,
                       double* out) {
  some_rows(map, x, rows, tile, out);
}

template <class T>
void sparse_linear(In<int32_t> indptr, In<int32_t> indices, In<T> values, std::optional<In<T>> bias,
                   Matrix<const T> x, Matrix<T> out, int num_threads) {
  nb::gil_scoped_release free;
  const int64_t n = static_cast<int64_t>(x.shape(0));
  const SparseLinear<T> map{indptr.data(),
                            indices.data(),
                            values.data(),
                            bias ? bias->data() : nullptr,
                            static_cast<int64_t>(x.shape(1)),
                            static_cast<int64_t>(out.shape(1))};
  const int64_t wide = kWide * kLanes<T>, tiles = (n + wide - 1) / wide;
  const int64_t work = (static_cast<int64_t>(values.shape(0)) + map.in_dim) * n;
  const int threads = work < (1 << 18) ? 1 : resolve_threads(num_threads);
#pragma omp parallel for num_threads(threads) schedule(static, 1)
  for (int p = 0; p < threads; ++p) {
    const int64_t first = even_cut(tiles, threads, p) * wide;
    const int64_t last = std::min(even_cut(tiles, threads, p + 1) * wide, n);
    if (first >= last) continue;
    const int64_t lanes = last - first > kLanes<T> ? wide : kLanes<T>;
    std::vector<T> room(static_cast<size_t>(map.in_dim * lanes + kLanes<T>));
    void* start = room.data();
    size_t bytes = room.size() * sizeof(T);
    T* tile = static_cast<T*>(std::align(64, 64, start, bytes));
    rows_of(map, x.data() + first * map.in_dim, last - first, tile,
            out.data() + first * map.out_dim);
  }
}

template <class T>
void bind_type(nb::module_& m) {
  using namespace nb::literals;
  m.def("sparse_linear", &sparse_linear<T>, "indptr"_a.noconvert(), "indices"_a.noconvert(),
        "values"_a.noconvert(), "bias"_a.none(), "x"_a.noconvert(), "out"_a.noconvert(),
        "threads"_a);
}

}  // namespace

void bind_sparse_linear(nb::module_& m) {
  bind_type<float>(m);
  bind_type<double>(m);
}

}  // namespace gs

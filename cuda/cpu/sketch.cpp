// One power of FastRP: threads over chunks of rows with about equal numbers of arcs.  Rows with
// many arcs are cut into pieces of fixed size first, so results do not depend on the threads.
#include <nanobind/stl/optional.h>

#include <optional>

#include "cpu/bindings.hpp"
#include "cpu/parallel.hpp"
#include "cpu/sketch_rows.hpp"

namespace gs {
namespace {

template <class T>
using Matrix = nb::ndarray<T, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Codes = nb::ndarray<const uint16_t, nb::ndim<3>, nb::c_contig, nb::device::cpu>;
template <class T>
using Maybe = std::optional<T>;

constexpr int64_t kChunk = 1 << 14;  // arcs and rows of a chunk
constexpr int64_t kSegment = 256;    // chunks between looks for Ctrl-C

// The rows to compute: all of them, or a list.
template <class T, class Index>
struct RowRange {
  ArcView<T, Index> arcs;
  const int64_t* rows;  // or null: row r is r
  int64_t count;
  int64_t limit;  // last arc that may be looked at

  int64_t row(int64_t r) const { return rows ? rows[r] : r; }
  int64_t size(int64_t r) const { return arcs.end[row(r)] - arcs.begin[row(r)]; }
};

template <class Source, class Index>
GS_CLONES void run_piece(const RowRange<typename Source::T, Index>& range, const Source& x,
                         int64_t row, int64_t piece, int64_t width, typename Source::T* out) {
  const int64_t first = range.arcs.begin[row] + piece * kPiece;
  const int64_t last = std::min(first + kPiece, range.arcs.end[row]);
  gather_piece(range.arcs, x, first, last, range.limit, width, out);
}

template <class Source, class Index>
GS_CLONES void run_rows(const RowRange<typename Source::T, Index>& range, const Source& x,
                        const RowSink<typename Source::T>& sink,
                        const Hubs<typename Source::T>& hubs, int64_t from, int64_t to,
                        typename Source::T* sum) {
  const int64_t width = sink.width, room = padded(width);
  int64_t hub = std::lower_bound(hubs.rows, hubs.rows + hubs.count, from) - hubs.rows;
  for (int64_t r = from; r < to; ++r) {
    const int64_t row = range.row(r);
    if (hub < hubs.count && hubs.rows[hub] == r) {
      const auto* piece = hubs.sums + hubs.first[hub] * room;
      std::copy(piece, piece + room, sum);
      for (int64_t p = hubs.first[hub] + 1; p < hubs.first[hub + 1]; ++p)
        for (int64_t k = 0; k < width; ++k) sum[k] += hubs.sums[p * room + k];
      ++hub;
    } else {
      gather_piece(range.arcs, x, range.arcs.begin[row], range.arcs.end[row], range.limit, width,
                   sum);
    }
    if constexpr (std::is_same_v<Source, DenseRows<typename Source::T>>) {
      if (sink.earlier != 0.0) {
        auto* before = sum + room;
        std::copy(x.x + row * width, x.x + (row + 1) * width, before);
        const double squares = sink.unit ? sum_of_squares(before, width) : 0.0;
        const double length = sink.unit ? row_length(before, width, squares) : 0.0;
        merge_row(sink, before, r, length, sink.earlier, sink.fresh);
        RowSink<typename Source::T> rest = sink;
        rest.fresh = false;
        finish_row(rest, sum, row, r);
        continue;
      }
    }
    finish_row(sink, sum, row, r);
  }
}

// Boundaries of chunks, and the rows that are cut.
struct Plan {
  std::vector<int64_t> chunks{0}, hubs, first{0};
};

template <class T, class Index>
Plan make_plan(const RowRange<T, Index>& range) {
  Plan plan;
  int64_t load = 0;
  for (int64_t r = 0; r < range.count; ++r) {
    const int64_t size = range.size(r);
    if (size > kPiece) {
      plan.hubs.push_back(r);
      plan.first.push_back(plan.first.back() + (size + kPiece - 1) / kPiece);
      load += 1;
    } else {
      load += size + 1;
    }
    if (load >= kChunk) {
      plan.chunks.push_back(r + 1);
      load = 0;
    }
  }
  if (plan.chunks.back() < range.count) plan.chunks.push_back(range.count);
  return plan;
}

// Calls body(i, thread) for i in [0, count), a segment at a time so that Ctrl-C is heard.
template <class Body>
void in_segments(int64_t count, int threads, Body&& body) {
  for (int64_t start = 0; start < count; start += kSegment) {
    const int64_t end = std::min(start + kSegment, count);
#pragma omp parallel for num_threads(threads) schedule(dynamic, 1)
    for (int64_t i = start; i < end; ++i) body(i, omp_get_thread_num());
    check_signals();
  }
}

template <class Source, class Index>
void run(const RowRange<typename Source::T, Index>& range, const Source& x,
         const RowSink<typename Source::T>& sink, int num_threads) {
  using T = typename Source::T;
  const Plan plan = make_plan(range);
  const int64_t room = padded(sink.width), pieces = plan.first.back();
  const int64_t chunks = static_cast<int64_t>(plan.chunks.size()) - 1;
  const int threads = chunks + pieces < 2 ? 1 : resolve_threads(num_threads);
  const std::unique_ptr<T[], Free> sums(
      static_cast<T*>(allocate(static_cast<size_t>(pieces * room) * sizeof(T))));
  const std::unique_ptr<T[], Free> buffers(
      static_cast<T*>(allocate(static_cast<size_t>(threads * 2 * (room + 16)) * sizeof(T))));
  std::vector<int64_t> hub_of(static_cast<size_t>(pieces));
  for (size_t h = 0; h < plan.hubs.size(); ++h)
    std::fill(hub_of.begin() + plan.first[h], hub_of.begin() + plan.first[h + 1],
              static_cast<int64_t>(h));
  in_segments(pieces, threads, [&](int64_t p, int) {
    const int64_t h = hub_of[static_cast<size_t>(p)];
    run_piece(range, x, range.row(plan.hubs[h]), p - plan.first[h], sink.width,
              sums.get() + p * room);
  });
  const Hubs<T> hubs{plan.hubs.data(), plan.first.data(), static_cast<int64_t>(plan.hubs.size()),
                     sums.get()};
  in_segments(chunks, threads, [&](int64_t c, int thread) {
    run_rows(range, x, sink, hubs, plan.chunks[c], plan.chunks[c + 1],
             buffers.get() + thread * 2 * (room + 16));
  });
}

template <class T>
const T* data_or_null(const Maybe<In<T>>& array) {
  return array ? array->data() : nullptr;
}

// Binds the kernel for one source; `Given` is its array, `source(given, factors, width)` its view.
template <class Source, class Index, class Given, class View>
void bind_source(nb::module_& m, View source) {
  using namespace nb::literals;
  using T = typename Source::T;
  m.def(
      "sketch_power",
      [source](In<int64_t> begin, In<int64_t> end, In<Index> indices, Maybe<In<T>> values,
               Maybe<In<int64_t>> rows, Maybe<In<T>> scale, Given x, Maybe<In<T>> factors,
               int64_t width, Maybe<Matrix<T>> power, Maybe<Matrix<uint16_t>> half,
               Maybe<Matrix<T>> merged, int64_t column, Maybe<Out<double>> squares, double alpha,
               double earlier, bool unit, bool loop, bool fresh, int threads) {
        nb::gil_scoped_release free;
        RowRange<T, Index> range;
        range.arcs = {begin.data(), end.data(), indices.data(), data_or_null(values)};
        range.rows = data_or_null(rows);
        range.count = static_cast<int64_t>(rows ? rows->shape(0) : begin.shape(0));
        range.limit = static_cast<int64_t>(indices.shape(0)) - 1;
        RowSink<T> sink;
        sink.scale = data_or_null(scale);
        sink.power = power ? power->data() : nullptr;
        sink.half = half ? half->data() : nullptr;
        sink.merged = merged ? merged->data() + column : nullptr;
        sink.stride = merged ? static_cast<int64_t>(merged->shape(1)) : 0;
        sink.squares = squares ? squares->data() : nullptr;
        sink.width = width;
        sink.alpha = alpha;
        sink.earlier = earlier;
        sink.unit = unit;
        sink.loop = loop;
        sink.fresh = fresh;
        run(range, source(x, data_or_null(factors), width), sink, threads);
      },
      "begin"_a.noconvert(), "end"_a.noconvert(), "indices"_a.noconvert(),
      "values"_a.noconvert().none(), "rows"_a.noconvert().none(), "scale"_a.noconvert().none(),
      "x"_a.noconvert(), "factors"_a.noconvert().none(), "width"_a, "power"_a.noconvert().none(),
      "half"_a.noconvert().none(), "merged"_a.noconvert().none(), "column"_a,
      "squares"_a.noconvert().none(), "alpha"_a, "earlier"_a, "unit"_a, "loop"_a, "fresh"_a,
      "threads"_a);
}

template <class T, class Index>
void bind_type(nb::module_& m) {
  bind_source<DenseRows<T>, Index, Matrix<const T>>(
      m, [](const Matrix<const T>& x, const T*, int64_t width) {
        return DenseRows<T>{x.data(), width};
      });
  bind_source<SignRows<T>, Index, Codes>(m, [](const Codes& x, const T* factors, int64_t) {
    return SignRows<T>{x.data(), factors, static_cast<int64_t>(x.shape(1))};
  });
}

template <class Index>
void bind_index(nb::module_& m) {
  bind_type<float, Index>(m);
  bind_type<double, Index>(m);
  bind_source<HalfRows, Index, Matrix<const uint16_t>>(
      m, [](const Matrix<const uint16_t>& x, const float*, int64_t width) {
        return HalfRows{x.data(), width};
      });
}

}  // namespace

void bind_sketch(nb::module_& m) {
  bind_index<int32_t>(m);
  bind_index<int64_t>(m);
}

}  // namespace gs

// Numeric half of a sparse factorisation: L D L^T of a grounded Laplacian, solves, resistances.
#include "core/ldl.hpp"

#include "cpu/bindings.hpp"
#include "cpu/parallel.hpp"

namespace gs {
namespace {

constexpr int64_t kSmall = 1 << 17;  // multiplications below which one thread is faster

// Up-looking factorisation: row k of L solves a triangular system with the rows above it, whose
// pattern is read off the elimination tree.  Entries of a column come out with ascending rows.
class Factor {
 public:
  Factor(const CsrView<int32_t>& g, const double* weights, const int32_t* order,
         const int32_t* parent, const int64_t* ptr, int64_t k, int32_t* rows, double* values,
         double* diagonal)
      : g_(g),
        weights_(weights),
        order_(order),
        parent_(parent),
        rows_(rows),
        values_(values),
        diagonal_(diagonal),
        begin_(ptr, ptr + k),
        end_(ptr, ptr + k),
        at_(static_cast<size_t>(g.num_nodes), -1),
        seen_(static_cast<size_t>(k), -1),
        pattern_(static_cast<size_t>(k)),
        y_(static_cast<size_t>(k), 0.0) {
    for (int64_t j = 0; j < k; ++j) at_[order[j]] = static_cast<int32_t>(j);
  }

  // False if the pivot is not positive: the row has no grounded node in its component.
  bool row(int32_t k) {
    double d = 0.0;
    int64_t top = static_cast<int64_t>(pattern_.size());
    seen_[k] = k;
    for (int64_t i = g_.begin(order_[k]); i < g_.end(order_[k]); ++i) {
      d += weights_[i];
      const int32_t r = at_[g_.indices[i]];
      if (r < 0 || r >= k) continue;
      y_[r] -= weights_[i];
      top = push_path(r, k, top);
    }
    for (; top < static_cast<int64_t>(pattern_.size()); ++top) d -= take(pattern_[top], k);
    diagonal_[k] = d;
    return d > 0.0;
  }

 private:
  // Put the unseen part of the path from r to the root in front of the pattern, r first.
  int64_t push_path(int32_t r, int32_t k, int64_t top) {
    int64_t length = 0;
    for (int32_t j = r; seen_[j] != k; j = parent_[j]) {
      pattern_[length++] = j;
      seen_[j] = k;
    }
    while (length > 0) pattern_[--top] = pattern_[--length];
    return top;
  }

  double take(int32_t j, int32_t k) {
    const double y = y_[j];
    y_[j] = 0.0;
    for (int64_t p = begin_[j]; p < end_[j]; ++p) y_[rows_[p]] -= values_[p] * y;
    const double l = y / diagonal_[j];
    rows_[end_[j]] = k;
    values_[end_[j]++] = l;
    return l * y;
  }

  const CsrView<int32_t> g_;
  const double* weights_;
  const int32_t *order_, *parent_;
  int32_t* rows_;
  double *values_, *diagonal_;
  std::vector<int64_t> begin_, end_;
  std::vector<int32_t> at_, seen_, pattern_;
  std::vector<double> y_;
};

// (rows, values, diagonal, bad) of L D L^T; `bad` is the node of a pivot that is not positive, -1
// if there is none.
nb::tuple ldl_factor(In<int64_t> indptr, In<int32_t> indices, In<double> weights, In<int32_t> order,
                     In<int32_t> parent, In<int64_t> ptr) {
  const CsrView<int32_t> g = view(indptr, indices);
  const int64_t k = static_cast<int64_t>(order.shape(0));
  Fresh<int32_t> rows(ptr.data()[k]);
  Fresh<double> values(ptr.data()[k]), diagonal(k);
  int64_t bad = -1;
  {
    nb::gil_scoped_release free;
    Factor factor(g, weights.data(), order.data(), parent.data(), ptr.data(), k, rows.data.get(),
                  values.data.get(), diagonal.data.get());
    for (int64_t j = 0; j < k && bad < 0; ++j) {
      if (!factor.row(static_cast<int32_t>(j))) bad = order.data()[j];
      if ((j & 0xFFFF) == 0xFFFF) check_signals();
    }
  }
  return nb::make_tuple(rows.release(), values.release(), diagonal.release(), bad);
}

LdlView factor_view(const In<int64_t>& ptr, const In<int32_t>& rows, const In<double>& values,
                    const In<double>& diagonal) {
  return {ptr.data(), rows.data(), values.data(), diagonal.data()};
}

// Solve for W columns of b (n, width) starting at `first`; grounded nodes get 0.
template <int W>
void solve_columns(const LdlView& f, const int32_t* order, int64_t k, const double* b, double* out,
                   int64_t width, int64_t first, std::vector<double>& x) {
  x.resize(static_cast<size_t>(k * W));
  for (int64_t j = 0; j < k; ++j)
    for (int c = 0; c < W; ++c) x[j * W + c] = b[order[j] * width + first + c];
  for (int64_t j = 0; j < k; ++j) forward_column<W>(f, j, x.data());
  for (int64_t j = k; j-- > 0;) {
    for (int c = 0; c < W; ++c) x[j * W + c] /= f.diagonal[j];
    backward_column<W>(f, j, x.data());
  }
  for (int64_t j = 0; j < k; ++j)
    for (int c = 0; c < W; ++c) out[order[j] * width + first + c] = x[j * W + c];
}

// A^-1 b for b of shape (n, width), row by row; a column's result does not depend on the others.
NumpyArray<double> ldl_solve(In<int64_t> ptr, In<int32_t> rows, In<double> values,
                             In<double> diagonal, In<int32_t> order, In<double> b, int64_t width,
                             int num_threads) {
  const int64_t k = static_cast<int64_t>(order.shape(0));
  const LdlView f = factor_view(ptr, rows, values, diagonal);
  Fresh<double> out(static_cast<int64_t>(b.shape(0)));
  {
    nb::gil_scoped_release free;
    std::fill(out.data.get(), out.data.get() + out.size, 0.0);
    constexpr int64_t kBlock = 8;
    const int64_t blocks = width / kBlock;
    const bool small = (f.ptr[k] + k) * width < kSmall;
    const int threads =
        small ? 1 : static_cast<int>(std::clamp<int64_t>(blocks, 1, resolve_threads(num_threads)));
#pragma omp parallel num_threads(threads)
    {
      std::vector<double> x;
#pragma omp for schedule(dynamic, 1)
      for (int64_t block = 0; block < blocks; ++block)
        solve_columns<kBlock>(f, order.data(), k, b.data(), out.data.get(), width, block * kBlock,
                              x);
#pragma omp for schedule(dynamic, 1)
      for (int64_t c = blocks * kBlock; c < width; ++c)
        solve_columns<1>(f, order.data(), k, b.data(), out.data.get(), width, c, x);
    }
  }
  return out.release();
}

// Diagonal of the inverse, and of each pair of rows its entry there, for pairs inside the pattern
// of L (Takahashi): from the last column to the first, column j of the inverse follows from those
// of the rows that column j of L holds.
class SelectedInverse {
 public:
  explicit SelectedInverse(const LdlView& f, int64_t k)
      : f_(f),
        diagonal_(static_cast<size_t>(k)),
        values_(static_cast<size_t>(f.ptr[k])),
        slot_(static_cast<size_t>(k), -1) {}

  void column(int64_t j) {
    const int64_t begin = f_.ptr[j], end = f_.ptr[j + 1];
    double* z = values_.data() + begin;
    for (int64_t p = begin; p < end; ++p) {
      slot_[f_.rows[p]] = p - begin;
      z[p - begin] = 0.0;
    }
    for (int64_t p = begin; p < end; ++p) {
      const int64_t l = f_.rows[p];
      z[p - begin] -= f_.values[p] * diagonal_[l];
      for (int64_t q = f_.ptr[l]; q < f_.ptr[l + 1]; ++q) {
        const int64_t at = slot_[f_.rows[q]];
        if (at < 0) continue;
        z[at] -= f_.values[p] * values_[q];
        z[p - begin] -= f_.values[begin + at] * values_[q];
      }
    }
    double d = 1.0 / f_.diagonal[j];
    for (int64_t p = begin; p < end; ++p) {
      d -= f_.values[p] * z[p - begin];
      slot_[f_.rows[p]] = -1;
    }
    diagonal_[j] = d;
  }

  // Entry (i, j); 0 where one of the two is grounded (-1).
  double entry(int32_t i, int32_t j) const {
    if (i < 0 || j < 0) return 0.0;
    if (i == j) return diagonal_[i];
    const int32_t row = std::max(i, j), column = std::min(i, j);
    const int32_t* first = f_.rows + f_.ptr[column];
    const int32_t* at = std::lower_bound(first, f_.rows + f_.ptr[column + 1], row);
    return values_[f_.ptr[column] + (at - first)];
  }

 private:
  const LdlView f_;
  std::vector<double> diagonal_, values_;
  std::vector<int64_t> slot_;
};

// Effective resistance of pairs of rows that are edges, -1 for the grounded node.
NumpyArray<double> ldl_edge_resistances(In<int64_t> ptr, In<int32_t> rows, In<double> values,
                                        In<double> diagonal, In<int32_t> p, In<int32_t> q) {
  const LdlView f = factor_view(ptr, rows, values, diagonal);
  const int64_t size = static_cast<int64_t>(p.shape(0));
  Fresh<double> out(size);
  {
    nb::gil_scoped_release free;
    SelectedInverse inverse(f, static_cast<int64_t>(diagonal.shape(0)));
    for (int64_t j = static_cast<int64_t>(diagonal.shape(0)); j-- > 0;) {
      inverse.column(j);
      if ((j & 0xFFFF) == 0xFFFF) check_signals();
    }
    for (int64_t i = 0; i < size; ++i) {
      const int32_t a = p.data()[i], b = q.data()[i];
      out.data[i] = inverse.entry(a, a) + inverse.entry(b, b) - 2.0 * inverse.entry(a, b);
    }
  }
  return out.release();
}

// Effective resistance of pairs of rows, -1 for the grounded node of the component.
NumpyArray<double> ldl_resistances(In<int64_t> ptr, In<int32_t> rows, In<double> values,
                                   In<double> diagonal, In<int32_t> parent, In<int32_t> p,
                                   In<int32_t> q, int num_threads) {
  const LdlView f = factor_view(ptr, rows, values, diagonal);
  const int64_t size = static_cast<int64_t>(p.shape(0));
  Fresh<double> out(size);
  {
    nb::gil_scoped_release free;
    const bool small = (f.ptr[diagonal.shape(0)] + size) * size < kSmall;
    const int threads = small ? 1 : resolve_threads(num_threads);
#pragma omp parallel num_threads(threads)
    {
      std::vector<double> x(diagonal.shape(0), 0.0);
#pragma omp for schedule(dynamic, 16)
      for (int64_t i = 0; i < size; ++i)
        out.data[i] = pair_resistance(f, parent.data(), p.data()[i], q.data()[i], x.data());
    }
  }
  return out.release();
}

}  // namespace

void bind_ldl(nb::module_& m) {
  using namespace nb::literals;
  m.def("ldl_factor", &ldl_factor, "indptr"_a, "indices"_a, "weights"_a, "order"_a, "parent"_a,
        "ptr"_a);
  m.def("ldl_solve", &ldl_solve, "ptr"_a, "rows"_a, "values"_a, "diagonal"_a, "order"_a, "b"_a,
        "width"_a, "threads"_a);
  m.def("ldl_edge_resistances", &ldl_edge_resistances, "ptr"_a, "rows"_a, "values"_a, "diagonal"_a,
        "p"_a, "q"_a);
  m.def("ldl_resistances", &ldl_resistances, "ptr"_a, "rows"_a, "values"_a, "diagonal"_a,
        "parent"_a, "p"_a, "q"_a, "threads"_a);
}

}  // namespace gs

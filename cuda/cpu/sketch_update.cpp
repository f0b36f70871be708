// Updates of FastRP: how far a change of rows can reach in one step, and replacing rows.
#include <cmath>

#include "cpu/bindings.hpp"
#include "cpu/parallel.hpp"
#include "cpu/vectors.hpp"

namespace gs {
namespace {

// reach[i] += |w_ij| * change_j over the arcs i -> j into the changed rows j, read backwards from
// the rows of the reversed graph.  Returns the rows i in the order of first touch; `reach` must be
// zero before, and `seen` false.
template <class T, class Index>
NumpyArray<int64_t> push_changes(In<int64_t> begin, In<int64_t> end, In<Index> indices,
                                 In<T> values, In<int64_t> rows, In<double> changes,
                                 Out<double> reach, Out<bool> seen) {
  std::vector<int64_t> touched;
  {
    nb::gil_scoped_release free;
    for (size_t r = 0; r < rows.shape(0); ++r) {
      const int64_t j = rows.data()[r];
      const double change = changes.data()[r];
      for (int64_t e = begin.data()[j]; e < end.data()[j]; ++e) {
        const int64_t i = indices.data()[e];
        reach.data()[i] += std::abs(static_cast<double>(values.data()[e])) * change;
        if (seen.data()[i]) continue;
        seen.data()[i] = true;
        touched.push_back(i);
      }
    }
    for (const int64_t i : touched) seen.data()[i] = false;
  }
  Fresh<int64_t> out(static_cast<int64_t>(touched.size()));
  std::copy(touched.begin(), touched.end(), out.data.get());
  return out.release();
}

template <class T>
using Matrix = nb::ndarray<T, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

// x[rows[r]] = block[r]; change[r] is the length of the difference, 0 only for the same bits.
template <class T>
void replace_rows(Matrix<T> x, In<int64_t> rows, Matrix<const T> block, Out<double> change,
                  int num_threads) {
  nb::gil_scoped_release free;
  const int64_t count = static_cast<int64_t>(rows.shape(0));
  const int64_t width = static_cast<int64_t>(x.shape(1));
  const int threads = threads_for(count * width, num_threads);
#pragma omp parallel for num_threads(threads) schedule(static)
  for (int64_t r = 0; r < count; ++r) {
    T* to = x.data() + rows.data()[r] * width;
    const T* from = block.data() + r * width;
    double sum = 0.0, most = 0.0;
    for (int64_t k = 0; k < width; ++k) {
      const double gap = static_cast<double>(from[k]) - static_cast<double>(to[k]);
      sum += gap * gap;
      most = std::max(most, std::abs(gap));
      to[k] = from[k];
    }
    change.data()[r] = std::max(std::sqrt(sum), most);
  }
}

template <class T, class Index>
void bind_push(nb::module_& m) {
  using namespace nb::literals;
  m.def("push_changes", &push_changes<T, Index>, "begin"_a.noconvert(), "end"_a.noconvert(),
        "indices"_a.noconvert(), "values"_a.noconvert(), "rows"_a.noconvert(),
        "changes"_a.noconvert(), "reach"_a.noconvert(), "seen"_a.noconvert());
}

template <class T>
void bind_type(nb::module_& m) {
  using namespace nb::literals;
  bind_push<T, int32_t>(m);
  bind_push<T, int64_t>(m);
  m.def("replace_rows", &replace_rows<T>, "x"_a.noconvert(), "rows"_a.noconvert(),
        "block"_a.noconvert(), "change"_a.noconvert(), "threads"_a);
}

}  // namespace

void bind_sketch_update(nb::module_& m) {
  bind_type<float>(m);
  bind_type<double>(m);
}

}  // namespace gs

// Elementwise dropout with 8 or 16 random bits per entry; its own gradient with the same bits.
#include "cpu/bindings.hpp"
#include "cpu/drop_range.hpp"
#include "cpu/parallel.hpp"

namespace gs {
namespace {

#define GS_DROPOUT_CLONE(T, Bits)                                                         \
  GS_CLONES void range(const T* x, const Bits* b, int32_t t, T s, T* out, int64_t size) { \
    drop_range(x, b, t, s, out, size);                                                    \
  }
GS_DROPOUT_CLONE(float, uint8_t)
GS_DROPOUT_CLONE(float, uint16_t)
GS_DROPOUT_CLONE(double, uint8_t)
GS_DROPOUT_CLONE(double, uint16_t)
#undef GS_DROPOUT_CLONE

template <class T, class Bits>
void dropout(In<T> x, In<Bits> bits, int32_t threshold, double scale, Out<T> out, int num_threads) {
  nb::gil_scoped_release free;
  const int64_t size = static_cast<int64_t>(x.shape(0));
  const int threads = size < (1 << 18) ? 1 : resolve_threads(num_threads);
#pragma omp parallel for num_threads(threads) schedule(static, 1)
  for (int p = 0; p < threads; ++p) {
    const int64_t first = even_cut(size, threads, p), last = even_cut(size, threads, p + 1);
    range(x.data() + first, bits.data() + first, threshold, static_cast<T>(scale),
          out.data() + first, last - first);
  }
}

template <class T, class Bits>
void bind_type(nb::module_& m) {
  using namespace nb::literals;
  m.def("dropout", &dropout<T, Bits>, "x"_a.noconvert(), "bits"_a.noconvert(), "threshold"_a,
        "scale"_a, "out"_a.noconvert(), "threads"_a);
}

}  // namespace

void bind_dropout(nb::module_& m) {
  bind_type<float, uint8_t>(m);
  bind_type<float, uint16_t>(m);
  bind_type<double, uint8_t>(m);
  bind_type<double, uint16_t>(m);
}

}  // namespace gs

// Threads, signals and array types shared by the CPU loops.
#pragma once
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <omp.h>
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <memory>
#include <new>
#include <vector>

#include "core/csr.hpp"

namespace gs {
namespace nb = nanobind;

template <class T>
using In = nb::ndarray<const T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
template <class T>
using Out = nb::ndarray<T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
template <class T>
using NumpyArray = nb::ndarray<nb::numpy, T, nb::ndim<1>>;

struct Free {
  void operator()(void* p) const noexcept { std::free(p); }
};

// Uninitialised memory.  Large blocks ask for huge pages: fewer page faults on first touch.
inline void* allocate(size_t bytes) {
  constexpr size_t huge = size_t{2} << 20;
  const bool large = bytes >= 2 * huge;
  void* p = large ? std::aligned_alloc(huge, (bytes + huge - 1) / huge * huge)
                  : std::malloc(std::max<size_t>(bytes, 1));
  if (!p) throw std::bad_alloc();
  if (large) madvise(p, bytes, MADV_HUGEPAGE);
  return p;
}

// An uninitialised NumPy array that owns its memory.  Only release() needs the GIL.
template <class T>
struct Fresh {
  explicit Fresh(int64_t size)
      : size(size), data(static_cast<T*>(allocate(static_cast<size_t>(size) * sizeof(T)))) {}
  NumpyArray<T> release() {
    T* p = data.release();
    nb::capsule owner(p, [](void* q) noexcept { std::free(q); });
    return NumpyArray<T>(p, {static_cast<size_t>(size)}, owner);
  }
  int64_t size;
  std::unique_ptr<T[], Free> data;
};

// Set in a forked child: GNU OpenMP hangs there once the parent has used it.
extern std::atomic<bool> in_forked_child;

// Thread count for a kernel: 0 means "as many as OpenMP would use".
inline int resolve_threads(int requested) {
  if (in_forked_child.load(std::memory_order_relaxed)) return 1;
  const int most = omp_get_max_threads();
  return requested > 0 ? requested : most;
}

constexpr int64_t kSmall = 1 << 15;  // items below which one thread is faster

inline int threads_for(int64_t work, int requested) {
  return work < kSmall ? 1 : resolve_threads(requested);
}

// Row ranges with about equal numbers of rows + arcs: boundaries (parts + 1,).
inline std::vector<int64_t> balanced_rows(const int64_t* indptr, int64_t n, int parts) {
  std::vector<int64_t> cut(static_cast<size_t>(parts) + 1, n);
  cut[0] = 0;
  const int64_t base = n ? indptr[0] : 0;
  const int64_t total = n ? indptr[n] - base + n : 0;
  for (int p = 1; p < parts; ++p) {
    const int64_t want = total / parts * p;
    int64_t lo = cut[p - 1], hi = n;
    while (lo < hi) {
      const int64_t mid = lo + ((hi - lo) >> 1);
      if (indptr[mid] - base + mid < want)
        lo = mid + 1;
      else
        hi = mid;
    }
    cut[p] = lo;
  }
  return cut;
}

// Even split of [0, n): boundary p of parts.
inline int64_t even_cut(int64_t n, int parts, int p) {
  return n / parts * p + std::min<int64_t>(p, n % parts);
}

// Raise KeyboardInterrupt if Ctrl-C was pressed.  Call from the main thread between chunks.
inline void check_signals() {
  nb::gil_scoped_acquire gil;
  if (PyErr_CheckSignals() != 0) throw nb::python_error();
}

template <class Index>
CsrView<Index> view(const In<int64_t>& indptr, const In<Index>& indices) {
  return {static_cast<int64_t>(indptr.shape(0)) - 1, indptr.data(), indices.data()};
}

}  // namespace gs

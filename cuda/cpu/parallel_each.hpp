// A parallel loop whose body may run out of memory.
#pragma once
#include <omp.h>

#include <atomic>
#include <cstdint>
#include <new>

namespace gs {

// Sum of body(i, thread) over i in [0, count).  Short loops run on one thread.
template <class Body>
int64_t parallel_each(int64_t count, int threads, Body&& body) {
  int64_t total = 0;
  if (count < 24 || threads == 1) {
    for (int64_t i = 0; i < count; ++i) total += body(i, 0);
    return total;
  }
  std::atomic<bool> failed{false};
#pragma omp parallel for num_threads(threads) schedule(dynamic, 8) reduction(+ : total)
  for (int64_t i = 0; i < count; ++i) {
    try {
      total += body(i, omp_get_thread_num());
    } catch (const std::bad_alloc&) {
      failed = true;
    }
  }
  if (failed) throw std::bad_alloc();
  return total;
}

}  // namespace gs

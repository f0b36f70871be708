// Sparse matrix times dense matrix on the device; every output entry is that of core/spmm.hpp, with
// the sum in the CPU's order.
#include "core/spmm.hpp"
#include "gpu/launch.cuh"

namespace gs {

// out (rows, width) = A @ b + self_weight[0] * b, the last only if `with_self`.  Neighbouring
// threads take neighbouring columns, so rows of b are read in whole lines, and the entries of a row
// of A by all of its threads at once.
template <class T>
__global__ void spmm_kernel(const int64_t* indptr, const int32_t* indices, const T* values,
                            const T* b, int64_t rows, int64_t width, bool with_self,
                            const T* self_weight, T* out) {
  const int64_t size = rows * width;
  const T own = with_self ? *self_weight : T(0);
  for (int64_t i = global_thread(); i < size; i += grid_size()) {
    const int64_t row = i / width;
    out[i] = spmm_entry(indptr, indices, values, b, width, own, row, i - row * width);
  }
}

#ifndef GS_EMULATED_DEVICE
template __global__ void spmm_kernel<float>(const int64_t*, const int32_t*, const float*,
                                            const float*, int64_t, int64_t, bool, const float*,
                                            float*);
template __global__ void spmm_kernel<double>(const int64_t*, const int32_t*, const double*,
                                             const double*, int64_t, int64_t, bool, const double*,
                                             double*);
#endif

}  // namespace gs

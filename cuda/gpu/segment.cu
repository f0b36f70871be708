// Reductions over groups of rows and the halves of induced set attention on the device: one warp
// per group, the steps of core/segment.hpp.  Nothing is added atomically.
#include "core/segment.hpp"
#include "gpu/launch.cuh"

namespace gs {

constexpr int kWarps = 8;         // of a block of 256 threads
constexpr int kMostWeights = 64;  // points * heads that fit the scratch of a warp

struct Warp {
  int lane;

  __device__ Warp() : lane(static_cast<int>(threadIdx.x) % 32) {}
  template <class F>
  __device__ void each(int64_t n, F f) const {
    for (int64_t c = lane; c < n; c += 32) f(c);
  }
  template <class T>
  __device__ T dot(const T* a, const T* b, int64_t n) const {
    T sum = T(0);
    for (int64_t c = lane; c < n; c += 32) sum += a[c] * b[c];
    for (int by = 16; by > 0; by /= 2) sum += __shfl_xor_sync(kFullWarp, sum, by);
    return sum;
  }
  template <class T>
  __device__ void add_scaled(T* y, T factor, const T* x, int64_t n) const {
    for (int64_t c = lane; c < n; c += 32) y[c] += factor * x[c];
  }
  __device__ bool leads() const { return lane == 0; }
  __device__ void sync() const { __syncwarp(); }
};

// Calls f with every group that this thread's warp is to do.
template <class F>
__device__ void each_group(int64_t groups, F f) {
  for (int64_t g = global_thread() / 32; g < groups; g += grid_size() / 32) f(g);
}

template <class T>
__device__ T exponential(T x) {
  return static_cast<T>(exp(x));
}

// Blocks of 256 threads, so many on a multiprocessor at once.
#define GS_KERNEL(BLOCKS) \
  template <class T>      \
  __global__ void __launch_bounds__(256, BLOCKS)

GS_KERNEL(4)
segment_mean_kernel(int64_t groups, const int64_t* ptr, const int64_t* order, int64_t dim,
                    bool relu, const T* x, int64_t stride, T* out) {
  const Segments s{ptr, order};
  const Rows<const T> rows{x, stride};
  each_group(groups, [=](int64_t g) {
    relu ? mean_forward<true>(Warp(), s, g, rows, dim, out)
         : mean_forward<false>(Warp(), s, g, rows, dim, out);
  });
}

GS_KERNEL(4)
segment_mean_grad_kernel(int64_t groups, const int64_t* ptr, const int64_t* order, int64_t dim,
                         bool relu, const T* x, int64_t stride, const T* grad, T* grad_x,
                         int64_t grad_stride) {
  const Segments s{ptr, order};
  const Rows<const T> rows{x, stride};
  const Rows<T> to{grad_x, grad_stride};
  each_group(groups, [=](int64_t g) {
    relu ? mean_backward<true>(Warp(), s, g, rows, dim, grad, to)
         : mean_backward<false>(Warp(), s, g, rows, dim, grad, to);
  });
}

GS_KERNEL(4)
segment_max_kernel(int64_t groups, const int64_t* ptr, const int64_t* order, int64_t dim,
                   const T* x, int64_t stride, T* out, int64_t* which) {
  each_group(groups, [=](int64_t g) {
    max_forward(Warp(), Segments{ptr, order}, g, Rows<const T>{x, stride}, dim, out, which);
  });
}

GS_KERNEL(4)
segment_max_grad_kernel(int64_t groups, const int64_t* ptr, const int64_t* order, int64_t dim,
                        const T* grad, const int64_t* which, T* grad_x, int64_t grad_stride) {
  each_group(groups, [=](int64_t g) {
    max_backward(Warp(), Segments{ptr, order}, g, dim, grad, which, Rows<T>{grad_x, grad_stride});
  });
}

GS_KERNEL(4)
segment_add_relu_kernel(int64_t groups, const int64_t* ptr, const int64_t* order, int64_t dim,
                        const T* x, int64_t stride, const T* shift, T* out, int64_t out_stride) {
  each_group(groups, [=](int64_t g) {
    add_relu_forward(Warp(), Segments{ptr, order}, g, Rows<const T>{x, stride}, dim, shift,
                     Rows<T>{out, out_stride});
  });
}

GS_KERNEL(4)
segment_add_relu_grad_kernel(int64_t groups, const int64_t* ptr, const int64_t* order, int64_t dim,
                             const T* out, int64_t out_stride, const T* grad, int64_t stride,
                             T* grad_x, int64_t grad_stride, T* grad_shift) {
  each_group(groups, [=](int64_t g) {
    add_relu_backward(Warp(), Segments{ptr, order}, g, Rows<const T>{out, out_stride}, dim,
                      Rows<const T>{grad, stride}, Rows<T>{grad_x, grad_stride}, grad_shift);
  });
}

GS_KERNEL(2)
segment_pool_kernel(int64_t groups, const int64_t* ptr, const int64_t* order, int64_t points,
                    int64_t heads, int64_t width, const T* logits, int64_t logits_stride,
                    const T* values, int64_t values_stride, const T* start, T* att, T* pooled) {
  const Induced a{points, heads, width};
  each_group(groups, [=](int64_t g) {
    pool_forward(Warp(), Segments{ptr, order}, g, a, Rows<const T>{logits, logits_stride},
                 Rows<const T>{values, values_stride}, start, att, pooled, exponential<T>);
  });
}

GS_KERNEL(2)
segment_pool_grad_kernel(int64_t groups, const int64_t* ptr, const int64_t* order, int64_t points,
                         int64_t heads, int64_t width, const T* values, int64_t values_stride,
                         const T* att, const T* grad, T* grad_logits, int64_t grad_logits_stride,
                         T* grad_values, int64_t grad_values_stride) {
  const Induced a{points, heads, width};
  each_group(groups, [=](int64_t g) {
    pool_backward(Warp(), Segments{ptr, order}, g, a, Rows<const T>{values, values_stride}, att,
                  grad, Rows<T>{grad_logits, grad_logits_stride},
                  Rows<T>{grad_values, grad_values_stride});
  });
}

GS_KERNEL(2)
segment_read_kernel(int64_t groups, const int64_t* ptr, const int64_t* order, int64_t points,
                    int64_t heads, int64_t width, T scale, const T* q, int64_t q_stride,
                    const T* keys, int64_t keys_stride, const T* values, int64_t values_stride,
                    T* att, T* out, int64_t out_stride) {
  const Induced a{points, heads, width};
  each_group(groups, [=](int64_t g) {
    read_forward(Warp(), Segments{ptr, order}, g, a, scale, Rows<const T>{q, q_stride},
                 Rows<const T>{keys, keys_stride}, Rows<const T>{values, values_stride}, att,
                 Rows<T>{out, out_stride}, exponential<T>);
  });
}

GS_KERNEL(2)
segment_read_grad_kernel(int64_t groups, const int64_t* ptr, const int64_t* order, int64_t points,
                         int64_t heads, int64_t width, T scale, const T* q, int64_t q_stride,
                         const T* keys, int64_t keys_stride, const T* values, int64_t values_stride,
                         const T* att, const T* grad, int64_t grad_stride, T* grad_q,
                         int64_t grad_q_stride, T* grad_keys, int64_t grad_keys_stride,
                         T* grad_values, int64_t grad_values_stride) {
  __shared__ T scratch[kWarps * kMostWeights];
  T* share = scratch + threadIdx.x / 32 * kMostWeights;
  const Induced a{points, heads, width};
  each_group(groups, [=](int64_t g) {
    read_backward(Warp(), Segments{ptr, order}, g, a, scale, Rows<const T>{q, q_stride},
                  Rows<const T>{keys, keys_stride}, Rows<const T>{values, values_stride}, att,
                  Rows<const T>{grad, grad_stride}, Rows<T>{grad_q, grad_q_stride},
                  Rows<T>{grad_keys, grad_keys_stride}, Rows<T>{grad_values, grad_values_stride},
                  share);
  });
}
#undef GS_KERNEL

}  // namespace gs

// Runs a CUDA kernel on one CPU thread, launch geometry and all: every CUDA thread is a fiber, a
// block's fibers take turns, and barriers and warp exchanges switch between them.  So the index
// arithmetic, the shared memory and the synchronisation of a .cu file are tested without a GPU.
//
//   #include "emulator.hpp"
//   #include "gpu/trim.cu"
//   emulate(grid, block, [&] { gs::node_scores_kernel<int>(...); });
//
// Blocks run one after another, in a scrambled order.  A barrier that some live thread never
// reaches is reported as an error instead of hanging.
#pragma once
#include <ucontext.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <stdexcept>
#include <type_traits>
#include <vector>

#define GS_EMULATED_DEVICE 1
#define __global__
#define __device__
#define __host__
#define __launch_bounds__(...)
#define __shared__ static  // blocks run one at a time, so one copy serves

struct Dim3 {
  unsigned x = 1, y = 1, z = 1;
};

namespace emulator {

enum class State { ready, at_block_barrier, at_warp_barrier, done };

struct Fiber {
  ucontext_t context{};
  char* stack = nullptr;
  State state = State::ready;
};

struct Block {
  std::vector<Fiber> fibers;
  ucontext_t scheduler{};
  size_t current = 0;
  std::function<void()> body;
  uint64_t slot[32 * 64] = {};  // one exchange slot per thread
};

inline Block* block = nullptr;
constexpr size_t kStack = 32 << 10;

// Stacks are kept from launch to launch and never cleared.
inline char* stack_of(size_t thread) {
  static std::vector<std::unique_ptr<char[]>> stacks;
  while (stacks.size() <= thread) stacks.emplace_back(new char[kStack]);
  return stacks[thread].get();
}

inline void wait_in(State state) {
  Fiber& self = block->fibers[block->current];
  self.state = state;
  swapcontext(&self.context, &block->scheduler);
}

inline void entry() {
  block->body();
  block->fibers[block->current].state = State::done;
  swapcontext(&block->fibers[block->current].context, &block->scheduler);
}

// Lets every member of [first, last) go on if all that are not done wait in `state`.
inline bool release(size_t first, size_t last, State state) {
  bool any = false;
  for (size_t i = first; i < last; ++i) {
    const State s = block->fibers[i].state;
    if (s == State::done) continue;
    if (s != state) return false;
    any = true;
  }
  if (any)
    for (size_t i = first; i < last; ++i)
      if (block->fibers[i].state == state) block->fibers[i].state = State::ready;
  return any;
}

inline void run_block(size_t threads) {
  const size_t warp = 32;
  for (;;) {
    bool ran = false, alive = false;
    for (size_t i = 0; i < threads; ++i) {
      Fiber& fiber = block->fibers[i];
      alive |= fiber.state != State::done;
      if (fiber.state != State::ready) continue;
      ran = true;
      block->current = i;
      swapcontext(&block->scheduler, &fiber.context);
    }
    if (!alive) return;
    bool released = release(0, threads, State::at_block_barrier);
    for (size_t w = 0; w < threads; w += warp)
      released |= release(w, std::min(w + warp, threads), State::at_warp_barrier);
    if (!ran && !released) throw std::runtime_error("some threads of a block miss a barrier");
  }
}

}  // namespace emulator

inline Dim3 blockIdx, blockDim, gridDim;
struct ThreadIndex {
  struct Axis {
    operator unsigned() const { return static_cast<unsigned>(emulator::block->current); }
  } x;
  unsigned y = 0, z = 0;
};
inline ThreadIndex threadIdx;

inline void __syncthreads() { emulator::wait_in(emulator::State::at_block_barrier); }
inline void __syncwarp(unsigned = 0xFFFFFFFFu) {
  emulator::wait_in(emulator::State::at_warp_barrier);
}
inline void __threadfence() {}
inline void __threadfence_block() {}

namespace emulator {

// Each lane leaves a value, all wait, each reads, all wait before the slots are used again.
template <class T, class F>
auto exchange(T value, F read) {
  static_assert(sizeof(T) <= 8, "warp exchanges carry at most 64 bits");
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof(T));
  const size_t self = block->current;
  block->slot[self] = bits;
  __syncwarp();
  const size_t base = self / 32 * 32;
  const size_t lanes = std::min<size_t>(32, block->fibers.size() - base);
  const auto of = [&](size_t lane) {
    T out{};
    std::memcpy(&out, &block->slot[base + lane % 32], sizeof(T));
    return out;
  };
  const auto result = read(of, self % 32, lanes);
  __syncwarp();
  return result;
}

}  // namespace emulator

template <class T>
T __shfl_sync(unsigned, T value, int source, int = 32) {
  return emulator::exchange(value, [&](auto of, size_t, size_t) { return of(source & 31); });
}
template <class T>
T __shfl_down_sync(unsigned, T value, unsigned delta, int = 32) {
  return emulator::exchange(value, [&](auto of, size_t lane, size_t) {
    return lane + delta < 32 ? of(lane + delta) : of(lane);
  });
}
template <class T>
T __shfl_up_sync(unsigned, T value, unsigned delta, int = 32) {
  return emulator::exchange(value, [&](auto of, size_t lane, size_t) {
    return lane >= delta ? of(lane - delta) : of(lane);
  });
}
template <class T>
T __shfl_xor_sync(unsigned, T value, int mask, int = 32) {
  return emulator::exchange(value, [&](auto of, size_t lane, size_t) { return of(lane ^ mask); });
}
inline unsigned __ballot_sync(unsigned, int predicate) {
  return emulator::exchange(predicate, [&](auto of, size_t, size_t lanes) {
    unsigned bits = 0;
    for (size_t lane = 0; lane < lanes; ++lane)
      bits |= static_cast<unsigned>(of(lane) != 0) << lane;
    return bits;
  });
}
inline int __any_sync(unsigned mask, int predicate) { return __ballot_sync(mask, predicate) != 0; }
inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline int __clz(int x) { return x ? __builtin_clz(static_cast<unsigned>(x)) : 32; }

// One fiber runs at a time, so plain read-modify-write is atomic.
template <class T>
T atomicAdd(T* at, std::common_type_t<T> value) {
  const T old = *at;
  *at = old + value;
  return old;
}
template <class T>
T atomicMin(T* at, std::common_type_t<T> value) {
  const T old = *at;
  *at = value < old ? value : old;
  return old;
}
template <class T>
T atomicMax(T* at, std::common_type_t<T> value) {
  const T old = *at;
  *at = value > old ? value : old;
  return old;
}
template <class T>
T atomicOr(T* at, std::common_type_t<T> value) {
  const T old = *at;
  *at = old | value;
  return old;
}
template <class T>
T atomicCAS(T* at, std::common_type_t<T> expected, std::common_type_t<T> value) {
  const T old = *at;
  if (old == expected) *at = value;
  return old;
}

// Runs `body` once per thread of a one-dimensional launch.
inline void emulate(unsigned grid, unsigned block_size, std::function<void()> body) {
  if (block_size == 0 || block_size > 1024) throw std::invalid_argument("block size out of range");
  emulator::Block block;
  block.fibers.resize(block_size);
  for (size_t t = 0; t < block_size; ++t) block.fibers[t].stack = emulator::stack_of(t);
  block.body = std::move(body);
  emulator::block = &block;
  gridDim = {grid, 1, 1};
  blockDim = {block_size, 1, 1};
  for (unsigned i = 0; i < grid; ++i) {
    blockIdx.x = (i % 2 ? grid - 1 - i / 2 : i / 2);  // no block may count on its predecessors
    for (size_t t = 0; t < block_size; ++t) {
      auto& fiber = block.fibers[t];
      fiber.state = emulator::State::ready;
      getcontext(&fiber.context);
      fiber.context.uc_stack.ss_sp = fiber.stack;
      fiber.context.uc_stack.ss_size = emulator::kStack;
      fiber.context.uc_link = &block.scheduler;
      makecontext(&fiber.context, emulator::entry, 0);
    }
    emulator::run_block(block_size);
  }
  emulator::block = nullptr;
}

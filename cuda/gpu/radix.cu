// The k largest of many keys, exactly, without sorting and without asking the host.  The keys may
// lie in several arrays that are ranked as one vector; equal keys rank by place, lower first: the
// order of cpu/radix.hpp.
//
// Digits of 11 bits are fixed from the top: a histogram and one block that picks.  After two digits
// the few keys that still agree are copied out with their places, and the later passes read those
// only; if they are too many (most keys are equal) the passes go on over all keys.  The last digits
// fix the place among equal keys.  What is known stands in a Selection on the device.
#include "core/project.hpp"
#include "gpu/launch.cuh"

namespace gs {

constexpr int kDigitBits = 11;
constexpr int kBins = 1 << kDigitBits;
constexpr int64_t kChunk = 4096;  // keys of one array that a block reads together

struct Selection {
  uint64_t key, key_mask;      // digits of the k-th largest key that are known, and which they are
  uint64_t place, place_mask;  // the same of its place, counted from the end, among equal keys
  int64_t rank;                // its rank among what agrees with both, from 1
  unsigned long long held;     // keys copied out; more than there is room: none of them counts
  unsigned long long bad;      // least place of a key that is not finite, or all ones
};

// One array; `words` is its address.
struct Piece {
  uint64_t words;
  int64_t size;
  int64_t first;  // place of its first key
  int64_t chunk;  // its first chunk
  uint64_t mask;  // address of bool (size,), or 0
  int64_t unused;
};

// Followed by its pieces.
struct PieceTable {
  int64_t count, chunks, size;
  int64_t room;       // keys that can be copied out
  uint64_t infinity;  // keys from here on are not finite
  int64_t unused;

  __device__ const Piece* pieces() const { return reinterpret_cast<const Piece*>(this + 1); }
  // The array that a chunk belongs to: the last one that starts at or before it.
  __device__ int64_t number_of(int64_t chunk) const {
    int64_t low = 0, high = count;
    while (high - low > 1) {
      const int64_t middle = (low + high) / 2;
      if (pieces()[middle].chunk <= chunk)
        low = middle;
      else
        high = middle;
    }
    return low;
  }
  __device__ Piece of(int64_t chunk) const { return pieces()[number_of(chunk)]; }
  __device__ uint64_t from_end(int64_t place) const {
    return static_cast<uint64_t>(size - 1 - place);
  }
};

__device__ inline bool agrees(const Selection& state, uint64_t key, uint64_t from_end) {
  return ((key ^ state.key) & state.key_mask) == 0 &&
         ((from_end ^ state.place) & state.place_mask) == 0;
}

// Is a key among the k largest?  Once all digits are known.
__device__ inline bool is_chosen(const Selection& state, uint64_t key, uint64_t from_end) {
  return key > state.key || (key == state.key && from_end >= state.place);
}

// f(word, position in the array, place) over this thread's words of a chunk.  A few are loaded
// before the first is looked at: what f does to memory would keep the loads apart.
template <class Word, class F>
__device__ void in_chunk(const Piece& piece, int64_t chunk, F f) {
  constexpr int few = 4;
  const int64_t begin = (chunk - piece.chunk) * kChunk, rest = piece.size - begin;
  const int count = static_cast<int>(rest < kChunk ? rest : kChunk);
  const Word* words = reinterpret_cast<const Word*>(piece.words) + begin;
  const int threads = static_cast<int>(blockDim.x);
  for (int start = static_cast<int>(threadIdx.x); start < count; start += few * threads) {
    Word loaded[few];
#pragma unroll
    for (int j = 0; j < few; ++j)
      loaded[j] = start + j * threads < count ? words[start + j * threads] : Word{0};
#pragma unroll
    for (int j = 0; j < few; ++j) {
      const int i = start + j * threads;
      if (i < count) f(loaded[j], begin + i, piece.first + begin + i);
    }
  }
}

// Counts the digit at `shift` of the keys (of their places) that agree so far.  bins (kBins,) start
// at 0.  `later`: read the keys that were copied out, if they all are.
template <class Word, class KeyOf>
__global__ void digit_histogram_kernel(const PieceTable* table, const uint64_t* held,
                                       Selection* selection, int shift, bool of_place, bool later,
                                       unsigned long long* bins) {
  __shared__ unsigned local[kBins];
  for (int b = static_cast<int>(threadIdx.x); b < kBins; b += static_cast<int>(blockDim.x))
    local[b] = 0;
  __syncthreads();
  const Selection state = *selection;
  const auto count = [&](uint64_t key, uint64_t from_end) {
    if (agrees(state, key, from_end))
      atomicAdd(&local[((of_place ? from_end : key) >> shift) & (kBins - 1)], 1u);
  };
  if (later && static_cast<int64_t>(state.held) <= table->room) {
    const int64_t size = static_cast<int64_t>(state.held);
    for (int64_t i = global_thread(); i < size; i += grid_size())
      count(held[2 * i], held[2 * i + 1]);
  } else {
    const KeyOf key_of;
    for (int64_t chunk = blockIdx.x; chunk < table->chunks; chunk += gridDim.x) {
      const Piece piece = table->of(chunk);
      in_chunk<Word>(piece, chunk, [&](Word word, int64_t, int64_t place) {
        const uint64_t key = static_cast<uint64_t>(key_of(word));
        if (state.key_mask == 0 && key >= table->infinity)
          atomicMin(&selection->bad, static_cast<unsigned long long>(place));
        count(key, table->from_end(place));
      });
    }
  }
  __syncthreads();
  for (int b = static_cast<int>(threadIdx.x); b < kBins; b += static_cast<int>(blockDim.x))
    if (local[b]) atomicAdd(&bins[b], static_cast<unsigned long long>(local[b]));
}

// Fixes the digit at `shift` and clears the bins.  One block of 256 threads, eight bins each.
__global__ void pick_digit_kernel(unsigned long long* bins, int shift, bool of_place,
                                  Selection* state) {
  constexpr int threads = 256, share = kBins / threads;
  __shared__ int64_t above[threads];  // keys in the bins from this thread's first one on
  const int t = static_cast<int>(threadIdx.x);
  int64_t own = 0;
  for (int b = t * share; b < (t + 1) * share; ++b) own += static_cast<int64_t>(bins[b]);
  above[t] = own;
  const int64_t rank = state->rank;
  __syncthreads();
  for (int step = 1; step < threads; step *= 2) {
    const int64_t further = t + step < threads ? above[t + step] : 0;
    __syncthreads();
    above[t] += further;
    __syncthreads();
  }
  int64_t left = rank - (above[t] - own);
  if (left > 0 && left <= own) {
    int digit = (t + 1) * share - 1;
    for (; left > static_cast<int64_t>(bins[digit]); --digit)
      left -= static_cast<int64_t>(bins[digit]);
    uint64_t& known = of_place ? state->place : state->key;
    uint64_t& mask = of_place ? state->place_mask : state->key_mask;
    known |= static_cast<uint64_t>(digit) << shift;
    mask |= static_cast<uint64_t>(kBins - 1) << shift;
    state->rank = left;
  }
  for (int b = t * share; b < (t + 1) * share; ++b) bins[b] = 0;
}

// Copies out (key, place from the end) of what agrees so far; in any order.
template <class Word, class KeyOf>
__global__ void hold_kernel(const PieceTable* table, Selection* selection, uint64_t* held) {
  __shared__ unsigned found;
  __shared__ unsigned long long start;
  const uint64_t known = selection->key, mask = selection->key_mask;
  const KeyOf key_of;
  for (int64_t chunk = blockIdx.x; chunk < table->chunks; chunk += gridDim.x) {
    const Piece piece = table->of(chunk);
    const auto holds = [&](Word word) {
      return ((static_cast<uint64_t>(key_of(word)) ^ known) & mask) == 0;
    };
    if (threadIdx.x == 0) found = 0;
    __syncthreads();
    unsigned mine = 0;
    in_chunk<Word>(piece, chunk, [&](Word word, int64_t, int64_t) { mine += holds(word); });
    unsigned at = mine > 0 ? atomicAdd(&found, mine) : 0;
    __syncthreads();
    if (threadIdx.x == 0 && found > 0)
      start = atomicAdd(&selection->held, static_cast<unsigned long long>(found));
    __syncthreads();
    if (mine > 0 && static_cast<int64_t>(start) + found <= table->room)
      in_chunk<Word>(piece, chunk, [&](Word word, int64_t, int64_t place) {
        if (!holds(word)) return;
        const int64_t slot = static_cast<int64_t>(start) + at++;
        held[2 * slot] = static_cast<uint64_t>(key_of(word));
        held[2 * slot + 1] = table->from_end(place);
      });
    __syncthreads();
  }
}

// mask (size,) of the chosen keys, by place.
template <class Word, class KeyOf>
__global__ void choose_kernel(const PieceTable* table, const Selection* selection, bool* mask) {
  const Selection state = *selection;
  const KeyOf key_of;
  for (int64_t chunk = blockIdx.x; chunk < table->chunks; chunk += gridDim.x) {
    const Piece piece = table->of(chunk);
    in_chunk<Word>(piece, chunk, [&](Word word, int64_t, int64_t place) {
      mask[place] = is_chosen(state, static_cast<uint64_t>(key_of(word)), table->from_end(place));
    });
  }
}

// Zeroes the words that are not chosen (not if dry), writes the masks of the pieces that have one,
// and adds to kept (count,) what each piece keeps.  Nothing is touched if a word is not finite.
template <class Word>
__global__ void zero_kernel(const PieceTable* table, const Selection* selection, bool dry,
                            unsigned long long* kept) {
  const Selection state = *selection;
  if (state.bad != ~0ull) return;
  const Magnitude key_of;
  for (int64_t chunk = blockIdx.x; chunk < table->chunks; chunk += gridDim.x) {
    const Piece piece = table->of(chunk);
    Word* words = reinterpret_cast<Word*>(piece.words);
    bool* mask = reinterpret_cast<bool*>(piece.mask);
    int64_t mine = 0;
    in_chunk<Word>(piece, chunk, [&](Word word, int64_t i, int64_t place) {
      const bool stays =
          is_chosen(state, static_cast<uint64_t>(key_of(word)), table->from_end(place));
      if (!dry && !stays) words[i] = keep_or_zero(word, stays);
      if (mask) mask[i] = stays;
      mine += stays;
    });
    mine = warp_sum(mine);
    if (threadIdx.x % 32 == 0 && mine > 0)
      atomicAdd(&kept[table->number_of(chunk)], static_cast<unsigned long long>(mine));
  }
}

#ifndef GS_EMULATED_DEVICE
#define GS_INSTANTIATE(Word, KeyOf)                                                            \
  template __global__ void digit_histogram_kernel<Word, KeyOf>(                                \
      const PieceTable*, const uint64_t*, Selection*, int, bool, bool, unsigned long long*);   \
  template __global__ void hold_kernel<Word, KeyOf>(const PieceTable*, Selection*, uint64_t*); \
  template __global__ void choose_kernel<Word, KeyOf>(const PieceTable*, const Selection*, bool*);
#define GS_INSTANTIATE_WORD(Word)                                                       \
  GS_INSTANTIATE(Word, Magnitude)                                                       \
  template __global__ void zero_kernel<Word>(const PieceTable*, const Selection*, bool, \
                                             unsigned long long*);
GS_INSTANTIATE(uint64_t, SameKey)
GS_INSTANTIATE_WORD(uint16_t)
GS_INSTANTIATE_WORD(uint32_t)
GS_INSTANTIATE_WORD(uint64_t)
#undef GS_INSTANTIATE_WORD
#undef GS_INSTANTIATE
#endif

}  // namespace gs

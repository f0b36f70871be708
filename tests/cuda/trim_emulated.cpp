// The kernels of gpu/trim.cu over a real launch geometry; called by test_emulated.py.
#include "emulator.hpp"
#include "gpu/trim.cu"

extern "C" {

void node_scores(int64_t n, const int64_t* indptr, const int32_t* indices, const int64_t* c,
                 double unit, double* t, int64_t* above, unsigned grid, unsigned block) {
  const gs::CsrView<int32_t> g{n, indptr, indices};
  emulate(grid, block, [&] { gs::node_scores_kernel<int32_t>(g, c, unit, t, above); });
}

void pair_keys(int64_t n, const int64_t* indptr, const int32_t* indices, const double* t,
               const int64_t* upper, double* keys, unsigned grid, unsigned block) {
  const gs::CsrView<int32_t> g{n, indptr, indices};
  emulate(grid, block, [&] { gs::pair_keys_kernel<int32_t>(g, t, upper, keys); });
}

void select_mask(const uint64_t* keys, int64_t size, int64_t k, bool* mask, unsigned grid,
                 unsigned block) {
  gs::Selection state{0, 0, k};
  std::vector<unsigned long long> bins(gs::kBins, 0);
  for (int shift = 55;; shift = shift > gs::kDigitBits ? shift - gs::kDigitBits : 0) {
    const int at = shift;
    emulate(grid, block, [&] { gs::digit_histogram_kernel(keys, size, &state, at, bins.data()); });
    emulate(1, 32, [&] { gs::pick_digit_kernel(bins.data(), at, &state); });
    if (shift == 0) break;
  }
  const int64_t chunks = (size + block - 1) / block;
  std::vector<int64_t> ties(static_cast<size_t>(chunks), 0);
  emulate(grid, block, [&] { gs::count_ties_kernel(keys, size, &state, ties.data()); });
  int64_t sum = 0;
  for (auto& x : ties) {
    const int64_t count = x;
    x = sum;
    sum += count;
  }
  emulate(grid, block, [&] { gs::write_mask_kernel(keys, size, &state, ties.data(), mask); });
}
}

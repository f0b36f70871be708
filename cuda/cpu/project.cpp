// OpenMP loops round core/project.hpp: zero all but the largest weights of one vector made of
// several arrays, of each group in a row, or of each block.  Arrays hold bit patterns of floats.
#include "core/project.hpp"

#include <nanobind/stl/vector.h>

#include <cmath>
#include <cstring>

#include "cpu/bindings.hpp"
#include "cpu/parallel.hpp"
#include "cpu/radix.hpp"

namespace gs {
namespace {

template <class Word>
using Arrays = std::vector<Out<Word>>;

template <class T>
Pieces<T> pieces_of(const Arrays<T>& arrays) {
  Pieces<T> pieces;
  for (const auto& a : arrays) pieces.add(a.data(), static_cast<int64_t>(a.shape(0)));
  return pieces;
}

template <class Word>
uint64_t largest_key(const Pieces<Word>& pieces, int threads) {
  Word largest = 0;
  const int64_t size = pieces.size();
#pragma omp parallel for num_threads(threads) schedule(static, 1) reduction(max : largest)
  for (int p = 0; p < threads; ++p)
    pieces.spans(even_cut(size, threads, p), even_cut(size, threads, p + 1),
                 [&](Word* w, int64_t length, int64_t, size_t) {
                   Word most = 0;
                   for (int64_t i = 0; i < length; ++i) most = std::max(most, Magnitude{}(w[i]));
                   largest = std::max(largest, most);
                 });
  return largest;
}

// Zeroes keys below `least` (not if dry); returns how many are not below.
template <class Word>
int64_t cut_span(Word* w, int64_t size, Word least, bool dry) {
  int64_t total = 0;
  for (int64_t b = 0; b < size; b += radix::kBlock) {
    const int64_t e = std::min(b + radix::kBlock, size);
    uint32_t kept = 0;
    if (dry)
      for (int64_t i = b; i < e; ++i) kept += Magnitude{}(w[i]) >= least;
    else
      for (int64_t i = b; i < e; ++i) {
        const bool keep = Magnitude{}(w[i]) >= least;
        w[i] = keep_or_zero(w[i], keep);
        kept += keep;
      }
    total += kept;
  }
  return total;
}

// What stays of one vector: keys >= least up to position `last`, keys > least after it.
template <class Word>
struct Rule {
  Word least;
  int64_t last;
};

// The rule that keeps exactly the k largest.  `largest` receives a key that shows NaN and infinity.
template <class Word>
Rule<Word> rule_for(const Pieces<Word>& pieces, int64_t k, int threads, uint64_t& largest) {
  const int64_t size = pieces.size();
  if (k <= 0 || k >= size) {
    largest = largest_key(pieces, threads);
    const Word beyond = Magnitude{}(static_cast<Word>(~Word{0}));  // above every finite key
    return {k <= 0 ? beyond : Word{0}, size};
  }
  const Cut cut = kth_largest(pieces, Magnitude{}, k, threads);
  largest = cut.largest;
  return {static_cast<Word>(cut.threshold), last_equal(pieces, Magnitude{}, cut, k, threads)};
}

template <class Word>
void mark_span(const Word* w, int64_t size, Word least, bool* mask) {
  for (int64_t i = 0; i < size; ++i) mask[i] = Magnitude{}(w[i]) >= least;
}

// Applies a rule; returns what each piece keeps.  `masks` is empty or has one array per piece.
template <class Word>
std::vector<int64_t> apply(const Pieces<Word>& pieces, Rule<Word> rule, const Pieces<bool>& masks,
                           bool dry, int threads) {
  const int64_t size = pieces.size();
  std::vector<std::vector<int64_t>> kept(static_cast<size_t>(threads),
                                         std::vector<int64_t>(pieces.count(), 0));
#pragma omp parallel for num_threads(threads) schedule(static, 1)
  for (int t = 0; t < threads; ++t) {
    const int64_t begin = even_cut(size, threads, t), end = even_cut(size, threads, t + 1);
    const int64_t middle = std::clamp(rule.last + 1, begin, end);
    const auto cut = [&](Word least) {
      return [&, least](Word* w, int64_t length, int64_t flat, size_t p) {
        if (masks.count() > 0)
          mark_span(w, length, least, masks.data[p] + (flat - pieces.offset[p]));
        kept[static_cast<size_t>(t)][p] += cut_span(w, length, least, dry);
      };
    };
    pieces.spans(begin, middle, cut(rule.least));
    pieces.spans(middle, end, cut(static_cast<Word>(rule.least + 1)));
  }
  for (size_t t = 1; t < kept.size(); ++t)
    for (size_t p = 0; p < pieces.count(); ++p) kept[0][p] += kept[t][p];
  return kept[0];
}

// First weight that is no finite number: (piece, position), or (-1, -1).
template <class Word>
std::pair<int64_t, int64_t> first_not_finite(const Pieces<Word>& pieces, Word infinity) {
  std::pair<int64_t, int64_t> found{-1, -1};
  pieces.spans(0, pieces.size(), [&](Word* w, int64_t length, int64_t, size_t p) {
    for (int64_t i = 0; i < length && found.first < 0; ++i)
      if (Magnitude{}(w[i]) >= infinity) found = {static_cast<int64_t>(p), i};
  });
  return found;
}

template <class Word>
nb::tuple not_finite(const Arrays<Word>& words, uint64_t infinity, int num_threads) {
  const Pieces<Word> pieces = pieces_of(words);
  std::pair<int64_t, int64_t> bad{-1, -1};
  {
    nb::gil_scoped_release free;
    if (largest_key(pieces, threads_for(pieces.size(), num_threads)) >= infinity)
      bad = first_not_finite(pieces, static_cast<Word>(infinity));
  }
  return nb::make_tuple(bad.first, bad.second);
}

// Keeps the `keep` largest of all words and zeroes the others.  Returns (piece, position, kept):
// where a weight is not finite (then nothing is changed) or -1, -1, and what each piece keeps.
template <class Word>
nb::tuple keep_largest(const Arrays<Word>& words, int64_t keep, uint64_t infinity,
                       const Arrays<bool>& masks, bool dry, int num_threads) {
  const Pieces<Word> pieces = pieces_of(words);
  const Pieces<bool> marks = pieces_of(masks);
  std::pair<int64_t, int64_t> bad{-1, -1};
  std::vector<int64_t> kept;
  {
    nb::gil_scoped_release free;
    const int threads = threads_for(pieces.size(), num_threads);
    uint64_t largest = 0;
    const Rule<Word> rule = rule_for(pieces, keep, threads, largest);
    if (largest >= infinity)
      bad = first_not_finite(pieces, static_cast<Word>(infinity));
    else
      kept = apply(pieces, rule, marks, dry, threads);
  }
  return nb::make_tuple(bad.first, bad.second, kept);
}

// Keeps the `keep` largest of `size` words beside each other.
template <class Word>
void keep_in_group(Word* w, int64_t size, int64_t keep, bool* mask) {
  constexpr int64_t most = 16;  // up to here, comparing all pairs is faster than selecting
  if (keep >= size || size > most) {
    Pieces<Word> group;
    group.add(w, size);
    Pieces<bool> marks;
    if (mask) marks.add(mask, size);
    uint64_t largest = 0;
    apply(group, rule_for(group, keep, 1, largest), marks, false, 1);
    return;
  }
  bool keeps[most];
  for (int64_t i = 0; i < size; ++i)
    keeps[i] = ranks_among(w, static_cast<int>(size), static_cast<int>(i), static_cast<int>(keep));
  for (int64_t i = 0; i < size; ++i) {
    w[i] = keep_or_zero(w[i], keeps[i]);
    if (mask) mask[i] = keeps[i];
  }
}

// Keeps the `keep` largest of every `group` neighbours in a row of `cols`; the last group of a row
// may be short.  Weights are finite.
template <class Word>
void keep_in_groups(Out<Word> words, int64_t cols, int64_t group, int64_t keep,
                    const Arrays<bool>& mask, int num_threads) {
  nb::gil_scoped_release free;
  const int64_t size = static_cast<int64_t>(words.shape(0)), rows = cols ? size / cols : 0;
  bool* marks = mask.empty() ? nullptr : mask[0].data();
#pragma omp parallel for num_threads(threads_for(size, num_threads)) schedule(static)
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < cols; c += group) {
      const int64_t at = r * cols + c;
      keep_in_group(words.data() + at, std::min(group, cols - c), keep,
                    marks ? marks + at : nullptr);
    }
}

// Squared l2 norm of each block, summed row by row in float64.
template <class Word>
std::vector<double> block_norms(const Word* w, int64_t rows, int64_t cols, int64_t block_rows,
                                int64_t block_cols, int mantissa, int threads) {
  const int64_t down = (rows + block_rows - 1) / block_rows;
  const int64_t across = (cols + block_cols - 1) / block_cols;
  std::vector<double> norm(static_cast<size_t>(down * across), 0.0);
  double unit = 1.0;  // squares of large float64 weights would overflow
  if (sizeof(Word) == 8) {
    Word largest = 0;
    for (int64_t i = 0; i < rows * cols; ++i) largest = std::max(largest, Magnitude{}(w[i]));
    const double value = value_of(largest, mantissa);
    if (value > 0.0) unit = std::ldexp(1.0, -std::ilogb(value) / 2);
  }
#pragma omp parallel for num_threads(threads) schedule(static)
  for (int64_t b = 0; b < down; ++b)
    for (int64_t r = b * block_rows; r < std::min(rows, (b + 1) * block_rows); ++r)
      for (int64_t c = 0; c < cols; ++c) {
        const double x = value_of(w[r * cols + c], mantissa) * unit;
        norm[static_cast<size_t>(b * across + c / block_cols)] += x * x;
      }
  return norm;
}

// Keeps the `keep` blocks of largest l2 norm (equal: lower block first, row by row).  Returns how
// many words those hold.
template <class Word>
int64_t keep_blocks(Out<Word> words, int64_t cols, int64_t block_rows, int64_t block_cols,
                    int64_t keep, int mantissa, const Arrays<bool>& mask, int num_threads) {
  nb::gil_scoped_release free;
  const int64_t size = static_cast<int64_t>(words.shape(0)), rows = cols ? size / cols : 0;
  const int threads = threads_for(size, num_threads);
  const int64_t across = cols ? (cols + block_cols - 1) / block_cols : 0;
  Word* w = words.data();
  auto norm = block_norms(w, rows, cols, block_rows, block_cols, mantissa, threads);
  std::vector<uint64_t> keys(norm.size());
  for (size_t b = 0; b < norm.size(); ++b) std::memcpy(&keys[b], &norm[b], sizeof(double));
  Pieces<uint64_t> all;
  all.add(keys.data(), static_cast<int64_t>(keys.size()));
  std::unique_ptr<bool[]> chosen(new bool[keys.size() + 1]);
  Pieces<bool> marks;
  marks.add(chosen.get(), all.size());
  uint64_t largest = 0;
  apply(all, rule_for(all, keep, 1, largest), marks, true, 1);
  bool* out = mask.empty() ? nullptr : mask[0].data();
  int64_t kept = 0;
#pragma omp parallel for num_threads(threads) schedule(static) reduction(+ : kept)
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < cols; ++c) {
      const bool stays = chosen[static_cast<size_t>(r / block_rows * across + c / block_cols)];
      w[r * cols + c] = keep_or_zero(w[r * cols + c], stays);
      if (out) out[r * cols + c] = stays;
      kept += stays;
    }
  return kept;
}

// +0 wherever the mask is false.
template <class Word>
void apply_mask(Out<Word> words, In<bool> mask, int num_threads) {
  nb::gil_scoped_release free;
  const int64_t size = static_cast<int64_t>(words.shape(0));
#pragma omp parallel for num_threads(threads_for(size, num_threads)) schedule(static)
  for (int64_t i = 0; i < size; ++i)
    words.data()[i] = keep_or_zero(words.data()[i], mask.data()[i]);
}

template <class Word>
void bind_word(nb::module_& m) {
  using namespace nb::literals;
  // No conversion: a converted copy would be changed instead of the caller's array.
  m.def("not_finite", &not_finite<Word>, "words"_a.noconvert(), "infinity"_a, "threads"_a);
  m.def("keep_largest", &keep_largest<Word>, "words"_a.noconvert(), "keep"_a, "infinity"_a,
        "masks"_a.noconvert(), "dry"_a, "threads"_a);
  m.def("keep_in_groups", &keep_in_groups<Word>, "words"_a.noconvert(), "cols"_a, "group"_a,
        "keep"_a, "mask"_a.noconvert(), "threads"_a);
  m.def("keep_blocks", &keep_blocks<Word>, "words"_a.noconvert(), "cols"_a, "block_rows"_a,
        "block_cols"_a, "keep"_a, "mantissa"_a, "mask"_a.noconvert(), "threads"_a);
  m.def("apply_mask", &apply_mask<Word>, "words"_a.noconvert(), "mask"_a.noconvert(), "threads"_a);
}

}  // namespace

void bind_project(nb::module_& m) {
  bind_word<uint16_t>(m);
  bind_word<uint32_t>(m);
  bind_word<uint64_t>(m);
}

}  // namespace gs

// The k-th largest of many unsigned keys, without sorting and with the same answer for any number
// of threads.  The keys may lie in several arrays that are ranked as one vector.
//
// A sample brackets the answer; one pass counts the keys above the bracket and copies those inside,
// a few per cent, which are then searched the same way.  If the bracket misses or holds too much
// (many equal keys), histograms of 16-bit digits from the top find the key: one pass per digit.
#pragma once
#include <functional>
#include <limits>

#include "core/philox.hpp"
#include "core/project.hpp"
#include "cpu/compress.hpp"
#include "cpu/parallel.hpp"

namespace gs {

// Several arrays seen as one: flat position = offset of the array + position in it.
template <class Word>
struct Pieces {
  std::vector<Word*> data;
  std::vector<int64_t> offset{0};  // (pieces + 1,)

  void add(Word* words, int64_t size) {
    data.push_back(words);
    offset.push_back(offset.back() + size);
  }
  int64_t size() const { return offset.back(); }
  size_t count() const { return data.size(); }
  size_t piece_of(int64_t flat) const {
    return static_cast<size_t>(std::upper_bound(offset.begin(), offset.end(), flat) -
                               offset.begin() - 1);
  }
  // f(words, number of words, flat position of the first, piece) over [begin, end).
  template <class F>
  void spans(int64_t begin, int64_t end, F f) const {
    if (begin >= end) return;
    for (size_t p = piece_of(begin); p < count() && offset[p] < end; ++p) {
      const int64_t b = std::max(begin, offset[p]), e = std::min(end, offset[p + 1]);
      if (b < e) f(data[p] + (b - offset[p]), e - b, b, p);
    }
  }
};

struct Cut {
  uint64_t threshold;  // the k-th largest key
  int64_t above;       // keys larger than it
  int64_t equal;       // keys equal to it
  uint64_t largest;    // the largest key of all; at least its top 16 bits, the rest may be 0
};

namespace radix {

constexpr int64_t kTiny = 1 << 11;  // below: one partial selection on a copy
constexpr int64_t kBlock = 1 << 9;  // keys looked at together: the counting loop is vectorised
constexpr int64_t kCrowded = 8;     // a bracket with more than 1/8 of the keys is of no use

template <class Key>
Cut tiny(std::vector<Key>& keys, int64_t k) {
  const auto at = keys.begin() + (k - 1);
  std::nth_element(keys.begin(), at, keys.end(), std::greater<>());
  const Key key = *at;
  Cut cut{static_cast<uint64_t>(key), 0, 0, 0};
  for (const Key x : keys) {
    cut.above += x > key;
    cut.equal += x == key;
    cut.largest = std::max<uint64_t>(cut.largest, x);
  }
  return cut;
}

template <class Word, class KeyOf>
auto copy_keys(const Pieces<Word>& pieces, KeyOf key) {
  std::vector<std::remove_const_t<Word>> keys;
  keys.reserve(static_cast<size_t>(pieces.size()));
  pieces.spans(0, pieces.size(), [&](Word* words, int64_t size, int64_t, size_t) {
    for (int64_t i = 0; i < size; ++i) keys.push_back(key(words[i]));
  });
  return keys;
}

template <class Key>
struct Bracket {
  Key low, high;
};

// Two keys that enclose the k-th largest, almost surely: ranks of a sample at jittered positions.
// They decide how fast the answer is found, never what it is.
template <class Word, class KeyOf>
auto bracket(const Pieces<Word>& pieces, KeyOf key, int64_t k) {
  using Key = std::remove_const_t<Word>;
  const int64_t size = pieces.size();
  int64_t samples = 512;  // grows like size^(2/3): bracket and sample cost about the same
  while (samples * samples / size * samples < size / 4) samples *= 2;
  const int64_t stride = size / samples;
  std::vector<Key> drawn(static_cast<size_t>(samples));
  size_t p = 0;
  for (int64_t i = 0; i < samples; ++i) {
    const uint64_t jitter = mix64(static_cast<uint64_t>(i) + 0x9E3779B97F4A7C15ull);
    const int64_t at = i * stride + static_cast<int64_t>(jitter % static_cast<uint64_t>(stride));
    while (at >= pieces.offset[p + 1]) ++p;
    drawn[static_cast<size_t>(i)] = key(pieces.data[p][at - pieces.offset[p]]);
  }
  const double share = static_cast<double>(k) / static_cast<double>(size);
  double spread = 16.0;  // four standard deviations of the rank, squared
  spread *= static_cast<double>(samples) * share * (1.0 - share) + 1.0;
  int64_t margin = 2;
  while (static_cast<double>(margin) * static_cast<double>(margin) < spread) ++margin;
  const int64_t middle = static_cast<int64_t>(share * static_cast<double>(samples));
  const int64_t first = middle - margin, last = middle + margin;
  Bracket<Key> found{0, std::numeric_limits<Key>::max()};
  const auto descending = std::greater<>();
  if (last < samples) {
    std::nth_element(drawn.begin(), drawn.begin() + last, drawn.end(), descending);
    found.low = drawn[static_cast<size_t>(last)];
  }
  if (first >= 0) {
    const auto end = drawn.begin() + std::min(last, samples);
    std::nth_element(drawn.begin(), drawn.begin() + first, end, descending);
    found.high = drawn[static_cast<size_t>(first)];
  }
  return found;
}

// What one thread saw of its share of the keys.
template <class Key>
struct Share {
  Key largest = 0;
  int64_t above = 0, inside = 0;
  bool crowded = false;
  std::unique_ptr<Key[]> kept;  // the keys inside the bracket, unless it holds one value only
};

template <class Word, class KeyOf, class Key>
void scan(const Word* words, int64_t size, KeyOf key, Bracket<Key> range, int64_t room,
          Share<Key>& share) {
  for (int64_t b = 0; b < size; b += kBlock) {
    const int64_t length = std::min(kBlock, size - b);
    uint32_t above = 0, reached = 0;
    Key largest = 0;
    for (int64_t i = 0; i < length; ++i) {
      const Key x = key(words[b + i]);
      above += x > range.high;
      reached += x >= range.low;
      largest = std::max(largest, x);
    }
    share.largest = std::max(share.largest, largest);
    share.above += above;
    if (reached == above) continue;
    if (range.low == range.high) {
      share.inside += reached - above;
      continue;
    }
    if (share.inside + kBlock > room) {
      share.crowded = true;
      return;
    }
    share.inside +=
        compress(words + b, length, key, range.low, static_cast<Key>(range.high - range.low),
                 share.kept.get() + share.inside);
  }
}

// The k-th largest key, if the bracket holds it and holds few keys beside it.
template <class Word, class KeyOf, class Key>
bool search(const Pieces<Word>& pieces, KeyOf key, int64_t k, Bracket<Key> range, int threads,
            Cut& cut);

// Keys by their 16-bit digit at `shift`, of those that agree with `prefix` above it.
template <class Word, class KeyOf>
std::vector<int64_t> histogram(const Pieces<Word>& pieces, KeyOf key, uint64_t prefix, int shift,
                               int threads) {
  using Key = std::remove_const_t<Word>;
  const bool top = shift + 16 == 8 * static_cast<int>(sizeof(Key));
  const Key high = top ? Key{0} : static_cast<Key>(~uint64_t{0} << (shift + 16));
  const Key wanted = static_cast<Key>(prefix);
  std::vector<std::vector<int64_t>> parts(static_cast<size_t>(threads));
#pragma omp parallel for num_threads(threads) schedule(static, 1)
  for (int p = 0; p < threads; ++p) {
    auto& count = parts[static_cast<size_t>(p)];
    count.assign(1 << 16, 0);
    const int64_t end = even_cut(pieces.size(), threads, p + 1);
    pieces.spans(even_cut(pieces.size(), threads, p), end,
                 [&](Word* words, int64_t size, int64_t, size_t) {
                   for (int64_t i = 0; i < size; ++i) {
                     const Key x = key(words[i]);
                     if (((x ^ wanted) & high) == 0) ++count[(x >> shift) & 0xFFFF];
                   }
                 });
  }
  for (size_t p = 1; p < parts.size(); ++p)
    for (size_t d = 0; d < parts[0].size(); ++d) parts[0][d] += parts[p][d];
  return std::move(parts[0]);
}

// Radix selection: fixes 16 bits of the answer in each pass.
template <class Word, class KeyOf>
Cut by_digits(const Pieces<Word>& pieces, KeyOf key, int64_t k, int threads) {
  using Key = std::remove_const_t<Word>;
  uint64_t prefix = 0;
  int64_t rank = k;
  Cut cut{0, 0, 0, 0};
  for (int shift = 8 * static_cast<int>(sizeof(Key)) - 16; shift >= 0; shift -= 16) {
    const auto count = histogram(pieces, key, prefix, shift, threads);
    size_t digit = count.size() - 1;
    if (prefix == 0 && cut.largest == 0) {
      while (digit > 0 && count[digit] == 0) --digit;
      cut.largest = static_cast<uint64_t>(digit) << shift;
    }
    for (; rank > count[digit]; --digit) rank -= count[digit];
    prefix |= static_cast<uint64_t>(digit) << shift;
    cut.equal = count[digit];
    const Bracket<Key> rest{static_cast<Key>(prefix),
                            static_cast<Key>(prefix | ((uint64_t{1} << shift) - 1))};
    if (shift > 0 && cut.equal <= pieces.size() / (2 * kCrowded) &&
        search(pieces, key, k, rest, threads, cut))
      return cut;
  }
  cut.threshold = prefix;
  cut.above = k - rank;
  return cut;
}

}  // namespace radix

// k-th largest key of all pieces, 1 <= k <= number of keys.
template <class Word, class KeyOf>
Cut kth_largest(const Pieces<Word>& pieces, KeyOf key, int64_t k, int threads) {
  if (pieces.size() <= radix::kTiny) {
    auto keys = radix::copy_keys(pieces, key);
    return radix::tiny(keys, k);
  }
  Cut cut{0, 0, 0, 0};
  // Keys of 16 bits are found by one histogram anyway.
  if (sizeof(Word) > 2 &&
      radix::search(pieces, key, k, radix::bracket(pieces, key, k), threads, cut))
    return cut;
  return radix::by_digits(pieces, key, k, threads);
}

template <class Word, class KeyOf, class Key>
bool radix::search(const Pieces<Word>& pieces, KeyOf key, int64_t k, Bracket<Key> range,
                   int threads, Cut& cut) {
  const int64_t size = pieces.size();
  const int64_t room = size / kCrowded / threads + 2 * kBlock;
  std::vector<Share<Key>> shares(static_cast<size_t>(threads));
#pragma omp parallel for num_threads(threads) schedule(static, 1)
  for (int p = 0; p < threads; ++p) {
    auto& share = shares[static_cast<size_t>(p)];
    if (range.low != range.high) share.kept.reset(new Key[static_cast<size_t>(room)]);
    pieces.spans(even_cut(size, threads, p), even_cut(size, threads, p + 1),
                 [&](Word* words, int64_t length, int64_t, size_t) {
                   if (!share.crowded) scan(words, length, key, range, room, share);
                 });
  }
  Pieces<Key> inside;
  int64_t above = 0, held = 0;
  Key largest = 0;
  for (auto& share : shares) {
    if (share.crowded) return false;
    largest = std::max(largest, share.largest);
    above += share.above;
    held += share.inside;
    inside.add(share.kept.get(), share.inside);
  }
  if (k <= above || k > above + held) return false;
  if (range.low == range.high) {
    cut = {range.low, above, held, largest};
    return true;
  }
  cut = kth_largest(inside, SameKey{}, k - above, inside.size() < kSmall ? 1 : threads);
  cut.largest = largest;
  cut.above += above;
  return true;
}

// Flat position of the last key equal to the cut that is among the k largest (lower position
// first), or the number of keys if all equal ones are.
template <class Word, class KeyOf>
int64_t last_equal(const Pieces<Word>& pieces, KeyOf key, const Cut& cut, int64_t k, int threads) {
  const int64_t size = pieces.size();
  int64_t missing = k - cut.above;
  if (missing >= cut.equal) return size;
  const auto at_cut = static_cast<std::remove_const_t<Word>>(cut.threshold);
  std::vector<int64_t> equal(static_cast<size_t>(threads), 0);
#pragma omp parallel for num_threads(threads) schedule(static, 1)
  for (int p = 0; p < threads - 1; ++p)
    pieces.spans(even_cut(size, threads, p), even_cut(size, threads, p + 1),
                 [&](Word* words, int64_t length, int64_t, size_t) {
                   int64_t found = 0;
                   for (int64_t i = 0; i < length; ++i) found += key(words[i]) == at_cut;
                   equal[static_cast<size_t>(p)] += found;
                 });
  int part = 0;
  while (part < threads - 1 && missing > equal[static_cast<size_t>(part)])
    missing -= equal[static_cast<size_t>(part++)];
  int64_t last = size;
  pieces.spans(even_cut(size, threads, part), size,
               [&](Word* words, int64_t length, int64_t flat, size_t) {
                 for (int64_t i = 0; i < length && missing > 0; ++i)
                   if (key(words[i]) == at_cut && --missing == 0) last = flat + i;
               });
  return last;
}

}  // namespace gs

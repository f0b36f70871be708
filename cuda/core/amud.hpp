// Directed two-step patterns: class histograms of a node's neighbours, and the two-step walk.
// A label code is a class in [0, classes) or `classes` for a node without a label: the histogram
// has one more slot than there are classes, so the hot loops have no branch for such nodes.
#pragma once
#include "core/csr.hpp"

// Rows are short: without a hint the loads of the next row wait for the end of this one.
#ifdef __CUDACC__
#define GS_PREFETCH(address)
#else
#define GS_PREFETCH(address) __builtin_prefetch(address)
#endif

namespace gs {

// What a histogram adds up to: entries with a label, and the squares of their class counts.
struct LabelTotals {
  int64_t count, squares;
};

// Adds the codes to a histogram that is zero; clear_histogram makes it zero again.
template <class Code>
GS_HD LabelTotals fill_histogram(const Code* codes, int64_t size, int32_t* histogram,
                                 int64_t classes) {
  int64_t squares = 0;
  for (int64_t k = 0; k < size; ++k) squares += 2 * int64_t{histogram[codes[k]]++} + 1;
  const int64_t without = histogram[classes];
  return {size - without, squares - without * without};
}

// Sum over classes of the histogram times the class counts of the codes.
template <class Code>
GS_HD int64_t match_histogram(const Code* codes, int64_t size, const int32_t* histogram,
                              int64_t classes) {
  int64_t sum = 0, without = 0;
  for (int64_t k = 0; k < size; ++k) {
    sum += histogram[codes[k]];
    without += static_cast<int64_t>(codes[k]) == classes;
  }
  return sum - without * histogram[classes];
}

template <class Code>
GS_HD void clear_histogram(const Code* codes, int64_t size, int32_t* histogram) {
  for (int64_t k = 0; k < size; ++k) histogram[codes[k]] = 0;
}

// Entries that two ascending lists share, and those of them with a label.
struct Shared {
  int64_t all, labelled;
};

template <class Code>
GS_HD Shared shared_entries(const int32_t* a, int64_t size_a, const int32_t* b, int64_t size_b,
                            const Code* codes, int64_t classes) {
  Shared found{0, 0};
  int64_t i = 0, j = 0;
  while (i < size_a && j < size_b) {
    const int32_t x = a[i], y = b[j];
    if (x == y) {
      ++found.all;
      found.labelled += static_cast<int64_t>(codes[x]) != classes;
    }
    i += x <= y;
    j += y <= x;
  }
  return found;
}

// Paths of AA, AA' and A'A that start or end at a node.
struct PathSums {
  int64_t aa, aat, ata;
};

// Pairs and matches of a node in each pattern, row (6,); paths back to the node itself, of which
// `shared` neighbours give one each way, are taken out.
GS_HD void path_row(const PathSums& all, const PathSums& same, int64_t shared, int64_t outs,
                    int64_t ins, bool labelled, int64_t* row) {
  const int64_t values[6] = {all.aa - 2 * shared,   same.aa - 2 * shared, 2 * (all.aat - outs),
                             2 * (same.aat - outs), 2 * (all.ata - ins),  2 * (same.ata - ins)};
  for (int k = 0; k < 6; ++k) row[k] = labelled ? values[k] : 0;
}

// A node as the walk sees it: when it was last reached, and its label.
struct Mark {
  uint32_t stamp;
  uint32_t code;
};

// Labelled nodes that two steps from i reach and that do not bear `stamp` yet, each once; those
// of them with the label of i; and those that bore `before`.  The node i itself never counts.
struct Reached {
  uint32_t pairs, matches, returned;
};

GS_HD Reached two_steps(const CsrView<int32_t>& first, const CsrView<int32_t>& second, int64_t i,
                        uint32_t stamp, uint32_t before, uint32_t classes, Mark* marks) {
  Reached found{0, 0, 0};
  const int64_t arcs = first.num_arcs();
  const uint32_t own = marks[i].code;
  marks[i].stamp = stamp;
  for (int64_t e = first.begin(i); e < first.end(i); ++e) {
    // Arcs behind the end of the row are those of the next one, which is likely to be walked next.
    if (e + 12 < arcs) GS_PREFETCH(second.indptr + first.indices[e + 12]);
    if (e + 6 < arcs) GS_PREFETCH(second.indices + second.begin(first.indices[e + 6]));
    const int64_t v = first.indices[e];
    for (int64_t k = second.begin(v); k < second.end(v); ++k) {
      Mark& mark = marks[second.indices[k]];
      const uint32_t fresh = (mark.stamp != stamp) & (mark.code != classes);
      found.returned += fresh & (mark.stamp == before);
      found.pairs += fresh;
      found.matches += fresh & (mark.code == own);
      mark.stamp = stamp;
    }
  }
  return found;
}

}  // namespace gs

// Path statistics of a digraph whose arcs come and go: O(1) hash operations per update.
// The sums are those of amud_paths; an arc u -> v changes the histograms of v (behind it) and of
// u (ahead of it), and with them every sum by what the histograms held.
#include <unordered_map>
#include <unordered_set>

#include "cpu/bindings.hpp"
#include "cpu/parallel.hpp"

namespace gs {
namespace {

using Wide = __int128;
enum Sum { kBF, kBB, kFF, kSameBF, kSameBB, kSameFF, kShared, kOut, kIn, kSameOut, kRec, kArcs };
constexpr int kTracked = kArcs + 1;
enum Outcome { kInserted, kDeleted, kRepeated, kMissing, kLoops };

struct Hash {
  size_t operator()(uint64_t x) const {
    x = (x ^ (x >> 32)) * 0x9E3779B97F4A7C15ull;
    return static_cast<size_t>(x ^ (x >> 29));
  }
};

// Labelled neighbours of each node on one side: all of them, and by class.
class Side {
 public:
  Side(int64_t n, int64_t classes) : total_(static_cast<size_t>(n), 0), classes_(classes) {}
  int64_t total(int64_t v) const { return total_[static_cast<size_t>(v)]; }
  int64_t of(int64_t v, int32_t c) const {
    const auto at = counts_.find(key(v, c));
    return at == counts_.end() ? 0 : at->second;
  }
  void change(int64_t v, int32_t c, int by) {
    total_[static_cast<size_t>(v)] += by;
    const auto at = counts_.try_emplace(key(v, c), 0).first;
    at->second += by;
    if (at->second == 0) counts_.erase(at);
  }

 private:
  uint64_t key(int64_t v, int32_t c) const {
    return static_cast<uint64_t>(v) * static_cast<uint64_t>(classes_) + static_cast<uint64_t>(c);
  }
  std::vector<int64_t> total_;
  std::unordered_map<uint64_t, int32_t, Hash> counts_;
  int64_t classes_;
};

class PathTracker {
 public:
  PathTracker(In<int32_t> classes, int64_t num_classes)
      : classes_(classes.data(), classes.data() + classes.shape(0)),
        ahead_(static_cast<int64_t>(classes_.size()), num_classes),
        behind_(static_cast<int64_t>(classes_.size()), num_classes) {}

  // Apply in order: op 0 inserts, 1 deletes.  Returns how often each outcome occurred.
  NumpyArray<int64_t> update(In<uint8_t> op, In<int64_t> u, In<int64_t> v) {
    Fresh<int64_t> outcomes(5);
    std::fill(outcomes.data.get(), outcomes.data.get() + 5, 0);
    for (size_t k = 0; k < op.shape(0); ++k)
      ++outcomes.data[apply(op.data()[k] == 0, static_cast<int32_t>(u.data()[k]),
                            static_cast<int32_t>(v.data()[k]))];
    return outcomes.release();
  }

  NumpyArray<uint64_t> sums() const {
    Fresh<uint64_t> words(2 * kTracked);
    for (int k = 0; k < kTracked; ++k) {
      words.data[2 * k] = static_cast<uint64_t>(sums_[k]);
      words.data[2 * k + 1] = static_cast<uint64_t>(sums_[k] >> 64);
    }
    return words.release();
  }

  int64_t num_arcs() const { return static_cast<int64_t>(arcs_.size()); }

  nb::tuple arcs() const {
    const int64_t m = static_cast<int64_t>(arcs_.size());
    Fresh<int64_t> u(m), v(m);
    int64_t at = 0;
    for (const uint64_t arc : arcs_) {
      u.data[at] = static_cast<int64_t>(arc >> 32);
      v.data[at++] = static_cast<int64_t>(arc & 0xFFFFFFFFu);
    }
    return nb::make_tuple(u.release(), v.release());
  }

 private:
  static uint64_t arc(int32_t u, int32_t v) {
    return static_cast<uint64_t>(static_cast<uint32_t>(u)) << 32 | static_cast<uint32_t>(v);
  }

  Outcome apply(bool insert, int32_t u, int32_t v) {
    if (u == v) return kLoops;
    if (insert) {
      if (!arcs_.insert(arc(u, v)).second) return kRepeated;
      count(u, v, 1);
      return kInserted;
    }
    if (arcs_.erase(arc(u, v)) == 0) return kMissing;
    count(u, v, -1);
    return kDeleted;
  }

  void count(int32_t u, int32_t v, int sign) {
    const int32_t cu = classes_[static_cast<size_t>(u)], cv = classes_[static_cast<size_t>(v)];
    const bool from = cu >= 0, to = cv >= 0, reverse = arcs_.count(arc(v, u)) > 0;
    if (from) side(behind_, ahead_, v, cu, sign, kBB, kSameBB);
    if (to) side(ahead_, behind_, u, cv, sign, kFF, kSameFF);
    sums_[kOut] += sign * from;
    sums_[kIn] += sign * to;
    sums_[kArcs] += sign * (from && to);
    sums_[kSameOut] += sign * (from && cu == cv);
    if (reverse) sums_[kShared] += sign * (int{from} + int{to});
    if (reverse) sums_[kRec] += sign * 2 * (from && to);
  }

  // One more or one fewer neighbour of class c on a side of x; a square moves by 2k + 1, where k
  // is the smaller of the two counts.
  void side(Side& own, const Side& other, int32_t x, int32_t c, int sign, Sum squares, Sum same) {
    if (sign < 0) own.change(x, c, -1);
    sums_[squares] += sign * (2 * own.total(x) + 1);
    sums_[same] += sign * (2 * own.of(x, c) + 1);
    sums_[kBF] += sign * other.total(x);
    sums_[kSameBF] += sign * other.of(x, c);
    if (sign > 0) own.change(x, c, 1);
  }

  std::vector<int32_t> classes_;
  Side ahead_, behind_;
  std::unordered_set<uint64_t, Hash> arcs_;
  Wide sums_[kTracked] = {};
};

}  // namespace

void bind_amud_tracker(nb::module_& m) {
  using namespace nb::literals;
  nb::class_<PathTracker>(m, "PathTracker")
      .def(nb::init<In<int32_t>, int64_t>(), "classes"_a, "num_classes"_a)
      .def("update", &PathTracker::update, "op"_a, "u"_a, "v"_a)
      .def("sums", &PathTracker::sums)
      .def("num_arcs", &PathTracker::num_arcs)
      .def("arcs", &PathTracker::arcs);
}

}  // namespace gs

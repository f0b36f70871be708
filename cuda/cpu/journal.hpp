// What has changed in adjacency lists since a copy of them was last brought up to date.
#pragma once
#include <cstdint>
#include <vector>

namespace gs {

// Costs one branch per edit until a copy is kept.  Repeats do no harm: a copy takes what stands
// there when the journal is read.
class Journal {
 public:
  void node(int32_t x) {
    if (recording_) nodes_.push_back(x);
  }
  void slot(int64_t at) { block(at, 1); }
  void block(int64_t from, int64_t size) {
    if (!recording_) return;
    for (int64_t i = 0; i < size; ++i) slots_.push_back(from + i);
    if (slots_.size() > kMost) everything();
  }
  // The pool was laid out anew: single changes no longer tell.
  void everything() {
    recording_ = false;
    nodes_.clear();
    slots_.clear();
  }
  // A copy is up to date; from now on changes are written down.
  void start() {
    everything();
    recording_ = true;
  }

  // Has the whole to be copied?
  bool is_everything() const { return !recording_; }
  const std::vector<int32_t>& nodes() const { return nodes_; }
  const std::vector<int64_t>& slots() const { return slots_; }

 private:
  static constexpr size_t kMost = size_t{1} << 22;

  bool recording_ = false;
  std::vector<int32_t> nodes_;
  std::vector<int64_t> slots_;
};

}  // namespace gs

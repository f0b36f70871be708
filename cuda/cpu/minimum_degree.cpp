#include "cpu/minimum_degree.hpp"

#include <algorithm>
#include <cmath>

namespace gs {

MinimumDegree::MinimumDegree(std::vector<int64_t> ptr, std::vector<int32_t> idx)
    : n_(static_cast<int32_t>(ptr.size()) - 1), begin_(std::move(ptr)), store_(std::move(idx)) {
  const size_t n = static_cast<size_t>(n_);
  num_elements_.assign(n, 0);
  weight_.assign(n, 1);
  mark_.assign(n, 1);
  head_.assign(n + 1, -1);
  next_.assign(n, -1);
  prev_.assign(n, -1);
  owner_.assign(n, -1);
  hash_.assign(n, 0);
  length_.resize(n);
  for (size_t i = 0; i < n; ++i) length_[i] = static_cast<int32_t>(begin_[i + 1] - begin_[i]);
  degree_ = length_;
  live_ = store_.size();
}

// Rows with very many entries would be walked through at each elimination beside them; at the end
// of the order they cost nothing and are dense by then anyway.
void MinimumDegree::set_aside_dense() {
  const double limit = std::max(16.0, 10.0 * std::sqrt(static_cast<double>(n_)));
  for (int32_t i = 0; i < n_; ++i) {
    if (length_[i] <= limit) continue;
    dense_.push_back(i);
    fill_ += static_cast<double>(length_[i]) + static_cast<double>(dense_.size());
    weight_[i] = 0;
    mark_[i] = 0;
    ++eliminated_;
  }
}

std::vector<int32_t> MinimumDegree::order() {
  set_aside_dense();
  for (int32_t i = 0; i < n_; ++i)
    if (weight_[i]) link(i);
  while (eliminated_ < n_) {
    while (head_[lowest_] < 0) ++lowest_;
    eliminate(head_[lowest_]);
  }
  // Rows that went into another node follow the pivot that the chain of owners ends at.
  std::vector<int32_t> rank(static_cast<size_t>(n_), -1), out;
  for (size_t k = 0; k < pivots_.size(); ++k) rank[pivots_[k]] = static_cast<int32_t>(k);
  std::vector<int32_t> count(pivots_.size() + 1, 0), root(static_cast<size_t>(n_), -1);
  for (int32_t i = 0; i < n_; ++i) {
    int32_t r = i;
    while (owner_[r] >= 0) r = owner_[r];
    for (int32_t j = i; owner_[j] >= 0;) {
      const int32_t up = owner_[j];
      owner_[j] = r;
      j = up;
    }
    root[i] = rank[r];
    if (root[i] >= 0) ++count[root[i] + 1];
  }
  for (size_t k = 1; k < count.size(); ++k) count[k] += count[k - 1];
  out.resize(static_cast<size_t>(n_) - dense_.size());
  for (int32_t i = 0; i < n_; ++i)
    if (root[i] >= 0) out[count[root[i]]++] = i;
  out.insert(out.end(), dense_.begin(), dense_.end());
  return out;
}

void MinimumDegree::link(int32_t i) {
  const int32_t d = degree_[i];
  prev_[i] = -1;
  next_[i] = head_[d];
  if (head_[d] >= 0) prev_[head_[d]] = i;
  head_[d] = i;
  lowest_ = std::min(lowest_, d);
}

void MinimumDegree::unlink(int32_t i) {
  if (prev_[i] >= 0)
    next_[prev_[i]] = next_[i];
  else
    head_[degree_[i]] = next_[i];
  if (next_[i] >= 0) prev_[next_[i]] = prev_[i];
}

void MinimumDegree::eliminate(int32_t p) {
  unlink(p);
  const int32_t before = eliminated_;
  gather_front(p);
  count_outside(p);
  prune_lists(p);
  join_twins();
  finish_front(p);
  const double rows = eliminated_ - before;
  fill_ += rows * (front_weight_ + 0.5 * (rows - 1.0));
  if (store_.size() > 2 * live_ + static_cast<size_t>(n_)) compact();
}

// Move the lists of live variables and elements together.  All live lists fit where the pattern
// was, so the store stays below twice the pattern.
void MinimumDegree::compact() {
  std::vector<int32_t> packed;
  packed.reserve(live_);
  for (int32_t i = 0; i < n_; ++i) {
    if (weight_[i] == 0 && (mark_[i] == 0 || owner_[i] >= 0)) continue;
    const int64_t to = static_cast<int64_t>(packed.size());
    packed.insert(packed.end(), store_.begin() + begin_[i],
                  store_.begin() + begin_[i] + length_[i]);
    begin_[i] = to;
  }
  store_.swap(packed);
  live_ = store_.size();
}

// Members of a front carry a negative weight while the front is worked on.
void MinimumDegree::add_to_front(int32_t i) {
  if (weight_[i] <= 0) return;
  front_weight_ += weight_[i];
  weight_[i] = -weight_[i];
  front_.push_back(i);
  unlink(i);
}

// The front of p: its variables and those of its elements, which are absorbed.
void MinimumDegree::gather_front(int32_t p) {
  eliminated_ += weight_[p];
  weight_[p] = 0;
  front_.clear();
  front_weight_ = 0;
  for (int32_t k = 0; k < length_[p]; ++k) {
    const int32_t e = store_[begin_[p] + k];
    if (k >= num_elements_[p]) {
      add_to_front(e);
      continue;
    }
    if (mark_[e] == 0) continue;
    for (int32_t j = 0; j < length_[e]; ++j) add_to_front(store_[begin_[e] + j]);
    mark_[e] = 0;
  }
  degree_[p] = front_weight_;
}

// mark_[e] - stamp_ = rows of the front of e outside the front of p, for each element e beside it.
void MinimumDegree::count_outside(int32_t p) {
  stamp_ += n_ + 1;
  for (const int32_t i : front_) {
    const int32_t weight = -weight_[i];
    for (int32_t k = 0; k < num_elements_[i]; ++k) {
      const int32_t e = store_[begin_[i] + k];
      if (mark_[e] == 0) continue;
      if (mark_[e] < stamp_) mark_[e] = stamp_ + degree_[e];
      mark_[e] -= weight;
    }
  }
  mark_[p] = 1;
}

void MinimumDegree::prune_lists(int32_t p) {
  for (const int32_t i : front_) prune(i, p);
}

// Drop from the list of i what the front of p covers; bound its degree outside the front.
void MinimumDegree::prune(int32_t i, int32_t p) {
  scratch_.clear();
  int64_t outside = 0;
  uint64_t hash = 0;
  const int32_t* list = store_.data() + begin_[i];
  for (int32_t k = 0; k < num_elements_[i]; ++k) {
    const int32_t e = list[k];
    if (mark_[e] == 0) continue;
    if (mark_[e] == stamp_) {  // wholly inside the front of p: absorbed
      mark_[e] = 0;
      continue;
    }
    outside += mark_[e] - stamp_;
    hash += static_cast<uint64_t>(e);
    scratch_.push_back(e);
  }
  scratch_.push_back(p);
  const int32_t elements = static_cast<int32_t>(scratch_.size());
  for (int32_t k = num_elements_[i]; k < length_[i]; ++k) {
    const int32_t j = list[k];
    if (weight_[j] <= 0) continue;
    outside += weight_[j];
    hash += static_cast<uint64_t>(j);
    scratch_.push_back(j);
  }
  if (scratch_.size() == 1) {  // nothing outside: i can go together with p
    front_weight_ += weight_[i];
    eliminated_ -= weight_[i];
    weight_[i] = 0;
    owner_[i] = p;
    return;
  }
  num_elements_[i] = elements;
  length_[i] = static_cast<int32_t>(scratch_.size());
  std::copy(scratch_.begin(), scratch_.end(), store_.begin() + begin_[i]);
  degree_[i] = static_cast<int32_t>(std::min<int64_t>(degree_[i], outside));
  hash_[i] = hash;
}

bool MinimumDegree::twins(int32_t i, int32_t j) const {
  if (length_[i] != length_[j] || num_elements_[i] != num_elements_[j]) return false;
  for (int32_t k = 0; k < length_[j]; ++k)
    if (mark_[store_[begin_[j] + k]] != stamp_) return false;
  return true;
}

// Variables of the front with equal lists stay equal for ever: one stands for both.
void MinimumDegree::join_twins() {
  std::vector<int32_t>& sorted = scratch_;
  sorted.clear();
  for (const int32_t i : front_)
    if (weight_[i] < 0) sorted.push_back(i);
  std::sort(sorted.begin(), sorted.end(), [this](int32_t a, int32_t b) {
    return hash_[a] != hash_[b] ? hash_[a] < hash_[b] : a < b;
  });
  stamp_ += n_ + 1;
  for (size_t a = 0; a < sorted.size(); ++a) {
    const int32_t i = sorted[a];
    if (weight_[i] == 0 || a + 1 == sorted.size() || hash_[sorted[a + 1]] != hash_[i]) continue;
    ++stamp_;
    for (int32_t k = 0; k < length_[i]; ++k) mark_[store_[begin_[i] + k]] = stamp_;
    for (size_t b = a + 1; b < sorted.size() && hash_[sorted[b]] == hash_[i]; ++b) {
      const int32_t j = sorted[b];
      if (weight_[j] == 0 || !twins(i, j)) continue;
      weight_[i] += weight_[j];
      weight_[j] = 0;
      owner_[j] = i;
    }
  }
}

// Store the front as element p and put its variables back into the lists of degrees.
void MinimumDegree::finish_front(int32_t p) {
  begin_[p] = static_cast<int64_t>(store_.size());
  num_elements_[p] = 0;
  for (const int32_t i : front_) {
    if (weight_[i] >= 0) continue;
    weight_[i] = -weight_[i];
    const int32_t inside = front_weight_ - weight_[i];
    degree_[i] = std::min(degree_[i] + inside, n_ - eliminated_ - weight_[i]);
    link(i);
    store_.push_back(i);
  }
  length_[p] = static_cast<int32_t>(static_cast<int64_t>(store_.size()) - begin_[p]);
  degree_[p] = front_weight_;
  if (length_[p] == 0) mark_[p] = 0;
  pivots_.push_back(p);
}

}  // namespace gs

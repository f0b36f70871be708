// Approximate minimum degree ordering of a symmetric pattern (Amestoy, Davis, Duff, SIAM J. Matrix
// Anal. 17, 1996): quotient graph, element absorption, mass elimination, supervariables.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace gs {

class MinimumDegree {
 public:
  // Rows ptr[i]:ptr[i+1] of idx hold the neighbours of i, symmetric, without i itself.
  MinimumDegree(std::vector<int64_t> ptr, std::vector<int32_t> idx);

  // Rows in the order of elimination.
  std::vector<int32_t> order();

  // Entries of the factor below the diagonal: a close upper bound, known after order().
  double fill() const { return fill_; }

 private:
  // A node is a variable, later an element (the front that its elimination left), later nothing.
  void eliminate(int32_t p);
  void gather_front(int32_t p);
  void count_outside(int32_t p);
  void prune_lists(int32_t p);
  void prune(int32_t i, int32_t p);
  void join_twins();
  bool twins(int32_t i, int32_t j) const;
  void finish_front(int32_t p);
  void add_to_front(int32_t i);
  void link(int32_t i);
  void unlink(int32_t i);
  void set_aside_dense();
  void compact();

  int32_t n_;
  std::vector<int64_t> begin_;         // list of a node in store_
  std::vector<int32_t> store_;         // elements first, then variables; of an element: variables
  std::vector<int32_t> num_elements_;  // elements in the list of a variable
  std::vector<int32_t> length_;        // entries in the list
  std::vector<int32_t> weight_;        // rows a variable stands for; 0: not a live variable
  std::vector<int32_t> degree_;  // bound on the rows outside; of an element: rows of its front
  std::vector<int64_t> mark_;    // 0: dead element
  std::vector<int32_t> head_, next_, prev_;  // variables by degree
  std::vector<int32_t> owner_;               // node that a dead variable went into
  std::vector<int32_t> pivots_, dense_, front_, scratch_;
  std::vector<uint64_t> hash_;
  double fill_ = 0.0;
  int64_t stamp_ = 1;
  size_t live_ = 0;  // entries in use at the last compaction
  int32_t eliminated_ = 0, lowest_ = 0, front_weight_ = 0;
};

}  // namespace gs

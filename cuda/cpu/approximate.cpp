// Approximate factorisation of a Laplacian by sampled elimination (Kyng, Sachdeva, FOCS 2016; Gao,
// Kyng, Spielman, arXiv 2303.00709).  Eliminating a node leaves a clique on its neighbours; a tree
// of edges, drawn so that its expectation is the clique, takes its place: no fill ever builds up.
#include <algorithm>

#include "core/philox.hpp"
#include "cpu/bindings.hpp"
#include "cpu/parallel.hpp"

namespace gs {
namespace {

class SampledElimination {
 public:
  SampledElimination(const CsrView<int32_t>& g, const double* weights, uint64_t seed,
                     uint32_t domain)
      : n_(static_cast<int32_t>(g.num_nodes)), seed_(seed), domain_(domain) {
    const size_t n = static_cast<size_t>(n_);
    first_.assign(n, -1);
    degree_.assign(n, 0);
    head_.assign(n + 1, -1);
    next_.assign(n, -1);
    prev_.assign(n, -1);
    gone_.assign(n, false);
    slot_.assign(n, -1);
    for (int32_t x = 0; x < n_; ++x)
      for (int64_t i = g.begin(x); i < g.end(x); ++i) push(x, g.indices[i], weights[i]);
    for (int32_t x = n_; x-- > 0;) link(x);
  }

  void run() {
    ptr.push_back(0);
    for (int32_t k = 0; k < n_; ++k) {
      while (head_[lowest_] < 0) ++lowest_;
      eliminate(head_[lowest_]);
      if ((k & 0xFFFF) == 0xFFFF) check_signals();
    }
    renumber();
  }

  std::vector<int32_t> order;  // nodes in the order of elimination, but for one per component
  std::vector<int64_t> ptr;    // columns of L
  std::vector<int32_t> rows;   // while running: nodes; in the end positions in `order`
  std::vector<double> values, diagonal;

 private:
  struct Entry {
    int32_t to, next;
    double w;
  };

  // Entries of all nodes lie in one pool; those of an eliminated node are used again.
  void push(int32_t x, int32_t to, double w) {
    int32_t at = free_;
    if (at >= 0) {
      free_ = pool_[at].next;
    } else {
      at = static_cast<int32_t>(pool_.size());
      pool_.emplace_back();
    }
    pool_[at] = {to, first_[x], w};
    first_[x] = at;
    ++degree_[x];
  }

  int32_t bucket(int32_t x) const { return std::min(degree_[x], n_); }

  void link(int32_t x) {
    const int32_t d = bucket(x);
    prev_[x] = -1;
    next_[x] = head_[d];
    if (head_[d] >= 0) prev_[head_[d]] = x;
    head_[d] = x;
    lowest_ = std::min(lowest_, d);
  }

  void unlink(int32_t x) {
    if (prev_[x] >= 0)
      next_[prev_[x]] = next_[x];
    else
      head_[bucket(x)] = next_[x];
    if (next_[x] >= 0) prev_[next_[x]] = prev_[x];
  }

  // Neighbours of v that are left, parallel edges summed, lightest first.
  void gather(int32_t v) {
    star_.clear();
    for (int32_t at = first_[v]; at >= 0;) {
      const Entry entry = pool_[at];
      pool_[at].next = free_;
      free_ = at;
      at = entry.next;
      if (gone_[entry.to]) continue;
      if (slot_[entry.to] < 0) {
        slot_[entry.to] = static_cast<int32_t>(star_.size());
        star_.push_back({entry.to, 0, 0.0});
      }
      star_[slot_[entry.to]].w += entry.w;
      ++star_[slot_[entry.to]].next;  // here: how many edges were summed
    }
    for (const Entry& e : star_) slot_[e.to] = -1;
    std::sort(star_.begin(), star_.end(),
              [](const Entry& a, const Entry& b) { return a.w != b.w ? a.w < b.w : a.to < b.to; });
  }

  void eliminate(int32_t v) {
    unlink(v);
    gone_[v] = true;
    gather(v);
    if (star_.empty()) return;  // the last node of its component is grounded
    sums_.resize(star_.size());
    double sum = 0.0;
    for (size_t i = 0; i < star_.size(); ++i) sums_[i] = sum += star_[i].w;
    order.push_back(v);
    diagonal.push_back(sum);
    for (const Entry& e : star_) {
      rows.push_back(e.to);
      values.push_back(-e.w / sum);
      unlink(e.to);
      degree_[e.to] -= e.next;
    }
    ptr.push_back(static_cast<int64_t>(rows.size()));
    for (size_t i = 0; i + 1 < star_.size(); ++i) join(v, static_cast<uint32_t>(i), sum);
    for (const Entry& e : star_) link(e.to);
  }

  // An edge from neighbour i to a heavier one, drawn in proportion to the weights.  Its expected
  // weight between i and j is w_i w_j / sum: that of the clique.
  void join(int32_t v, uint32_t i, double sum) {
    const double heavier = sums_.back() - sums_[i];
    const double goal =
        sums_[i] + heavier * u01(draw(seed_, static_cast<uint64_t>(v), i, domain_).a);
    size_t j = static_cast<size_t>(std::upper_bound(sums_.begin() + i + 1, sums_.end(), goal) -
                                   sums_.begin());
    j = std::min(j, sums_.size() - 1);
    const double w = star_[i].w * heavier / sum;
    push(star_[i].to, star_[j].to, w);
    push(star_[j].to, star_[i].to, w);
  }

  // Rows become positions; entries of grounded nodes are dropped, the others ascend.
  void renumber() {
    std::vector<int32_t> at(static_cast<size_t>(n_), -1);
    for (size_t k = 0; k < order.size(); ++k) at[order[k]] = static_cast<int32_t>(k);
    std::vector<std::pair<int32_t, double>> column;
    int64_t out = 0;
    for (size_t k = 0; k < order.size(); ++k) {
      column.clear();
      for (int64_t p = ptr[k]; p < ptr[k + 1]; ++p)
        if (at[rows[p]] >= 0) column.emplace_back(at[rows[p]], values[p]);
      std::sort(column.begin(), column.end());
      ptr[k] = out;
      for (const auto& [row, value] : column) {
        rows[out] = row;
        values[out++] = value;
      }
    }
    ptr[order.size()] = out;
    rows.resize(static_cast<size_t>(out));
    values.resize(static_cast<size_t>(out));
  }

  int32_t n_, lowest_ = 0, free_ = -1;
  uint64_t seed_;
  uint32_t domain_;
  std::vector<Entry> pool_, star_;
  std::vector<double> sums_;
  std::vector<int32_t> first_, degree_, head_, next_, prev_, slot_;
  std::vector<bool> gone_;
};

template <class T>
NumpyArray<T> to_numpy(const std::vector<T>& values) {
  Fresh<T> out(static_cast<int64_t>(values.size()));
  std::copy(values.begin(), values.end(), out.data.get());
  return out.release();
}

// (order, ptr, rows, values, diagonal) of L D L' close to the Laplacian, one node per component
// grounded.
nb::tuple approximate_factor(In<int64_t> indptr, In<int32_t> indices, In<double> weights,
                             uint64_t seed, uint32_t domain) {
  std::unique_ptr<SampledElimination> factor;
  {
    nb::gil_scoped_release free;
    factor =
        std::make_unique<SampledElimination>(view(indptr, indices), weights.data(), seed, domain);
    factor->run();
  }
  return nb::make_tuple(to_numpy(factor->order), to_numpy(factor->ptr), to_numpy(factor->rows),
                        to_numpy(factor->values), to_numpy(factor->diagonal));
}

}  // namespace

void bind_approximate(nb::module_& m) {
  using namespace nb::literals;
  m.def("approximate_factor", &approximate_factor, "indptr"_a, "indices"_a, "weights"_a, "seed"_a,
        "domain"_a);
}

}  // namespace gs

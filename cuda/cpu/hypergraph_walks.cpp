// Walks of core/hypergraph_walk.hpp, and skip-gram vectors of their nodes (T. Mikolov et al.,
// NeurIPS 2013).
#include <cmath>

#include "core/hypergraph_walk.hpp"
#include "cpu/bindings.hpp"
#include "cpu/parallel.hpp"
#include "cpu/vectors.hpp"

namespace gs {
namespace {

void hypergraph_walks(In<int64_t> node_ptr, In<int64_t> node_edges, In<int64_t> edge_ptr,
                      In<int64_t> edge_nodes, In<double> scale, In<double> bound, double return_p,
                      double in_out_q, uint64_t seed, uint32_t domain, int64_t walks,
                      Out<int32_t> out, int num_threads) {
  nb::gil_scoped_release free;
  const Memberships h{node_ptr.data(), node_edges.data(), edge_ptr.data(), edge_nodes.data()};
  const HypergraphWalk rule{seed, domain, return_p, in_out_q};
  const auto total = (static_cast<int64_t>(node_ptr.shape(0)) - 1) * walks;
  const int64_t length = total ? static_cast<int64_t>(out.shape(0)) / total : 0;
  const int threads = threads_for(total * length, num_threads);
#pragma omp parallel for num_threads(threads) schedule(dynamic, 256)
  for (int64_t walk = 0; walk < total; ++walk) {
    int64_t before = -1, at = walk / walks;
    uint32_t attempt = 0;
    for (int64_t step = 0; step < length; ++step) {
      out.data()[walk * length + step] = static_cast<int32_t>(at);
      if (step + 1 == length) break;
      const int64_t next = walk_on(h, rule, scale.data(), bound.data(), static_cast<uint64_t>(walk),
                                   before, at, attempt);
      before = at;
      at = next;
    }
  }
}

struct SkipGram {
  const int32_t* tokens;
  int64_t count, length;    // tokens, and tokens per sentence
  int64_t vocabulary, dim;  // dim: padded
  const uint32_t* keep;     // alias table of the negatives: chance to keep an entry, times 2^32
  const int32_t* alias;
  int64_t window;
  uint32_t negatives;
  float first_rate, last_rate;
  uint64_t seed;
  uint32_t domain;
  float *input, *output;  // (vocabulary, dim)

  GS_INLINE int32_t negative(uint64_t token, uint32_t slot) const {
    const uint64_t bits = draw(seed, token, slot, domain).a;
    const auto entry = static_cast<int64_t>(((bits >> 32) * vocabulary) >> 32);
    return static_cast<uint32_t>(bits) < keep[entry] ? static_cast<int32_t>(entry) : alias[entry];
  }
};

// One gradient step of the vector `row` towards `center` and away from the negatives.
GS_INLINE void skip_gram_pair(const SkipGram& a, int64_t token, uint32_t slot, float* row,
                              float rate, float* change) {
  std::fill(change, change + a.dim, 0.0f);
  const int32_t center = a.tokens[token];
  for (uint32_t k = 0; k <= a.negatives; ++k) {
    const int32_t target = k ? a.negative(static_cast<uint64_t>(token), slot + k) : center;
    if (k && target == center) continue;
    float* other = a.output + target * a.dim;
    const float guess = 1.0f / (1.0f + std::exp(-head_dot(row, other, a.dim)));
    const float pull = rate * ((k ? 0.0f : 1.0f) - guess);
    add_scaled(change, pull, other, a.dim);
    add_scaled(other, pull, row, a.dim);
  }
  add_scaled(row, 1.0f, change, a.dim);
}

GS_CLONES void skip_gram_tokens(const SkipGram& a, int64_t first, int64_t last, float* change) {
  for (int64_t token = first; token < last; ++token) {
    const float done = static_cast<float>(token) / static_cast<float>(a.count);
    const float rate = a.first_rate + (a.last_rate - a.first_rate) * done;
    const uint64_t bits = draw(a.seed, static_cast<uint64_t>(token), 0, a.domain).a;
    const auto reach = 1 + static_cast<int64_t>(bits % static_cast<uint64_t>(a.window));
    const int64_t begin = token / a.length * a.length, end = begin + a.length;
    const int64_t low = std::max(begin, token - reach), high = std::min(end, token + reach + 1);
    for (int64_t other = low; other < high; ++other) {
      if (other == token) continue;
      const auto slot = static_cast<uint32_t>(other - low) * (a.negatives + 1);
      skip_gram_pair(a, token, slot, a.input + a.tokens[other] * a.dim, rate, change);
    }
  }
}

// One pass over the sentences, in order: the result of one thread, on any machine of one kind.
void skip_gram(In<int32_t> tokens, int64_t length, In<uint32_t> keep, In<int32_t> alias,
               int64_t window, uint32_t negatives, float first_rate, float last_rate, uint64_t seed,
               uint32_t domain, Out<float> input, Out<float> output) {
  nb::gil_scoped_release free;
  const auto vocabulary = static_cast<int64_t>(keep.shape(0));
  if (vocabulary == 0) return;
  const SkipGram a{tokens.data(),
                   static_cast<int64_t>(tokens.shape(0)),
                   length,
                   vocabulary,
                   static_cast<int64_t>(input.shape(0)) / vocabulary,
                   keep.data(),
                   alias.data(),
                   window,
                   negatives,
                   first_rate,
                   last_rate,
                   seed,
                   domain,
                   input.data(),
                   output.data()};
  std::vector<float> change(static_cast<size_t>(a.dim));
  constexpr int64_t kBetweenSignals = 1 << 16;
  for (int64_t token = 0; token < a.count; token += kBetweenSignals) {
    skip_gram_tokens(a, token, std::min(a.count, token + kBetweenSignals), change.data());
    check_signals();
  }
}

}  // namespace

void bind_hypergraph_walks(nb::module_& m) {
  using namespace nb::literals;
  m.def("hypergraph_walks", &hypergraph_walks, "node_ptr"_a.noconvert(), "node_edges"_a.noconvert(),
        "edge_ptr"_a.noconvert(), "edge_nodes"_a.noconvert(), "scale"_a.noconvert(),
        "bound"_a.noconvert(), "return_p"_a, "in_out_q"_a, "seed"_a, "domain"_a, "walks"_a,
        "out"_a.noconvert(), "threads"_a);
  m.def("skip_gram", &skip_gram, "tokens"_a.noconvert(), "length"_a, "keep"_a.noconvert(),
        "alias"_a.noconvert(), "window"_a, "negatives"_a, "first_rate"_a, "last_rate"_a, "seed"_a,
        "domain"_a, "input"_a.noconvert(), "output"_a.noconvert());
}

}  // namespace gs

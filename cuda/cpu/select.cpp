// Choosing edges: radix selection on 64-bit keys, random keys, tie hashes, spanning forests.
#include <cstring>

#include "core/philox.hpp"
#include "cpu/bindings.hpp"
#include "cpu/parallel.hpp"
#include "cpu/radix.hpp"
#include "cpu/union_find.hpp"

namespace gs {
namespace {

nb::tuple kth_largest_py(In<uint64_t> keys, int64_t k, int num_threads) {
  const int64_t size = static_cast<int64_t>(keys.shape(0));
  Cut cut;
  {
    nb::gil_scoped_release free;
    Pieces<const uint64_t> all;
    all.add(keys.data(), size);
    cut = kth_largest(all, SameKey{}, k, threads_for(size, num_threads));
  }
  return nb::make_tuple(cut.threshold, cut.above, cut.equal);
}

// Mask of the k largest keys; equal keys: lower position first.
NumpyArray<bool> select_largest(In<uint64_t> keys_in, int64_t k, int num_threads) {
  const int64_t size = static_cast<int64_t>(keys_in.shape(0));
  const uint64_t* keys = keys_in.data();
  Fresh<bool> mask(size);
  {
    nb::gil_scoped_release free;
    const int threads = threads_for(size, num_threads);
    if (k <= 0 || k >= size) {
      std::memset(mask.data.get(), k > 0, static_cast<size_t>(size));
    } else {
      Pieces<const uint64_t> all;
      all.add(keys, size);
      const Cut cut = kth_largest(all, SameKey{}, k, threads);
      const int64_t last = last_equal(all, SameKey{}, cut, k, threads);
      const uint64_t thr = cut.threshold;
#pragma omp parallel for num_threads(threads) schedule(static, 1)
      for (int p = 0; p < threads; ++p) {
        const int64_t b = even_cut(size, threads, p), e = even_cut(size, threads, p + 1);
        const int64_t mid = std::clamp(last + 1, b, e);
        for (int64_t i = b; i < mid; ++i) mask.data[i] = keys[i] >= thr;
        for (int64_t i = mid; i < e; ++i) mask.data[i] = keys[i] > thr;
      }
    }
  }
  return mask.release();
}

// u << 32 | v of every arc, or of the arcs with u < v only.
template <class Index>
NumpyArray<uint64_t> edge_codes(In<int64_t> indptr, In<Index> indices, bool upper_only) {
  const CsrView<Index> g = view(indptr, indices);
  int64_t count = g.num_arcs();
  if (upper_only) {
    count = 0;
    for (int64_t u = 0; u < g.num_nodes; ++u)
      for (int64_t i = g.begin(u); i < g.end(u); ++i) count += g.indices[i] > static_cast<Index>(u);
  }
  Fresh<uint64_t> out(count);
  {
    nb::gil_scoped_release free;
    int64_t at = 0;
    for (int64_t u = 0; u < g.num_nodes; ++u)
      for (int64_t i = g.begin(u); i < g.end(u); ++i)
        if (!upper_only || g.indices[i] > static_cast<Index>(u))
          out.data[at++] = edge_code(static_cast<uint64_t>(u), static_cast<uint64_t>(g.indices[i]));
  }
  return out.release();
}

template <class F>
NumpyArray<uint64_t> map_items(In<uint64_t> items, int num_threads, F f) {
  const int64_t size = static_cast<int64_t>(items.shape(0));
  Fresh<uint64_t> out(size);
  {
    nb::gil_scoped_release free;
    const int threads = threads_for(size * 8, num_threads);
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t i = 0; i < size; ++i) out.data[i] = f(items.data()[i]);
  }
  return out.release();
}

NumpyArray<uint64_t> draw_a(uint64_t seed, In<uint64_t> items, uint32_t step, uint32_t domain,
                            int num_threads) {
  return map_items(items, num_threads,
                   [=](uint64_t item) { return draw(seed, item, step, domain).a; });
}

NumpyArray<uint64_t> draw_b(uint64_t seed, In<uint64_t> items, uint32_t step, uint32_t domain,
                            int num_threads) {
  return map_items(items, num_threads,
                   [=](uint64_t item) { return draw(seed, item, step, domain).b; });
}

NumpyArray<uint64_t> tie_hashes(uint64_t seed, In<uint64_t> codes, int num_threads) {
  return map_items(codes, num_threads, [=](uint64_t code) { return tie_hash(seed, code); });
}

// Mask of the edges that are the best of one of their ends: larger key, then smaller tie (where
// ties are given), then lower number.
NumpyArray<bool> best_edges(In<int64_t> u, In<int64_t> v, In<uint64_t> keys, In<uint64_t> ties,
                            int64_t n) {
  const int64_t m = static_cast<int64_t>(u.shape(0));
  const bool tied = ties.shape(0) > 0;
  Fresh<bool> mask(m);
  {
    nb::gil_scoped_release free;
    std::memset(mask.data.get(), 0, static_cast<size_t>(m));
    std::vector<int64_t> best(static_cast<size_t>(n), -1);
    const auto offer = [&](int64_t x, int64_t e) {
      int64_t& b = best[static_cast<size_t>(x)];
      if (b < 0 || keys.data()[e] > keys.data()[b] ||
          (tied && keys.data()[e] == keys.data()[b] && ties.data()[e] < ties.data()[b]))
        b = e;
    };
    for (int64_t e = 0; e < m; ++e) {
      offer(u.data()[e], e);
      offer(v.data()[e], e);
    }
    for (const int64_t e : best)
      if (e >= 0) mask.data[e] = true;
  }
  return mask.release();
}

// Kruskal: mask (by edge) of the edges that join two trees when taken in the given order.
NumpyArray<bool> spanning_forest(In<int64_t> order, In<int64_t> u, In<int64_t> v, int64_t n) {
  const int64_t m = static_cast<int64_t>(u.shape(0));
  Fresh<bool> mask(m);
  {
    nb::gil_scoped_release free;
    UnionFind trees(n);
    for (size_t i = 0; i < order.shape(0); ++i) {
      const int64_t e = order.data()[i];
      mask.data[e] =
          trees.unite(static_cast<int32_t>(u.data()[e]), static_cast<int32_t>(v.data()[e]));
    }
  }
  return mask.release();
}

}  // namespace

void bind_select(nb::module_& m) {
  using namespace nb::literals;
  m.def("kth_largest", &kth_largest_py, "keys"_a, "k"_a, "threads"_a);
  m.def("select_largest", &select_largest, "keys"_a, "k"_a, "threads"_a);
  m.def("edge_codes", &edge_codes<int32_t>, "indptr"_a, "indices"_a, "upper_only"_a);
  m.def("edge_codes", &edge_codes<int64_t>, "indptr"_a, "indices"_a, "upper_only"_a);
  m.def("draw_a", &draw_a, "seed"_a, "items"_a, "step"_a, "domain"_a, "threads"_a);
  m.def("draw_b", &draw_b, "seed"_a, "items"_a, "step"_a, "domain"_a, "threads"_a);
  m.def("tie_hashes", &tie_hashes, "seed"_a, "codes"_a, "threads"_a);
  m.def("best_edges", &best_edges, "u"_a, "v"_a, "keys"_a, "ties"_a, "n"_a);
  m.def("spanning_forest", &spanning_forest, "order"_a, "u"_a, "v"_a, "n"_a);
}

}  // namespace gs

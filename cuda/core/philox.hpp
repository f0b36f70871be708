// Counter-based random numbers: Philox4x32-10 (Salmon et al., SC 2011) and the tie hash.
// A draw is a pure function of (seed, item, step, domain), so any number of threads and any
// device make the same choices.
#pragma once
#include "core/hd.hpp"

namespace gs {

struct Philox4 {
  uint32_t x[4];
};

GS_HD Philox4 philox4x32(uint32_t c0, uint32_t c1, uint32_t c2, uint32_t c3, uint32_t k0,
                         uint32_t k1) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = static_cast<uint64_t>(0xD2511F53u) * c0;
    const uint64_t p1 = static_cast<uint64_t>(0xCD9E8D57u) * c2;
    const uint32_t n0 = static_cast<uint32_t>(p1 >> 32) ^ c1 ^ k0;
    const uint32_t n2 = static_cast<uint32_t>(p0 >> 32) ^ c3 ^ k1;
    c1 = static_cast<uint32_t>(p1);
    c3 = static_cast<uint32_t>(p0);
    c0 = n0;
    c2 = n2;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return {{c0, c1, c2, c3}};
}

struct Draw {
  uint64_t a, b;
};

GS_HD Draw draw(uint64_t seed, uint64_t item, uint32_t step, uint32_t domain) {
  const Philox4 r =
      philox4x32(static_cast<uint32_t>(item), static_cast<uint32_t>(item >> 32), step, domain,
                 static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32));
  return {(static_cast<uint64_t>(r.x[1]) << 32) | r.x[0],
          (static_cast<uint64_t>(r.x[3]) << 32) | r.x[2]};
}

// Uniform in [0, 1) with 53 bits.
GS_HD double u01(uint64_t a) { return static_cast<double>(a >> 11) * 0x1p-53; }

GS_HD uint64_t mix64(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
  return z ^ (z >> 31);
}

// Order of items with equal scores: ascending tie hash.
GS_HD uint64_t tie_hash(uint64_t seed, uint64_t code) {
  return mix64(seed ^ ((code + 1) * 0x9E3779B97F4A7C15ull));
}

// Key of an edge that does not depend on which other edges exist.
GS_HD uint64_t edge_code(uint64_t u, uint64_t v) { return (u << 32) | v; }

}  // namespace gs

// Memory of growing arrays.  Large blocks are mapped: growing them moves page tables instead of
// bytes, and huge pages save most address misses of random access.
#pragma once
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace gs {

constexpr size_t kMapped = size_t{8} << 20;  // bytes from which a block is mapped
constexpr size_t kLine = 64;

#ifdef __linux__
inline bool is_mapped(size_t bytes) { return bytes >= kMapped; }

inline void* map_pages(void* old, size_t old_bytes, size_t bytes) {
  void* block =
      old ? mremap(old, old_bytes, bytes, MREMAP_MAYMOVE)
          : mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (block == MAP_FAILED) throw std::bad_alloc();
  madvise(block, bytes, MADV_HUGEPAGE);
  return block;
}
inline void unmap_pages(void* block, size_t bytes) { munmap(block, bytes); }
#else
inline bool is_mapped(size_t) { return false; }
inline void* map_pages(void*, size_t, size_t) { throw std::bad_alloc(); }
inline void unmap_pages(void*, size_t) {}
#endif

inline void free_block(void* block, size_t bytes) {
  if (is_mapped(bytes))
    unmap_pages(block, bytes);
  else
    std::free(block);
}

// Sizes are multiples of kLine; the block starts on a line.
inline void* grow_block(void* old, size_t old_bytes, size_t bytes) {
  if (is_mapped(bytes) && (!old || is_mapped(old_bytes))) return map_pages(old, old_bytes, bytes);
  void* block = is_mapped(bytes) ? map_pages(nullptr, 0, bytes) : std::aligned_alloc(kLine, bytes);
  if (!block) throw std::bad_alloc();
  if (old) std::memcpy(block, old, old_bytes);
  free_block(old, old_bytes);
  return block;
}

}  // namespace gs

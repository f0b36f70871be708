// A growable array of plain structs whose growth does not copy large blocks: an update then costs
// the same on a graph of any size.
#pragma once
#include <algorithm>
#include <type_traits>
#include <utility>

#include "cpu/pages.hpp"

namespace gs {

template <class T>
class Buffer {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  Buffer() = default;
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  Buffer(Buffer&& other) noexcept { swap(other); }
  Buffer& operator=(Buffer&& other) noexcept {
    swap(other);
    return *this;
  }
  ~Buffer() { free_block(data_, bytes_); }

  void swap(Buffer& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(capacity_, other.capacity_);
    std::swap(bytes_, other.bytes_);
  }

  int64_t size() const { return size_; }
  T* data() { return data_; }
  const T* data() const { return data_; }
  T& operator[](int64_t i) { return data_[i]; }
  const T& operator[](int64_t i) const { return data_[i]; }
  T* begin() { return data_; }
  T* end() { return data_ + size_; }
  const T* begin() const { return data_; }
  const T* end() const { return data_ + size_; }

  void reserve(int64_t capacity) {
    if (capacity <= capacity_) return;
    const size_t want = (static_cast<size_t>(capacity) * sizeof(T) + kLine - 1) / kLine * kLine;
    data_ = static_cast<T*>(grow_block(data_, bytes_, want));
    bytes_ = want;
    capacity_ = static_cast<int64_t>(want / sizeof(T));
  }
  // New elements are not initialised.
  void resize_raw(int64_t size) {
    if (size > capacity_) reserve(std::max(size, capacity_ + capacity_ / 2));
    size_ = size;
  }
  void resize(int64_t size, const T& value) {
    const int64_t old = size_;
    resize_raw(size);
    if (size > old) std::fill(data_ + old, data_ + size, value);
  }
  void push_back(const T& value) {
    const T copy = value;
    resize_raw(size_ + 1);
    data_[size_ - 1] = copy;
  }
  void clear() { size_ = 0; }

 private:
  T* data_ = nullptr;
  int64_t size_ = 0;
  int64_t capacity_ = 0;
  size_t bytes_ = 0;
};

}  // namespace gs

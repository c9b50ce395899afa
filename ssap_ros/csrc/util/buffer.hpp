// Copyright 2026 ssap_ros maintainers
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file
// except in compliance with the License. You may obtain a copy of the License at
// http://www.apache.org/licenses/LICENSE-2.0
// Unless required by applicable law or agreed to in writing, software distributed under the
// License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND,
// either express or implied. See the License for the specific language governing permissions
// and limitations under the License.

// Memory that is kept from one call to the next.
//
// A buffer only ever grows, and its elements are left as they are: whoever reserves fills it.
// All buffers of a computation live in one workspace object; after the largest input, no
// call allocates any more.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <type_traits>

namespace ssap {

template <typename T>
class Buffer {
  static_assert(std::is_trivially_copyable_v<T>, "elements are moved as bytes");

 public:
  T& operator[](std::size_t i) { return data_[i]; }
  const T& operator[](std::size_t i) const { return data_[i]; }
  T* data() { return data_.get(); }
  const T* data() const { return data_.get(); }
  std::size_t capacity() const { return capacity_; }
  std::size_t bytes() const { return capacity_ * sizeof(T); }

  // Capacity for `size` elements; their values are lost if there was less.
  T* reserve(std::size_t size) {
    if (size > capacity_) {
      data_.reset();
      data_.reset(new T[size]);
      capacity_ = size;
    }
    return data_.get();
  }

  // Capacity for `size` elements, all of them `value`.
  T* fill(std::size_t size, const T& value) {
    std::fill_n(reserve(size), size, value);
    return data_.get();
  }

  // Capacity for `size` elements of which the first `used` keep their values.
  void grow(std::size_t size, std::size_t used) {
    if (size <= capacity_) return;
    const std::size_t larger = std::max(size, capacity_ + capacity_ / 2);
    std::unique_ptr<T[]> data(new T[larger]);
    std::copy(data_.get(), data_.get() + used, data.get());
    data_ = std::move(data);
    capacity_ = larger;
  }

 private:
  std::unique_ptr<T[]> data_;
  std::size_t capacity_ = 0;
};

// A buffer that knows how many of its elements are in use.
template <typename T>
class Stack {
 public:
  T& operator[](std::size_t i) { return buffer_[i]; }
  const T& operator[](std::size_t i) const { return buffer_[i]; }
  std::size_t size() const { return size_; }
  std::size_t bytes() const { return buffer_.bytes(); }
  T* begin() { return buffer_.data(); }
  T* end() { return buffer_.data() + size_; }
  void clear() { size_ = 0; }

  void push(const T& value) {
    if (size_ == buffer_.capacity()) buffer_.grow(size_ + 16, size_);
    buffer_[size_++] = value;
  }

 private:
  Buffer<T> buffer_;
  std::size_t size_ = 0;
};

}  // namespace ssap

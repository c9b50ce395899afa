// A priority queue: largest priority first, among equal priorities the smallest id.
//
// Priority and id are packed into one integer whose order is the order of the queue: the bits of a
// positive float grow with its value. The leading bits of that integer (exponent and four bits of
// the mantissa) choose a bucket; pushing into a bucket that has not been served yet is an append.
// Only when its turn comes is a bucket made a heap, so a heap never holds more than a small part of
// all entries while the order stays exact.
//
// Whoever's priority changes is pushed again; the old entry stays behind and has become stale. Most
// entries are stale long before their turn: they are sieved out when their bucket is made a heap.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "buffer.hpp"
#include "elementary.hpp"

namespace ssap {

class EdgeQueue {
 public:
  struct Entry {
    float priority;
    std::uint32_t id;
  };

  void clear() {
    for (std::size_t i = 0; i < kBuckets; ++i) {
      buckets_[i].keys.clear();
      buckets_[i].is_heap = false;
    }
    top_ = -1;
  }

  // The priority must be positive.
  void push(float priority, std::uint32_t id) {
    const std::uint64_t key =
        (std::uint64_t{detail::bit_cast<std::uint32_t>(priority)} << 32) | (~id);
    const auto index = static_cast<std::ptrdiff_t>(key >> kKeyShift);
    Bucket& bucket = buckets_[static_cast<std::size_t>(index)];
    bucket.keys.push(key);
    if (bucket.is_heap) std::push_heap(bucket.keys.begin(), bucket.keys.end());
    top_ = std::max(top_, index);
  }

  // Moves the first entry that is not stale to `entry`; false when there is none.
  template <typename IsStale>
  bool pop(Entry& entry, IsStale&& is_stale) {
    for (; top_ >= 0; --top_) {
      auto& [keys, is_heap] = buckets_[static_cast<std::size_t>(top_)];
      if (keys.empty()) continue;
      if (!is_heap) {
        const auto stale = [&](std::uint64_t key) { return is_stale(unpack(key)); };
        keys.cut(static_cast<std::size_t>(std::remove_if(keys.begin(), keys.end(), stale) -
                                          keys.begin()));
        std::make_heap(keys.begin(), keys.end());
        is_heap = true;
      }
      while (!keys.empty()) {
        std::pop_heap(keys.begin(), keys.end());
        entry = unpack(keys.pop());
        if (!is_stale(entry)) return true;
      }
      is_heap = false;
    }
    return false;
  }

  std::size_t bytes() const {
    std::size_t sum = 0;
    for (const Bucket& bucket : buckets_) sum += bucket.keys.bytes();
    return sum;
  }

 private:
  struct Bucket {
    Stack<std::uint64_t> keys;
    bool is_heap = false;
  };

  static constexpr int kKeyShift = 32 + 19;  // keeps 8 bits of the exponent, 4 of the mantissa
  static constexpr std::size_t kBuckets = std::size_t{1} << (63 - kKeyShift);

  static Entry unpack(std::uint64_t key) {
    return {detail::bit_cast<float>(static_cast<std::uint32_t>(key >> 32)),
            ~static_cast<std::uint32_t>(key)};
  }

  std::array<Bucket, kBuckets> buckets_;
  std::ptrdiff_t top_ = -1;
};

}  // namespace ssap

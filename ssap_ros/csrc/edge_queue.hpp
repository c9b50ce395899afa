// A priority queue of edges: largest weight first, among equal weights the smallest edge id.
//
// Weight and id are packed into one integer whose order is the order of the queue: the bits of a
// positive float grow with its value. The leading bits of that integer (exponent and four bits of
// the mantissa) choose a bucket; pushing into a bucket that has not been served yet is an append.
// Only when its turn comes is a bucket made a heap, so a heap never holds more than a small part of
// all edges while the order stays exact.
//
// An edge whose weight changes is pushed again; the old entry stays behind and has become stale.
// Most entries are stale long before their turn: they are sieved out when their bucket is made a
// heap.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

namespace ssap {

class EdgeQueue {
 public:
  struct Entry {
    float weight;
    std::uint32_t edge;
  };

  EdgeQueue() : buckets_(kBuckets) {}

  // The weight must be positive.
  void push(float weight, std::uint32_t edge) {
    const std::uint64_t key = pack({weight, edge});
    const auto index = static_cast<std::ptrdiff_t>(key >> kKeyShift);
    Bucket& bucket = buckets_[static_cast<std::size_t>(index)];
    bucket.keys.push_back(key);
    if (bucket.is_heap) std::push_heap(bucket.keys.begin(), bucket.keys.end());
    top_ = std::max(top_, index);
  }

  // Moves the first entry that is not stale to `entry`; false when there is none.
  template <typename IsStale>
  bool pop(Entry& entry, IsStale&& is_stale) {
    for (; top_ >= 0; --top_) {
      auto& [keys, is_heap] = buckets_[static_cast<std::size_t>(top_)];
      if (!is_heap) {
        const auto stale = [&](std::uint64_t key) { return is_stale(unpack(key)); };
        keys.erase(std::remove_if(keys.begin(), keys.end(), stale), keys.end());
        std::make_heap(keys.begin(), keys.end());
        is_heap = true;
      }
      while (!keys.empty()) {
        std::pop_heap(keys.begin(), keys.end());
        entry = unpack(keys.back());
        keys.pop_back();
        if (!is_stale(entry)) return true;
      }
      is_heap = false;
    }
    return false;
  }

 private:
  struct Bucket {
    std::vector<std::uint64_t> keys;
    bool is_heap = false;
  };

  static constexpr int kKeyShift = 32 + 19;  // keeps 8 bits of the exponent, 4 of the mantissa
  static constexpr std::size_t kBuckets = std::size_t{1} << (63 - kKeyShift);

  static std::uint64_t pack(Entry entry) {
    std::uint32_t bits = 0;
    std::memcpy(&bits, &entry.weight, sizeof bits);
    return (std::uint64_t{bits} << 32) | (~entry.edge);
  }

  static Entry unpack(std::uint64_t key) {
    Entry entry{};
    const auto bits = static_cast<std::uint32_t>(key >> 32);
    std::memcpy(&entry.weight, &bits, sizeof bits);
    entry.edge = ~static_cast<std::uint32_t>(key);
    return entry;
  }

  std::vector<Bucket> buckets_;
  std::ptrdiff_t top_ = -1;
};

}  // namespace ssap

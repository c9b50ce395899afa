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

// Weights of pairs of clusters: a stack of pairs and an open-addressing hash table of their
// indices.
//
// A pair keeps its index when it is renamed, so a queue may refer to it. An erased pair leaves a
// tombstone in the table; tombstones go when the table grows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "util/buffer.hpp"

namespace ssap {

template <typename Weight>
class PairTable {
 public:
  struct Pair {
    std::uint32_t a;  // a < b; a == b == kDead once erased
    std::uint32_t b;
    Weight weight;

    bool is_alive() const { return a != b; }
  };

  void clear() {
    pairs_.clear();
    resize(kFirstLog2);
  }

  Pair& operator[](std::uint32_t index) { return pairs_[index]; }
  std::uint32_t index(const Pair& pair) {
    return static_cast<std::uint32_t>(&pair - pairs_.begin());
  }

  template <typename Visit>
  void for_each(Visit&& visit) {
    for (const Pair& pair : pairs_) {
      if (pair.is_alive()) visit(pair);
    }
  }

  Pair* find(std::uint32_t a, std::uint32_t b) {
    if (a > b) std::swap(a, b);
    const std::size_t at = probe(a, b);
    return slots_[at] == kEmpty ? nullptr : &pairs_[slots_[at]];
  }

  // The pair and whether it is new; the weight of a new one is not set. Invalidates pointers.
  std::pair<Pair*, bool> insert(std::uint32_t a, std::uint32_t b) {
    if (a > b) std::swap(a, b);
    std::size_t at = probe(a, b);
    if (slots_[at] != kEmpty) return {&pairs_[slots_[at]], false};
    const auto index = static_cast<std::uint32_t>(pairs_.size());
    pairs_.push({a, b, Weight{}});
    place(at, index);
    return {&pairs_[index], true};
  }

  void erase(Pair& pair) {
    slots_[probe(pair.a, pair.b)] = kTombstone;
    pair.a = pair.b = kDead;
  }

  // `pair` becomes that of a and b, which has not been there.
  void rename(Pair& pair, std::uint32_t a, std::uint32_t b) {
    if (a > b) std::swap(a, b);
    slots_[probe(pair.a, pair.b)] = kTombstone;
    pair.a = a;
    pair.b = b;
    place(probe(a, b), index(pair));
  }

  std::size_t bytes() const { return pairs_.bytes() + slots_.bytes(); }

 private:
  static constexpr std::uint32_t kEmpty = ~std::uint32_t{0};
  static constexpr std::uint32_t kTombstone = kEmpty - 1;
  static constexpr std::uint32_t kDead = kEmpty;
  static constexpr int kFirstLog2 = 8;

  // The slot of the pair, or the empty one where it would go.
  std::size_t probe(std::uint32_t a, std::uint32_t b) const {
    const std::uint64_t key = (std::uint64_t{a} << 32) | b;
    std::size_t at = (key * 0x9e3779b97f4a7c15u) >> (64 - log2_);
    const std::size_t mask = (std::size_t{1} << log2_) - 1;
    while (slots_[at] != kEmpty && !is_at(slots_[at], a, b)) at = (at + 1) & mask;
    return at;
  }
  bool is_at(std::uint32_t index, std::uint32_t a, std::uint32_t b) const {
    return index != kTombstone && pairs_[index].a == a && pairs_[index].b == b;
  }

  void place(std::size_t at, std::uint32_t index) {
    slots_[at] = index;
    if (++n_used_ * 2 > std::size_t{1} << log2_) {
      std::size_t n_alive = 0;
      for_each([&](const Pair&) { ++n_alive; });
      resize(n_alive * 4 > std::size_t{1} << log2_ ? log2_ + 1 : log2_);
    }
  }

  void resize(int log2) {
    log2_ = log2;
    const std::size_t size = std::size_t{1} << log2;
    slots_.fill(size, kEmpty);
    n_used_ = 0;
    for (Pair& pair : pairs_) {
      if (!pair.is_alive()) continue;
      slots_[probe(pair.a, pair.b)] = index(pair);
      ++n_used_;
    }
  }

  Stack<Pair> pairs_;
  Buffer<std::uint32_t> slots_;
  std::size_t n_used_ = 0;  // slots that are not empty
  int log2_ = kFirstLog2;
};

}  // namespace ssap

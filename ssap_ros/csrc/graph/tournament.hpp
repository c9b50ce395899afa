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

// Priorities of the integers 0 .. size-1, and which of them is the largest.
//
// A tournament in groups of 16: the winners of one round, the largest priority of each group, are
// the players of the next. Raising a priority is one comparison a round; to lower one, its groups
// play again. The winner's number is found on the way down from the last round. A group fills one
// cache line, and the loops over it are free of branches.
//
// With it a whole contraction is about 3 times as fast as with a queue of stale entries in buckets,
// and 6 times as fast as with one in a binary heap: most priorities rise many times before their
// turn comes.
//
// Priorities are kept as the bits of positive floats, which are ordered like the floats; whoever
// does not attract has 0.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "util/bit_cast.hpp"
#include "util/buffer.hpp"

namespace ssap {

class Tournament {
 public:
  // All priorities are 0.
  void start(std::size_t size) {
    n_rounds_ = 0;
    best_ = 0;
    grow(size);
  }

  float priority(std::uint32_t id) const { return detail::bit_cast<float>(rounds_[0][id]); }

  // 0 if there is none.
  float best_priority() const { return detail::bit_cast<float>(best_); }

  // Whose priority that is; on ties the smallest.
  std::uint32_t best() const {
    std::uint32_t id = 0;
    for (std::size_t round = n_rounds_; round-- > 0;) {
      id = id * kGroup + find(&rounds_[round][id * kGroup], best_);
    }
    return id;
  }

  // Nothing happens if it is higher already.
  void raise(std::uint32_t id, float priority) {
    if (!(priority > this->priority(id))) return;
    const auto key = detail::bit_cast<std::int32_t>(priority);
    for (std::size_t round = 0; round < n_rounds_; ++round) {
      rounds_[round][id] = std::max(rounds_[round][id], key);
      id /= kGroup;
    }
    best_ = std::max(best_, key);
  }

  // As good as 0 if it is negative.
  void lower(std::uint32_t id, float priority) {
    rounds_[0][id] = priority > 0.0f ? detail::bit_cast<std::int32_t>(priority) : 0;
    for (std::size_t round = 0; round < n_rounds_; ++round) {
      id /= kGroup;
      const std::int32_t key = largest(&rounds_[round][id * kGroup]);
      std::int32_t& winner = round + 1 < n_rounds_ ? rounds_[round + 1][id] : best_;
      if (winner == key) return;
      winner = key;
    }
  }

  // For an id that may be new.
  void set(std::uint32_t id, float priority) {
    if (id >= sizes_[0]) grow(id + 1);
    priority > this->priority(id) ? raise(id, priority) : lower(id, priority);
  }

  std::size_t bytes() const {
    std::size_t sum = 0;
    for (const auto& round : rounds_) sum += round.bytes();
    return sum;
  }

 private:
  static constexpr std::size_t kGroup = 16;
  static constexpr std::size_t kMaxRounds = 8;

  static std::int32_t largest(const std::int32_t* keys) {
    std::int32_t largest = 0;
    for (std::size_t i = 0; i < kGroup; ++i) largest = std::max(largest, keys[i]);
    return largest;
  }

  // The first place where `key` is; it is there.
  static std::uint32_t find(const std::int32_t* keys, std::int32_t key) {
    static constexpr std::array<std::uint32_t, kGroup> kBits = [] {
      std::array<std::uint32_t, kGroup> bits{};
      for (std::size_t i = 0; i < kGroup; ++i) bits[i] = 1u << i;
      return bits;
    }();
    std::uint32_t places = 0;
    for (std::size_t i = 0; i < kGroup; ++i) places |= keys[i] == key ? kBits[i] : 0;
    return static_cast<std::uint32_t>(__builtin_ctz(places));
  }

  void grow(std::size_t size) {
    for (std::size_t round = 0;; ++round) {
      const std::size_t n_groups = std::max<std::size_t>(1, (size + kGroup - 1) / kGroup);
      const bool is_new = round >= n_rounds_;
      const std::size_t old_size = is_new ? 0 : sizes_[round];
      const std::size_t new_size = std::max(old_size, n_groups * kGroup);
      rounds_[round].grow(new_size, old_size);
      std::fill(&rounds_[round][0] + old_size, &rounds_[round][0] + new_size, 0);
      sizes_[round] = new_size;
      if (is_new && round > 0) {
        for (std::size_t i = 0; i < sizes_[round - 1] / kGroup; ++i) {
          rounds_[round][i] = largest(&rounds_[round - 1][i * kGroup]);
        }
      }
      if (n_groups == 1) {
        n_rounds_ = round + 1;
        return;
      }
      size = n_groups;
    }
  }

  std::array<Buffer<std::int32_t>, kMaxRounds> rounds_;
  std::array<std::size_t, kMaxRounds> sizes_{};
  std::size_t n_rounds_ = 0;
  std::int32_t best_ = 0;
};

}  // namespace ssap

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

// Disjoint sets over the integers 0 .. size-1.
//
// Every set is a tree whose root names it. `find` walks to the root and halves the path on its way,
// which keeps the trees flat; `merge` hangs one root below another that the caller has chosen, so
// that the caller decides which name survives.
#pragma once

#include <cstddef>
#include <cstdint>
#include <numeric>

#include "util/buffer.hpp"

namespace ssap {

class DisjointSet {
 public:
  void start(std::size_t size) {
    parent_.reserve(size);
    std::iota(parent_.data(), parent_.data() + size, std::uint32_t{0});
  }

  std::uint32_t find(std::uint32_t element) {
    while (parent_[element] != element) {
      parent_[element] = parent_[parent_[element]];
      element = parent_[element];
    }
    return element;
  }

  // Both arguments are roots; the union is called `kept` from now on.
  void merge(std::uint32_t kept, std::uint32_t absorbed) { parent_[absorbed] = kept; }

  std::size_t bytes() const { return parent_.bytes(); }

 private:
  Buffer<std::uint32_t> parent_;
};

}  // namespace ssap

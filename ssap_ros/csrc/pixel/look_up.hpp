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

// What a table says of every label of an image.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace ssap {

// Calls visit(i) for every label that is not 0, in order; most of an image has none.
template <typename Visit>
void for_each_labelled(const std::uint16_t* labels, std::size_t n, const Visit& visit) {
  constexpr std::size_t kAtOnce = 4;
  std::size_t i = 0;
  for (; i + kAtOnce <= n; i += kAtOnce) {
    std::uint64_t some = 0;
    std::memcpy(&some, labels + i, sizeof some);
    if (some == 0) continue;
    for (std::size_t k = i; k < i + kAtOnce; ++k) {
      if (labels[k] != 0) visit(k);
    }
  }
  for (; i < n; ++i) {
    if (labels[i] != 0) visit(i);
  }
}

// out: value[k] for label k.
template <typename Value>
void look_up(const std::uint16_t* labels, std::size_t n, const Value* value, Value* out) {
  std::fill_n(out, n, value[0]);
  for_each_labelled(labels, n, [&](std::size_t i) { out[i] = value[labels[i]]; });
}

}  // namespace ssap

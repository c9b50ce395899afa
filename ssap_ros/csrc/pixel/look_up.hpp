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

// Whether this label and the next three are 0, as in most of an image. n: how many labels there
// are.
inline bool four_without(const std::uint16_t* labels, std::size_t n) {
  if (n < 4) return false;
  std::uint64_t four = 0;
  std::memcpy(&four, labels, sizeof four);
  return four == 0;
}

// out: value[k] for label k.
inline void look_up(const std::uint16_t* labels, std::size_t n, const std::uint8_t* value,
                    std::uint8_t* out) {
  std::fill_n(out, n, value[0]);
  for (std::size_t i = 0; i < n;) {
    if (four_without(labels + i, n - i)) {
      i += 4;
    } else {
      out[i] = value[labels[i]];
      ++i;
    }
  }
}

}  // namespace ssap

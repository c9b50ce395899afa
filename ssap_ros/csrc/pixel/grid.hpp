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

// Pixels and their neighbours.
//
// A pixel is joined to its neighbours in the 5x5 window around it. Of every two opposite
// displacements only the forward one is stored: costs are a (12, height, width) array whose entry
// (k, y, x) belongs to the pair (y, x), (y + dy, x + dx) with (dy, dx) = kOffsets[k].
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace ssap {

struct Offset {
  int dy;
  int dx;
};

inline constexpr std::size_t kNumOffsets = 12;
inline constexpr std::array<Offset, kNumOffsets> kOffsets{{{0, 1},
                                                           {0, 2},
                                                           {1, -2},
                                                           {1, -1},
                                                           {1, 0},
                                                           {1, 1},
                                                           {1, 2},
                                                           {2, -2},
                                                           {2, -1},
                                                           {2, 0},
                                                           {2, 1},
                                                           {2, 2}}};
inline constexpr std::ptrdiff_t kReach = 2;

struct GridSize {
  std::ptrdiff_t height;
  std::ptrdiff_t width;

  std::size_t area() const { return static_cast<std::size_t>(height * width); }
};

}  // namespace ssap

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

// The box around points that stands upright and whose sides the points are closest to.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>

namespace ssap {

// angle: of the first axis of the box from that of the frame, in radians. low, high: the extent of
// the points along the axes of the box.
struct UprightBox {
  double angle;
  std::array<float, 3> low;
  std::array<float, 3> high;
};

namespace detail {

constexpr std::size_t kAngles = 45;          // every two degrees of a quarter turn
constexpr std::size_t kHeadingPoints = 128;  // more do not make it more exact
constexpr float kClose = 0.05F;              // metres; nearer to a side is not better
constexpr float kRightAngle = 1.57079632679F;

using PerAngle = std::array<float, kAngles>;
constexpr float kInfinity = std::numeric_limits<float>::infinity();

// The angle, from 0 to 90 degrees, of the box on the ground whose sides the points are closest to.
//
// The closeness criterion of Zhang et al., Efficient L-Shape Fitting for Vehicle Detection Using
// Laser Scanners, IEEE Intelligent Vehicles 2017: of a corner that is seen, the box of least area
// would lie along the diagonal as well as along the sides.
//
// at(i): the two coordinates of point i on the ground.
template <typename At>
double heading(std::size_t n, const At& at) {
  const std::size_t stride = (n + kHeadingPoints - 1) / kHeadingPoints;
  PerAngle angle;
  PerAngle cos;
  PerAngle sin;
  PerAngle left;  // the sides of the box at each angle
  PerAngle right;
  PerAngle front;
  PerAngle back;
  for (std::size_t k = 0; k < kAngles; ++k) {
    angle[k] = kRightAngle * static_cast<float>(k) / static_cast<float>(kAngles);
    cos[k] = std::cos(angle[k]);
    sin[k] = std::sin(angle[k]);
    left[k] = front[k] = kInfinity;
    right[k] = back[k] = -kInfinity;
  }
  for (std::size_t i = 0; i < n; i += stride) {
    const std::array<float, 2> point = at(i);
    for (std::size_t k = 0; k < kAngles; ++k) {
      const float u = cos[k] * point[0] + sin[k] * point[1];
      const float v = cos[k] * point[1] - sin[k] * point[0];
      left[k] = std::min(left[k], u);
      right[k] = std::max(right[k], u);
      front[k] = std::min(front[k], v);
      back[k] = std::max(back[k], v);
    }
  }
  PerAngle closeness{};
  for (std::size_t i = 0; i < n; i += stride) {
    const std::array<float, 2> point = at(i);
    for (std::size_t k = 0; k < kAngles; ++k) {
      const float u = cos[k] * point[0] + sin[k] * point[1];
      const float v = cos[k] * point[1] - sin[k] * point[0];
      const float to_side =
          std::min(std::min(u - left[k], right[k] - u), std::min(v - front[k], back[k] - v));
      closeness[k] += 1 / std::max(to_side, kClose);
    }
  }
  const auto best = std::max_element(closeness.begin(), closeness.end()) - closeness.begin();
  return double{angle[static_cast<std::size_t>(best)]};
}

}  // namespace detail

// points: x of all, then y, then z; at least one point. frame: two axes of the ground and upwards
// in columns, row by row.
inline UprightBox upright_box(const float* points, std::size_t n, const float* frame) {
  const auto along = [&](std::size_t column, std::size_t i) {
    return frame[column] * points[i] + frame[3 + column] * points[n + i] +
           frame[6 + column] * points[2 * n + i];
  };
  UprightBox box;
  box.angle = detail::heading(
      n, [&](std::size_t i) { return std::array<float, 2>{along(0, i), along(1, i)}; });
  const auto cos = static_cast<float>(std::cos(box.angle));
  const auto sin = static_cast<float>(std::sin(box.angle));
  box.low.fill(detail::kInfinity);
  box.high.fill(-detail::kInfinity);
  for (std::size_t i = 0; i < n; ++i) {
    const float x = along(0, i);
    const float y = along(1, i);
    const std::array<float, 3> inside{cos * x + sin * y, cos * y - sin * x, along(2, i)};
    for (std::size_t k = 0; k < 3; ++k) {
      box.low[k] = std::min(box.low[k], inside[k]);
      box.high[k] = std::max(box.high[k], inside[k]);
    }
  }
  return box;
}

}  // namespace ssap

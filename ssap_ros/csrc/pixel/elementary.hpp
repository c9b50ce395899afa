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

// Elementary functions in single precision, free of branches and calls so that loops over them
// vectorise, also with strict floating-point semantics.
//
// exp: x = n ln 2 + r with |r| <= ln(2)/2; e^r is a Taylor polynomial and 2^n goes straight into
// the exponent bits. log: x = 2^n m with m in [sqrt(1/2), sqrt(2)); log m = 2 artanh((m-1)/(m+1)),
// an odd series that converges fast because its argument stays below 0.172. Both are accurate to a
// few units in the last place. Limits are applied to the bits: read as integers, floats that are
// not negative keep their order, and negative ones lie below them.
#pragma once

#include <algorithm>
#include <cstdint>

#include "util/bit_cast.hpp"

namespace ssap {

// An IEEE half as it lies in memory.
struct Half {
  std::uint16_t bits;
};

namespace detail {

inline constexpr float kLn2High = 0.693359375f;  // few bits: n * kLn2High is exact
inline constexpr float kLn2Low = -2.12194440e-4f;

}  // namespace detail

inline float to_float(float x) { return x; }

// Exact for every finite half: the exponent is corrected by a product, which normalises denormals.
inline float to_float(Half half) {
  const std::uint32_t bits = half.bits;
  const float magnitude = detail::bit_cast<float>((bits & 0x7fffu) << 13) * 0x1p112f;
  return detail::bit_cast<float>(detail::bit_cast<std::uint32_t>(magnitude) |
                                 ((bits & 0x8000u) << 16));
}

// A number that reaches `kNotFinite<T>` when the value is not finite.
inline std::uint32_t magnitude_bits(float x) {
  return detail::bit_cast<std::uint32_t>(x) & 0x7fffffffu;
}
inline std::uint32_t magnitude_bits(Half x) { return x.bits & 0x7fffu; }
template <typename T>
inline constexpr std::uint32_t kNotFinite = 0;
template <>
inline constexpr std::uint32_t kNotFinite<float> = 0x7f800000u;
template <>
inline constexpr std::uint32_t kNotFinite<Half> = 0x7c00u;

// x limited to [low, high], for 0 <= low.
inline float clamp_positive(float x, float low, float high) {
  using detail::bit_cast;
  const auto bits = std::max(bit_cast<std::int32_t>(x), bit_cast<std::int32_t>(low));
  return bit_cast<float>(std::min(bits, bit_cast<std::int32_t>(high)));
}

// x limited to [-limit, limit].
inline float clamp_magnitude(float x, float limit) {
  using detail::bit_cast;
  const std::uint32_t bits = std::min(magnitude_bits(x), bit_cast<std::uint32_t>(limit));
  return bit_cast<float>(bits | (bit_cast<std::uint32_t>(x) & 0x80000000u));
}

// e^x for -87 <= x <= 87.
inline float exp_limited(float x) {
  // Adding 1.5 * 2^23 leaves the nearest integer in the low bits of the mantissa.
  const float n = (x * 1.44269504f + 12582912.0f) - 12582912.0f;
  const float r = (x - n * detail::kLn2High) - n * detail::kLn2Low;
  float p = 1.0f / 5040.0f;
  p = p * r + 1.0f / 720.0f;
  p = p * r + 1.0f / 120.0f;
  p = p * r + 1.0f / 24.0f;
  p = p * r + 1.0f / 6.0f;
  p = p * r + 0.5f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  return p * detail::bit_cast<float>((static_cast<std::int32_t>(n) + 127) << 23);
}

// e^-x for x >= 0 (0 below); beyond x = 87, the last normal result, it stays constant.
inline float exp_minus(float x) { return exp_limited(-clamp_positive(x, 0.0f, 87.0f)); }

// Natural logarithm of a positive normal number; of others, some number.
inline float log_positive(float x) {
  constexpr std::uint32_t kSqrtHalf = 0x3f3504f3;
  const std::uint32_t bits = detail::bit_cast<std::uint32_t>(x) - kSqrtHalf;
  const auto n = static_cast<float>(static_cast<std::int32_t>(bits) >> 23);
  const float m = detail::bit_cast<float>((bits & 0x007fffff) + kSqrtHalf);
  const float s = (m - 1.0f) / (m + 1.0f);
  const float s2 = s * s;
  float p = 2.0f / 9.0f;
  p = p * s2 + 2.0f / 7.0f;
  p = p * s2 + 2.0f / 5.0f;
  p = p * s2 + 2.0f / 3.0f;
  p = p * s2 + 2.0f;
  return n * detail::kLn2High + (p * s + n * detail::kLn2Low);
}

}  // namespace ssap

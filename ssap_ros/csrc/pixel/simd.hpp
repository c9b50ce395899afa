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

// One source of the maths, compiled for several instruction sets; the best one that the machine
// has is chosen at run time. On x86-64 these are AVX-512, AVX2 and the plain baseline; elsewhere
// there is the baseline alone, which on aarch64 includes NEON.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "pixel/elementary.hpp"

namespace ssap {

// What the loops do is said in cost_rows.hpp.
struct RowKernels {
  template <typename T>
  using Odds = bool (*)(const T* there, const T* back, std::ptrdiff_t n, float* up, float* down);
  template <typename T>
  using Copy = bool (*)(const T* in, std::ptrdiff_t n, float* out);

  Odds<float> odds_of_logits_float;
  Odds<Half> odds_of_logits_half;
  Odds<float> odds_of_probabilities_float;
  Odds<Half> odds_of_probabilities_half;
  Copy<float> copy_float;
  Copy<Half> copy_half;
  void (*minus_entropies)(const float* p, std::ptrdiff_t n_classes, std::ptrdiff_t n, float* sums);
  void (*divergences)(const float* distributions, const float* minus_entropies,
                      std::ptrdiff_t n_classes, const std::uint32_t* u, const std::uint32_t* v,
                      std::ptrdiff_t n, float* divergence);
  void (*weaken)(const float* divergence, std::ptrdiff_t n, float* up, float* down);
  void (*log_odds)(const float* up, const float* down, std::ptrdiff_t n, float limit, float* costs);
};

// Class distributions are padded with zeros to a multiple of this.
inline constexpr std::ptrdiff_t kLanes = 8;

namespace detail {

// 0 at p = 0: the smallest normal number keeps the logarithm finite and is lost in any larger p.
inline float p_log_p(float p) { return p * log_positive(p + std::numeric_limits<float>::min()); }

namespace plain {
#define SSAP_TARGET
#include "pixel/cost_rows.hpp"
#undef SSAP_TARGET
}  // namespace plain

#if defined(__x86_64__)
namespace avx2 {
#define SSAP_TARGET __attribute__((target("avx2,fma")))
#include "pixel/cost_rows.hpp"
#undef SSAP_TARGET
}  // namespace avx2

namespace avx512 {
#define SSAP_TARGET \
  __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,fma,prefer-vector-width=512")))
#include "pixel/cost_rows.hpp"
#undef SSAP_TARGET
}  // namespace avx512
#endif

}  // namespace detail

struct SimdPath {
  std::string name;
  const RowKernels* kernels;
};

// The paths that this machine can take, best first.
inline const std::vector<SimdPath>& simd_paths() {
  static const std::vector<SimdPath> paths = [] {
    std::vector<SimdPath> found;
#if defined(__x86_64__)
    __builtin_cpu_init();
    const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                      __builtin_cpu_supports("bmi2");
    const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    if (avx2 && avx512) found.push_back({"avx512", &detail::avx512::kKernels});
    if (avx2) found.push_back({"avx2", &detail::avx2::kKernels});
    found.push_back({"plain", &detail::plain::kKernels});
#elif defined(__aarch64__)
    found.push_back({"neon", &detail::plain::kKernels});
#else
    found.push_back({"plain", &detail::plain::kKernels});
#endif
    return found;
  }();
  return paths;
}

}  // namespace ssap

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

// The loops of edge_costs.hpp over batches of pixel pairs. simd.hpp includes this file once for
// each instruction set, in a namespace of its own, with SSAP_TARGET saying what to compile it for;
// the compiler vectorises the loops, so there is one source of the maths.

// Odds of two directed logits' mean affinity, as a ratio up : down of positive numbers. With
// a = 1 / (1 + e^-x) and b = 1 / (1 + e^-y), (a + b) : ((1 - a) + (1 - b)) is, times the two
// denominators, (2 + e^-x + e^-y) : (e^-x + e^-y + 2 e^-x e^-y); no difference loses digits.
// Returns whether all logits are finite.
template <typename T>
SSAP_TARGET bool odds_of_logits(const T* there, const T* back, std::ptrdiff_t n, float* up,
                                float* down) {
  std::uint32_t largest = 0;
  for (std::ptrdiff_t i = 0; i < n; ++i) {
    largest = std::max(largest, std::max(magnitude_bits(there[i]), magnitude_bits(back[i])));
    const float x = exp_limited(-clamp_magnitude(to_float(there[i]), 40.0f));
    const float y = exp_limited(-clamp_magnitude(to_float(back[i]), 40.0f));
    up[i] = 2.0f + (x + y);
    down[i] = (x + y) + 2.0f * x * y;
  }
  return largest < kNotFinite<T>;
}

// The same for two probabilities.
template <typename T>
SSAP_TARGET bool odds_of_probabilities(const T* there, const T* back, std::ptrdiff_t n, float* up,
                                       float* down) {
  std::uint32_t largest = 0;
  for (std::ptrdiff_t i = 0; i < n; ++i) {
    largest = std::max(largest, std::max(magnitude_bits(there[i]), magnitude_bits(back[i])));
    const float a = to_float(there[i]);
    const float b = to_float(back[i]);
    up[i] = a + b;
    down[i] = (1.0f - a) + (1.0f - b);
  }
  return largest < kNotFinite<T>;
}

template <typename T>
SSAP_TARGET bool copy(const T* in, std::ptrdiff_t n, float* out) {
  std::uint32_t largest = 0;
  for (std::ptrdiff_t i = 0; i < n; ++i) {
    largest = std::max(largest, magnitude_bits(in[i]));
    out[i] = to_float(in[i]);
  }
  return largest < kNotFinite<T>;
}

// Sum of m log m over the classes of m = (p + q) / 2, n being a multiple of kLanes.
SSAP_TARGET inline float sum_m_log_m(const float* p, const float* q, std::ptrdiff_t n) {
  std::array<float, kLanes> sums{};
  for (std::ptrdiff_t c = 0; c < n; c += kLanes) {
    for (std::size_t i = 0; i < kLanes; ++i) sums[i] += p_log_p(0.5f * (p[c + i] + q[c + i]));
  }
  for (std::size_t step = kLanes / 2; step > 0; step /= 2) {
    for (std::size_t i = 0; i < step; ++i) sums[i] += sums[i + step];
  }
  return sums[0];
}

// sums[i] = -H(p) of n distributions one after the other
SSAP_TARGET inline void minus_entropies(const float* p, std::ptrdiff_t n_classes, std::ptrdiff_t n,
                                        float* sums) {
  for (std::ptrdiff_t i = 0; i < n; ++i, p += n_classes) sums[i] = sum_m_log_m(p, p, n_classes);
}

// divergence[i] = JS(p, q) of the distributions number u[i] and v[i]
SSAP_TARGET inline void divergences(const float* distributions, const float* minus_entropies,
                                    std::ptrdiff_t n_classes, const std::uint32_t* u,
                                    const std::uint32_t* v, std::ptrdiff_t n, float* divergence) {
  for (std::ptrdiff_t i = 0; i < n; ++i) {
    const float mean = 0.5f * (minus_entropies[u[i]] + minus_entropies[v[i]]);
    divergence[i] = mean - sum_m_log_m(distributions + u[i] * n_classes,
                                       distributions + v[i] * n_classes, n_classes);
  }
}

// The odds after the affinity was multiplied by e^-divergence.
SSAP_TARGET inline void weaken(const float* divergence, std::ptrdiff_t n, float* up, float* down) {
  for (std::ptrdiff_t i = 0; i < n; ++i) {
    const float factor = exp_minus(divergence[i]);
    down[i] += up[i] * (1.0f - factor);
    up[i] *= factor;
  }
}

// costs[i] = log(up / down), the odds being limited to [1 / limit, limit]
SSAP_TARGET inline void log_odds(const float* up, const float* down, std::ptrdiff_t n, float limit,
                                 float* costs) {
  for (std::ptrdiff_t i = 0; i < n; ++i) {
    costs[i] = log_positive(clamp_positive(up[i] / down[i], 1.0f / limit, limit));
  }
}

inline constexpr RowKernels kKernels{&odds_of_logits<float>,
                                     &odds_of_logits<Half>,
                                     &odds_of_probabilities<float>,
                                     &odds_of_probabilities<Half>,
                                     &copy<float>,
                                     &copy<Half>,
                                     &minus_entropies,
                                     &divergences,
                                     &weaken,
                                     &log_odds};

// From directed affinities to signed edge costs.
//
// The network says for every pixel u and every displacement how likely u and the pixel v there
// belong to one instance. The two opinions on a pair are averaged, alpha = (a_uv + a_vu) / 2 (Eq.
// 2), and become the log-odds log(alpha / (1 - alpha)) (Eq. 3), clamped: positive attracts. With
// segmentation refinement alpha is first multiplied by exp(-JS(s_u, s_v)), where JS is the
// Jensen-Shannon divergence of the two class distributions (Eq. 6-8):
//   JS(p, q) = H((p + q) / 2) - (H(p) + H(q)) / 2,   H(p) = -sum p log p.
//
// alpha and its complement 1 - alpha are carried side by side, which keeps the relative precision
// of both: near 1, alpha alone would lose it. All loops run along image rows without branches.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "elementary.hpp"
#include "grid_graph.hpp"

namespace ssap {

namespace detail {

// 0 at p = 0: the smallest normal number keeps the logarithm finite and is lost in any larger p.
inline float p_log_p(float p) { return p * log_positive(p + std::numeric_limits<float>::min()); }

// sum p log p over the channels, one value per pixel: the negated entropies.
inline std::vector<float> negated_entropies(const float* scores, std::size_t n_channels,
                                            std::size_t area) {
  std::vector<float> sums(area, 0.0f);
  for (std::size_t c = 0; c < n_channels; ++c) {
    const float* const channel = scores + c * area;
    for (std::size_t i = 0; i < area; ++i) sums[i] += p_log_p(channel[i]);
  }
  return sums;
}

struct Sigmoid {
  float value;
  float complement;
};

inline Sigmoid sigmoid(float x) {
  const float e = exp_minus(std::abs(x));
  const float large = 1.0f / (1.0f + e);
  const float small = e * large;
  const bool negative = bit_cast<std::int32_t>(x) < 0;
  return {negative ? small : large, negative ? large : small};
}

// The mean of two opinions and its complement.
inline void mean_affinity(const float* there, const float* back, std::ptrdiff_t n, bool logits,
                          float* alpha, float* complement) {
  if (logits) {
    for (std::ptrdiff_t x = 0; x < n; ++x) {
      const Sigmoid a = sigmoid(there[x]);
      const Sigmoid b = sigmoid(back[x]);
      alpha[x] = 0.5f * (a.value + b.value);
      complement[x] = 0.5f * (a.complement + b.complement);
    }
  } else {
    for (std::ptrdiff_t x = 0; x < n; ++x) {
      alpha[x] = 0.5f * (there[x] + back[x]);
      complement[x] = 0.5f * ((1.0f - there[x]) + (1.0f - back[x]));
    }
  }
}

}  // namespace detail

// affinities: (n_channels, height, width), 24 or 25 channels, row-major over the 5x5 window with or
// without its centre; channel k at u and channel n_channels - 1 - k at v speak of the same pair.
// scores: (n_classes, height, width) class distributions, or nullptr for no refinement.
// costs: (12, height, width), filled with 0 where the neighbour is outside.
inline void edge_costs(const float* affinities, std::size_t n_channels, GridSize size, bool logits,
                       float eps, const float* scores, std::size_t n_classes, float* costs) {
  const std::size_t area = size.area();
  const auto width = static_cast<std::size_t>(size.width);
  std::vector<float> alpha(width);
  std::vector<float> complement(width);
  std::vector<float> divergence(width);
  std::vector<float> minus_entropy;
  if (scores) minus_entropy = detail::negated_entropies(scores, n_classes, area);
  std::fill(costs, costs + kNumOffsets * area, 0.0f);

  for (std::size_t k = 0; k < kNumOffsets; ++k) {
    const auto [dy, dx] = kOffsets[k];
    const std::ptrdiff_t first = std::max(0, -dx);
    const std::ptrdiff_t n = size.width - std::max(0, dx) - first;  // may be negative
    const std::ptrdiff_t step = dy * size.width + dx;
    const float* const there = affinities + (n_channels - kNumOffsets + k) * area;
    const float* const back = affinities + (kNumOffsets - 1 - k) * area + step;
    for (std::ptrdiff_t y = 0; y + dy < size.height; ++y) {
      const std::ptrdiff_t u = y * size.width + first;
      detail::mean_affinity(there + u, back + u, n, logits, alpha.data(), complement.data());
      if (scores) {
        for (std::ptrdiff_t x = 0; x < n; ++x) {
          divergence[x] = 0.5f * (minus_entropy[u + x] + minus_entropy[u + x + step]);
        }
        for (std::size_t c = 0; c < n_classes; ++c) {
          const float* const channel = scores + c * area + u;
          for (std::ptrdiff_t x = 0; x < n; ++x) {
            divergence[x] -= detail::p_log_p(0.5f * (channel[x] + channel[x + step]));
          }
        }
        for (std::ptrdiff_t x = 0; x < n; ++x) {
          const float factor = exp_minus(divergence[x]);
          complement[x] += alpha[x] * (1.0f - factor);
          alpha[x] *= factor;
        }
      }
      float* const out = costs + k * area + u;
      for (std::ptrdiff_t x = 0; x < n; ++x) {
        out[x] = log_positive(clamp_positive(alpha[x], eps, 1.0f - eps) /
                              clamp_positive(complement[x], eps, 1.0f - eps));
      }
    }
  }
}

}  // namespace ssap

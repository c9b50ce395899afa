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
// of both: near 1, alpha alone would lose it. The loops run along image rows without branches and
// are compiled for several instruction sets (simd.hpp).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "buffer.hpp"
#include "grid.hpp"
#include "simd.hpp"

namespace ssap {

enum class Meaning { kCosts, kLogits, kProbabilities };

// What is known of the pixel pairs of one level.
struct Affinities {
  const void* data;        // (n_channels, height, width), row-major
  bool is_half;            // IEEE half instead of single precision
  Meaning meaning;         // costs: 12 channels, those of kOffsets. Else 24 or 25: the 5x5 window
  std::size_t n_channels;  // with or without its centre, channel n - 1 - k opposite to channel k
  GridSize size;
  float eps;            // alpha is clamped to [eps, 1 - eps]
  const float* scores;  // (n_classes, height, width) distributions, nullptr for no refinement
  std::size_t n_classes;
};

// Computes pieces of rows of the (12, height, width) costs.
class CostRows {
 public:
  void start(const Affinities& in, const RowKernels& kernels) {
    in_ = in;
    kernels_ = kernels;
    is_finite_ = true;
    const auto width = static_cast<std::size_t>(in.size.width);
    up_.room(width);
    down_.room(width);
    divergence_.room(width);
    if (in.scores) minus_entropies_.room((kReach + 1) * width);
  }

  // Costs of the pixels (y, first .. last - 1) towards kOffsets[k]; costs[x] belongs to column x.
  // Columns whose neighbour is outside are left alone. With refinement, `entropies` must have been
  // called for y and the neighbours' row.
  void compute(std::size_t k, std::ptrdiff_t y, std::ptrdiff_t first, std::ptrdiff_t last,
               float* costs) {
    in_.is_half ? compute_from<Half>(k, y, first, last, costs)
                : compute_from<float>(k, y, first, last, costs);
  }

  // Negated entropies of a piece of a row, kept until a row three further down takes their place.
  void entropies(std::ptrdiff_t y, std::ptrdiff_t first, std::ptrdiff_t last) {
    float* const sums = entropy_row(y);
    std::fill(sums + first, sums + last, 0.0f);
    for (std::size_t c = 0; c < in_.n_classes; ++c) {
      const float* const row = in_.scores + c * in_.size.area() + y * in_.size.width;
      kernels_.add_p_log_p(row + first, last - first, sums + first);
    }
  }

  // Whether everything that was looked at was finite.
  bool is_finite() const { return is_finite_; }

  std::size_t bytes() const {
    return up_.bytes() + down_.bytes() + divergence_.bytes() + minus_entropies_.bytes();
  }

 private:
  float* entropy_row(std::ptrdiff_t y) {
    return minus_entropies_.data() + y % (kReach + 1) * in_.size.width;
  }

  template <typename T>
  void compute_from(std::size_t k, std::ptrdiff_t y, std::ptrdiff_t first, std::ptrdiff_t last,
                    float* costs) {
    const auto [dy, dx] = kOffsets[k];
    first = std::max<std::ptrdiff_t>(first, -dx);
    last = std::min<std::ptrdiff_t>(last, in_.size.width - dx);
    const std::ptrdiff_t n = last - first;
    if (n <= 0 || y + dy >= in_.size.height) return;
    const std::ptrdiff_t u = y * in_.size.width + first;
    const std::ptrdiff_t v = u + dy * in_.size.width + dx;
    const auto channel = [this](std::size_t c) {
      return static_cast<const T*>(in_.data) + c * in_.size.area();
    };
    if (in_.meaning == Meaning::kCosts) {
      is_finite_ &= copy_kernel(T{})(channel(k) + u, n, costs + first);
      return;
    }
    float* const up = up_.data();
    float* const down = down_.data();
    const T* const there = channel(in_.n_channels - kNumOffsets + k) + u;
    const T* const back = channel(kNumOffsets - 1 - k) + v;
    is_finite_ &= odds_kernel(T{})(there, back, n, up, down);
    if (in_.scores) refine(u, v, entropy_row(y) + first, entropy_row(y + dy) + first + dx, n);
    kernels_.log_odds(up, down, n, (1.0f - in_.eps) / in_.eps, costs + first);
  }

  void refine(std::ptrdiff_t u, std::ptrdiff_t v, const float* entropy_u, const float* entropy_v,
              std::ptrdiff_t n) {
    float* const divergence = divergence_.data();
    kernels_.start_divergence(entropy_u, entropy_v, n, divergence);
    for (std::size_t c = 0; c < in_.n_classes; ++c) {
      const float* const scores = in_.scores + c * in_.size.area();
      kernels_.add_divergence(scores + u, scores + v, n, divergence);
    }
    kernels_.weaken(divergence, n, up_.data(), down_.data());
  }

  RowKernels::Copy<float> copy_kernel(float) const { return kernels_.copy_float; }
  RowKernels::Copy<Half> copy_kernel(Half) const { return kernels_.copy_half; }
  RowKernels::Odds<float> odds_kernel(float) const {
    return in_.meaning == Meaning::kLogits ? kernels_.odds_of_logits_float
                                           : kernels_.odds_of_probabilities_float;
  }
  RowKernels::Odds<Half> odds_kernel(Half) const {
    return in_.meaning == Meaning::kLogits ? kernels_.odds_of_logits_half
                                           : kernels_.odds_of_probabilities_half;
  }

  Affinities in_{};
  RowKernels kernels_{};
  bool is_finite_ = true;
  Buffer<float> up_;
  Buffer<float> down_;
  Buffer<float> divergence_;
  Buffer<float> minus_entropies_;
};

// All costs of a level, (12, height, width), 0 where the neighbour is outside. False if the
// affinities are not finite.
inline bool edge_costs(const Affinities& in, const RowKernels& kernels, float* costs) {
  CostRows rows;
  rows.start(in, kernels);
  const auto [height, width] = in.size;
  std::fill(costs, costs + kNumOffsets * in.size.area(), 0.0f);
  for (std::ptrdiff_t y = 0; y < height; ++y) {
    if (in.scores) {
      for (std::ptrdiff_t below = y == 0 ? 0 : y + kReach; below <= y + kReach; ++below) {
        if (below < height) rows.entropies(below, 0, width);
      }
    }
    for (std::size_t k = 0; k < kNumOffsets; ++k) {
      rows.compute(k, y, 0, width, costs + k * in.size.area() + y * width);
    }
  }
  return rows.is_finite();
}

}  // namespace ssap

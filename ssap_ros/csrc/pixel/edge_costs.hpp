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

// From directed affinities to signed edge costs.
//
// The network says for every pixel u and every displacement how likely u and the pixel v there
// belong to one instance. The two affinities of a pair are averaged, alpha = (a_uv + a_vu) / 2 (Eq.
// 2), and become the log-odds log(alpha / (1 - alpha)) (Eq. 3), clamped: positive attracts. With
// segmentation refinement alpha is first multiplied by exp(-JS(s_u, s_v)), where JS is the
// Jensen-Shannon divergence of the two class distributions (Eq. 6-8):
//   JS(p, q) = H((p + q) / 2) - (H(p) + H(q)) / 2,   H(p) = -sum p log p.
//
// alpha and its complement 1 - alpha are carried side by side, which keeps the relative precision
// of both: near 1, alpha alone would lose it. Pairs are worked on in batches: what is known of them
// is gathered first, then come loops without branches, compiled for several instruction sets
// (simd.hpp).
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "pixel/grid.hpp"
#include "pixel/simd.hpp"
#include "util/buffer.hpp"

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

// Costs of pixel pairs, in batches that the caller fills.
class PairCosts {
 public:
  static constexpr std::size_t kBatch = 1024;  // pairs; small enough for all of it to stay in cache

  void start(const Affinities& in, const RowKernels& kernels) {
    in_ = in;
    kernels_ = kernels;
    is_valid_ = true;
    size_ = 0;
    if (in.scores) {
      n_padded_ = (in.n_classes + kLanes - 1) / kLanes * kLanes;
      const std::size_t n_needed = (2 * kReach + 1) * static_cast<std::size_t>(in.size.width);
      for (ring_ = 1; ring_ < n_needed;) ring_ *= 2;
      distributions_.fill(ring_ * n_padded_, 0.0f);
      minus_entropies_.reserve(ring_);
    }
    const auto area = static_cast<std::ptrdiff_t>(in.size.area());
    const auto n_channels = static_cast<std::ptrdiff_t>(in.n_channels);
    for (std::size_t k = 0; k < kNumOffsets; ++k) {
      const std::ptrdiff_t step = kOffsets[k].dy * in.size.width + kOffsets[k].dx;
      const auto forward = static_cast<std::ptrdiff_t>(k);
      std::ptrdiff_t there = forward * area;
      std::ptrdiff_t back = there;
      if (in.meaning != Meaning::kCosts) {
        there = (n_channels - static_cast<std::ptrdiff_t>(kNumOffsets) + forward) * area;
        back = (static_cast<std::ptrdiff_t>(kNumOffsets) - 1 - forward) * area + step;
      }
      const auto narrow_step = static_cast<std::int32_t>(step);
      channels_[2 * k] = {narrow_step, there, back};
      channels_[2 * k + 1] = {-narrow_step, back - step, there - step};
    }
  }

  // Adds the pairs of `pixel` and its neighbours in `n` directions: 2 k for kOffsets[k], 2 k + 1
  // for the opposite one.
  void add(std::ptrdiff_t pixel, const std::uint8_t* directions, std::size_t n) {
    for (std::size_t i = 0; i < n; ++i) {
      pairs_[size_ + i] = {static_cast<std::int32_t>(pixel), directions[i]};
    }
    size_ += n;
  }
  std::size_t size() const { return size_; }

  // The costs of all pairs that were added; the next batch begins.
  const float* compute() {
    in_.is_half ? compute_from<Half>() : compute_from<float>();
    size_ = 0;
    return costs_.data();
  }

  // With refinement: makes the class distributions of the pixels first .. first + n - 1 of a row
  // known, until a row that is five further down takes their place.
  void load_scores(std::ptrdiff_t first, std::ptrdiff_t n) {
    while (n > 0) {
      const std::size_t place = place_of(first);
      const std::ptrdiff_t n_here = std::min(n, static_cast<std::ptrdiff_t>(ring_ - place));
      float* const there = &distributions_[place * n_padded_];
      std::uint32_t largest = 0;  // as bits, negative numbers are larger than the others
      for (std::size_t c = 0; c < in_.n_classes; ++c) {
        const float* const scores = in_.scores + c * in_.size.area() + first;
        for (std::ptrdiff_t i = 0; i < n_here; ++i) {
          largest = std::max(largest, detail::bit_cast<std::uint32_t>(scores[i]));
          there[static_cast<std::size_t>(i) * n_padded_ + c] = scores[i];
        }
      }
      is_valid_ &= largest < kNotFinite<float>;
      kernels_.minus_entropies(there, static_cast<std::ptrdiff_t>(n_padded_), n_here,
                               &minus_entropies_[place]);
      first += n_here;
      n -= n_here;
    }
  }

  // Whether everything that was read was finite, and no score negative.
  bool is_valid() const { return is_valid_; }

  std::size_t bytes() const {
    return sizeof *this + distributions_.bytes() + minus_entropies_.bytes();
  }

 private:
  struct Pair {
    std::int32_t pixel;
    std::uint32_t direction;
  };
  // Relative to a pixel: its neighbour, its affinity to it, and that of the neighbour to the pixel.
  struct Channel {
    std::int32_t step;
    std::ptrdiff_t there;
    std::ptrdiff_t back;
  };
  template <typename T>
  using Batch = std::array<T, kBatch>;

  std::size_t place_of(std::ptrdiff_t pixel) const {
    return static_cast<std::size_t>(pixel) & (ring_ - 1);
  }

  template <typename T>
  void compute_from() {
    const auto n = static_cast<std::ptrdiff_t>(size_);
    const T* const data = static_cast<const T*>(in_.data);
    Batch<T> there;
    Batch<T> back;
    for (std::size_t i = 0; i < size_; ++i) {
      const auto [pixel, direction] = pairs_[i];
      there[i] = data[channels_[direction].there + pixel];
      back[i] = data[channels_[direction].back + pixel];
    }
    if (in_.meaning == Meaning::kCosts) {
      is_valid_ &= copy_kernel(T{})(there.data(), n, costs_.data());
      return;
    }
    is_valid_ &= odds_kernel(T{})(there.data(), back.data(), n, up_.data(), down_.data());
    if (in_.scores) refine();
    kernels_.log_odds(up_.data(), down_.data(), n, (1.0f - in_.eps) / in_.eps, costs_.data());
  }

  void refine() {
    const auto n = static_cast<std::ptrdiff_t>(size_);
    Batch<std::uint32_t> u;
    Batch<std::uint32_t> v;
    Batch<float> divergence;
    for (std::size_t i = 0; i < size_; ++i) {
      const auto [pixel, direction] = pairs_[i];
      u[i] = static_cast<std::uint32_t>(place_of(pixel));
      v[i] = static_cast<std::uint32_t>(place_of(pixel + channels_[direction].step));
    }
    kernels_.divergences(distributions_.data(), minus_entropies_.data(),
                         static_cast<std::ptrdiff_t>(n_padded_), u.data(), v.data(), n,
                         divergence.data());
    kernels_.weaken(divergence.data(), n, up_.data(), down_.data());
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
  bool is_valid_ = true;
  std::array<Channel, 2 * kNumOffsets> channels_{};
  std::size_t size_ = 0;
  Batch<Pair> pairs_;
  Batch<float> up_;
  Batch<float> down_;
  Batch<float> costs_;
  std::size_t n_padded_ = 0;  // classes
  std::size_t ring_ = 1;      // pixels whose distributions are kept: a power of two, five rows
  Buffer<float> distributions_;
  Buffer<float> minus_entropies_;
};

// All costs of a level, (12, height, width), 0 where the neighbour is outside. False if the
// affinities are not valid.
inline bool edge_costs(const Affinities& in, const RowKernels& kernels, float* costs) {
  const auto [height, width] = in.size;
  PairCosts pairs;
  pairs.start(in, kernels);
  std::fill(costs, costs + kNumOffsets * in.size.area(), 0.0f);
  for (std::ptrdiff_t y = 0; y < height; ++y) {
    if (in.scores) {
      const std::ptrdiff_t last_row = std::min(y + kReach, height - 1);
      for (std::ptrdiff_t row = y == 0 ? 0 : y + kReach; row <= last_row; ++row) {
        pairs.load_scores(row * width, width);
      }
    }
    for (std::size_t k = 0; k < kNumOffsets; ++k) {
      const auto [dy, dx] = kOffsets[k];
      const auto direction = static_cast<std::uint8_t>(2 * k);
      if (y + dy >= height) break;
      const std::ptrdiff_t last = std::min(width, width - dx);
      for (std::ptrdiff_t x = std::max(0, -dx); x < last;) {
        const std::ptrdiff_t pixel = y * width + x;
        const std::ptrdiff_t n = std::min<std::ptrdiff_t>(last - x, PairCosts::kBatch);
        for (std::ptrdiff_t i = 0; i < n; ++i) pairs.add(pixel + i, &direction, 1);
        std::copy_n(pairs.compute(), n, costs + k * in.size.area() + pixel);
        x += n;
      }
    }
  }
  return pairs.is_valid();
}

}  // namespace ssap

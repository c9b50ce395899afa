// Shrinks an image and makes the network input of it in one pass.
//
// Every output pixel is the mean of the source area that it covers, with fractional weights at the
// rim of that area. The mean is separable: first the rows that an output row covers are summed into
// one line of floats, then the pixels of that line that an output pixel covers. The result is
// rounded to whole levels, as if it had been stored, normalised and written plane by plane.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "grid.hpp"

namespace ssap {

// The source pixels under one output pixel along one axis; their weights sum to 1.
struct Coverage {
  std::ptrdiff_t first;
  std::vector<float> weights;
};

inline std::vector<Coverage> coverages(std::ptrdiff_t source, std::ptrdiff_t target) {
  const double scale = static_cast<double>(source) / static_cast<double>(target);
  std::vector<Coverage> result;
  for (std::ptrdiff_t i = 0; i < target; ++i) {
    const double begin = static_cast<double>(i) * scale;
    const double end = std::min(static_cast<double>(i + 1) * scale, static_cast<double>(source));
    Coverage coverage{static_cast<std::ptrdiff_t>(begin), {}};
    for (auto pixel = coverage.first; static_cast<double>(pixel) < end; ++pixel) {
      const double low = std::max(begin, static_cast<double>(pixel));
      const double high = std::min(end, static_cast<double>(pixel + 1));
      coverage.weights.push_back(static_cast<float>((high - low) / (end - begin)));
    }
    result.push_back(std::move(coverage));
  }
  return result;
}

// Colours are kept in vectors of four floats, the fourth of which means nothing.
using Colour = float __attribute__((vector_size(16)));

inline Colour load_colour(const float* values) {
  Colour colour;
  std::memcpy(&colour, values, sizeof(colour));
  return colour;
}

// Adding and taking away 1.5 * 2^23 leaves no room for a fraction: rounds half to even.
inline Colour round_levels(Colour colour) {
  const Colour magic = {12582912.0F, 12582912.0F, 12582912.0F, 12582912.0F};
  return (colour + magic) - magic;
}

// image: RGB (source.height, source.width, 3). factor, offset: level * factor - offset is the
// normalised value, per channel. planes: where each channel begins, rows `row_stride` floats apart.
inline void area_resize(const std::uint8_t* image, GridSize source, GridSize target,
                        const std::array<float, 3>& factor, const std::array<float, 3>& offset,
                        const std::array<float*, 3>& planes, std::ptrdiff_t row_stride) {
  const auto rows = coverages(source.height, target.height);
  const auto columns = coverages(source.width, target.width);
  const std::ptrdiff_t n_values = 3 * source.width;
  const Colour factors = {factor[0], factor[1], factor[2], 0};
  const Colour offsets = {offset[0], offset[1], offset[2], 0};
  std::vector<float> line(static_cast<std::size_t>(n_values) + 1);  // one more than is loaded
  for (std::ptrdiff_t y = 0; y < target.height; ++y) {
    const auto& row = rows[static_cast<std::size_t>(y)];
    std::fill(line.begin(), line.end(), 0.0F);
    for (std::size_t k = 0; k < row.weights.size(); ++k) {
      const float weight = row.weights[k];
      const auto source_row = row.first + static_cast<std::ptrdiff_t>(k);
      const std::uint8_t* const values = image + source_row * n_values;
      float* const sums = line.data();
      for (std::ptrdiff_t i = 0; i < n_values; ++i) sums[i] += weight * values[i];
    }
    for (std::ptrdiff_t x = 0; x < target.width; ++x) {
      const auto& column = columns[static_cast<std::size_t>(x)];
      const float* values = line.data() + 3 * column.first;
      Colour mean = {};
      for (const float weight : column.weights) {
        mean += weight * load_colour(values);
        values += 3;
      }
      const Colour normalised = round_levels(mean) * factors - offsets;
      for (std::size_t channel = 0; channel < 3; ++channel) {
        planes[channel][y * row_stride + x] = normalised[channel];
      }
    }
  }
}

}  // namespace ssap

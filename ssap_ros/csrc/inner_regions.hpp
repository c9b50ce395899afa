// The part of each segment that is beyond doubt: its pixels away from the margin.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "grid.hpp"

namespace ssap {

// Keeps the label of the pixels whose square neighbourhood, as far as it lies in the image, has no
// other label; 0 elsewhere. `scratch` and `inner` have the size of `labels`.
inline void inner_regions(const std::int32_t* labels, GridSize size, std::ptrdiff_t radius,
                          std::int32_t* scratch, std::int32_t* inner) {
  radius = std::min(radius, std::max(size.height, size.width));
  const auto erode = [radius](const std::int32_t* in, std::int32_t* out, std::ptrdiff_t length,
                              std::ptrdiff_t step) {
    std::ptrdiff_t run_start = 0;
    for (std::ptrdiff_t i = 1; i <= length; ++i) {
      if (i < length && in[i * step] == in[run_start * step]) continue;
      const std::ptrdiff_t first = run_start == 0 ? 0 : run_start + radius;
      const std::ptrdiff_t last = i == length ? length : i - radius;
      for (std::ptrdiff_t j = first; j < last; ++j) out[j * step] = in[j * step];
      run_start = i;
    }
  };
  std::fill(scratch, scratch + size.area(), 0);
  std::fill(inner, inner + size.area(), 0);
  for (std::ptrdiff_t y = 0; y < size.height; ++y) {
    erode(labels + y * size.width, scratch + y * size.width, size.width, 1);
  }
  for (std::ptrdiff_t x = 0; x < size.width; ++x) {
    erode(scratch + x, inner + x, size.height, size.width);
  }
}

}  // namespace ssap

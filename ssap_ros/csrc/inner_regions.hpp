// The part of each segment that is beyond doubt: its pixels away from the margin.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "grid.hpp"

namespace ssap {

// Keeps the label of the pixels whose square neighbourhood, as far as it lies in the image, has no
// other label; 0 elsewhere. `inner` has the size of `labels`, `scratch` one row more.
inline void inner_regions(const std::int32_t* labels, GridSize size, std::ptrdiff_t radius,
                          std::int32_t* scratch, std::int32_t* inner) {
  const std::ptrdiff_t height = size.height;
  const std::ptrdiff_t width = size.width;
  radius = std::min(radius, std::max(height, width));
  std::int32_t* const n_equal = scratch + size.area();  // labels above or below, per column
  const auto compare = [&](std::ptrdiff_t y, std::ptrdiff_t before) {
    const std::int32_t* const here = labels + y * width;
    const std::int32_t* const there = labels + before * width;
    for (std::ptrdiff_t x = 0; x < width; ++x) {
      n_equal[x] = here[x] == there[x] ? n_equal[x] + 1 : 0;
    }
  };
  const auto keep = [&](std::ptrdiff_t y, const std::int32_t* from, std::ptrdiff_t n_rows) {
    const auto enough = static_cast<std::int32_t>(std::min(radius, n_rows));
    for (std::ptrdiff_t x = 0; x < width; ++x) {
      scratch[y * width + x] = n_equal[x] >= enough ? from[y * width + x] : 0;
    }
  };
  std::fill(n_equal, n_equal + width, 0);
  for (std::ptrdiff_t y = 0; y < height; ++y) {
    if (y > 0) compare(y, y - 1);
    keep(y, labels, y);
  }
  std::fill(n_equal, n_equal + width, 0);
  for (std::ptrdiff_t y = height; y-- > 0;) {
    if (y + 1 < height) compare(y, y + 1);
    keep(y, scratch, height - 1 - y);
  }
  std::fill(inner, inner + size.area(), 0);
  for (std::ptrdiff_t y = 0; y < height; ++y) {
    const std::int32_t* const in = scratch + y * width;
    std::ptrdiff_t run_start = 0;
    for (std::ptrdiff_t x = 1; x <= width; ++x) {
      if (x < width && in[x] == in[run_start]) continue;
      const std::ptrdiff_t first = run_start == 0 ? 0 : run_start + radius;
      const std::ptrdiff_t last = x == width ? width : x - radius;
      for (std::ptrdiff_t i = first; i < last; ++i) inner[y * width + i] = in[i];
      run_start = x;
    }
  }
}

}  // namespace ssap

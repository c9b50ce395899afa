// A coarse label map at the resolution of the image.
//
// Labels cannot be averaged, so each of them is interpolated bilinearly as a mask of its own, and
// every output pixel takes the label whose mask is largest there: the largest sum of bilinear
// weights among the four nearest cells. This gives smooth outlines from the label map alone.
//
// Output pixels between the same two cell rows and columns form a rectangle; where its four cells
// agree, which is almost everywhere, a row of the rectangle is a plain fill.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "grid.hpp"

namespace ssap {

namespace detail {

// Where an output coordinate lies on one axis of the label map.
struct AxisSample {
  std::ptrdiff_t before;  // the two nearest cells, equal beyond the outermost cell centres
  std::ptrdiff_t after;
  double after_weight;
};

inline std::vector<AxisSample> sample_axis(std::ptrdiff_t n_out, std::ptrdiff_t n_cells,
                                           double scale) {
  std::vector<AxisSample> samples(static_cast<std::size_t>(n_out));
  const auto last = static_cast<double>(n_cells - 1);
  for (std::ptrdiff_t i = 0; i < n_out; ++i) {
    const double position =
        std::clamp((static_cast<double>(i) + 0.5) * scale - 0.5, 0.0, last);  // in cell centres
    const auto before = static_cast<std::ptrdiff_t>(position);
    samples[static_cast<std::size_t>(i)] = {before, std::min(before + 1, n_cells - 1),
                                            position - static_cast<double>(before)};
  }
  return samples;
}

// The label with the largest summed weight of four cells; on ties (1e-9) that of the nearest cell.
inline std::int32_t heaviest_label(const std::int32_t (&label)[4], double wx, double wy) {
  const double weight[4] = {(1 - wx) * (1 - wy), wx * (1 - wy), (1 - wx) * wy, wx * wy};
  const auto sum_of = [&](std::int32_t wanted) {
    double sum = 0.0;
    for (int i = 0; i < 4; ++i) sum += label[i] == wanted ? weight[i] : 0.0;
    return sum;
  };
  std::int32_t best = label[(wy >= 0.5 ? 2 : 0) + (wx >= 0.5 ? 1 : 0)];
  double best_sum = sum_of(best) + 1e-9;
  for (const std::int32_t candidate : label) {
    const double sum = sum_of(candidate);
    if (sum > best_sum) {
      best = candidate;
      best_sum = sum;
    }
  }
  return best;
}

}  // namespace detail

// The centre of output pixel (y, x) lies at ((y + 0.5) * scale, (x + 0.5) * scale) cells from the
// upper left corner of the label map. Beyond the map its outermost cells continue.
inline void upsample_labels(const std::int32_t* labels, GridSize cells, GridSize out_size,
                            double scale, std::int32_t* out) {
  const auto rows = detail::sample_axis(out_size.height, cells.height, scale);
  const auto columns = detail::sample_axis(out_size.width, cells.width, scale);
  std::vector<std::size_t> runs{0};  // columns with the same two cells
  for (std::size_t x = 1; x < columns.size(); ++x) {
    if (columns[x].before != columns[x - 1].before) runs.push_back(x);
  }
  runs.push_back(columns.size());

  for (const detail::AxisSample& row : rows) {
    const std::int32_t* const above = labels + row.before * cells.width;
    const std::int32_t* const below = labels + row.after * cells.width;
    for (std::size_t run = 0; run + 1 < runs.size(); ++run) {
      const detail::AxisSample& column = columns[runs[run]];
      const std::int32_t corners[4] = {above[column.before], above[column.after],
                                       below[column.before], below[column.after]};
      if (corners[0] == corners[1] && corners[0] == corners[2] && corners[0] == corners[3]) {
        std::fill(out + runs[run], out + runs[run + 1], corners[0]);
        continue;
      }
      for (std::size_t x = runs[run]; x < runs[run + 1]; ++x) {
        out[x] = detail::heaviest_label(corners, columns[x].after_weight, row.after_weight);
      }
    }
    out += out_size.width;
  }
}

}  // namespace ssap

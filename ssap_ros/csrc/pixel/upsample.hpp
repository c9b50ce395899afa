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

// A coarse label map at the resolution of the image.
//
// Labels cannot be averaged, so each of them is interpolated bilinearly as a mask of its own, and
// every output pixel takes the label whose mask is largest there: the largest sum of bilinear
// weights among the four nearest cells. This gives smooth outlines from the label map alone.
//
// Output pixels between the same two cell rows and columns form a block. Where its four cells
// agree, which is almost everywhere, nothing needs to be interpolated, and neighbouring blocks of
// one label are taken together.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "pixel/grid.hpp"
#include "pixel/label_runs.hpp"

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

// Output columns up to `end`, all between the same two columns of cells.
struct ColumnGap {
  std::ptrdiff_t before;
  std::ptrdiff_t after;
  std::size_t end;
};

inline std::vector<ColumnGap> column_gaps(const std::vector<AxisSample>& columns) {
  std::vector<ColumnGap> gaps;
  for (std::size_t x = 0; x < columns.size(); ++x) {
    if (gaps.empty() || gaps.back().before != columns[x].before) {
      gaps.push_back({columns[x].before, columns[x].after, x});
    }
    gaps.back().end = x + 1;
  }
  return gaps;
}

// Output columns up to `end` with their four cells: above left, above right, below left and right.
struct Block {
  std::array<std::int32_t, 4> cells;
  std::size_t end;

  bool is_plain() const {
    return (cells[0] == cells[1]) & (cells[0] == cells[2]) & (cells[0] == cells[3]);
  }
};

// The blocks between two rows of cells.
inline void cut_blocks(const std::int32_t* above, const std::int32_t* below,
                       const std::vector<ColumnGap>& gaps, std::vector<Block>& blocks) {
  blocks.clear();
  bool follows_plain = false;
  for (const ColumnGap& gap : gaps) {
    const Block block{{above[gap.before], above[gap.after], below[gap.before], below[gap.after]},
                      gap.end};
    const bool is_plain = block.is_plain();
    if (is_plain && follows_plain && blocks.back().cells[0] == block.cells[0]) {
      blocks.back().end = gap.end;
    } else {
      blocks.push_back(block);
    }
    follows_plain = is_plain;
  }
}

// The labels of one row of a block: in each pixel the one with the largest summed weight of the
// four cells; on ties (1e-9) that of the nearest cell.
inline void interpolate(const Block& block, double wy, const AxisSample* columns, std::size_t x,
                        LabelRuns& runs) {
  // The weight that the label of cell i has in the left and in the right column of cells.
  std::array<double, 4> left;
  std::array<double, 4> right;
  for (std::size_t i = 0; i < 4; ++i) {
    const auto share = [&](std::size_t cell, double weight) {
      return block.cells[cell] == block.cells[i] ? weight : 0.0;
    };
    left[i] = share(0, 1 - wy) + share(2, wy);
    right[i] = share(1, 1 - wy) + share(3, wy);
  }
  for (; x < block.end; ++x) {
    const double wx = columns[x].after_weight;
    const auto weight = [&](std::size_t i) { return (1 - wx) * left[i] + wx * right[i]; };
    std::size_t best = (wy >= 0.5 ? 2U : 0U) + (wx >= 0.5 ? 1U : 0U);
    double best_weight = weight(best) + 1e-9;
    for (std::size_t i = 0; i < 4; ++i) {
      if (weight(i) > best_weight) {
        best = i;
        best_weight = weight(i);
      }
    }
    runs.extend(block.cells[best], static_cast<std::ptrdiff_t>(x) + 1);
  }
}

}  // namespace detail

// The centre of output pixel (y, x) lies at ((y + 0.5) * scale, (x + 0.5) * scale) cells from the
// upper left corner of the label map. Beyond the map its outermost cells continue.
inline LabelRuns upsample_labels(const std::int32_t* labels, GridSize cells, GridSize size,
                                 double scale) {
  const auto rows = detail::sample_axis(size.height, cells.height, scale);
  const auto columns = detail::sample_axis(size.width, cells.width, scale);
  const auto gaps = detail::column_gaps(columns);
  LabelRuns runs(size);
  std::vector<detail::Block> blocks;
  std::ptrdiff_t before = -1;
  for (const detail::AxisSample& row : rows) {
    if (row.before != before) {
      before = row.before;
      detail::cut_blocks(labels + row.before * cells.width, labels + row.after * cells.width, gaps,
                         blocks);
    }
    std::size_t begin = 0;
    for (const detail::Block& block : blocks) {
      if (block.is_plain()) {
        runs.extend(block.cells[0], static_cast<std::ptrdiff_t>(block.end));
      } else {
        detail::interpolate(block, row.after_weight, columns.data(), begin, runs);
      }
      begin = block.end;
    }
  }
  return runs;
}

// The same, painted: out has the given size.
inline void upsample_labels(const std::int32_t* labels, GridSize cells, GridSize size, double scale,
                            std::int32_t* out) {
  upsample_labels(labels, cells, size, scale).paint([](std::int32_t label) { return label; }, out);
}

}  // namespace ssap

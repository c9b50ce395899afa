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

// A label image, kept as horizontal runs of one label, of which there are far fewer than pixels.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "pixel/grid.hpp"

namespace ssap {

// The pixels of one label. Right and bottom are the first column and row beyond them.
struct LabelExtent {
  std::int64_t area = 0;
  std::int64_t left = INT64_MAX;
  std::int64_t top = INT64_MAX;
  std::int64_t right = 0;
  std::int64_t bottom = 0;
};

[[noreturn, gnu::cold, gnu::noinline]] inline void refuse_label(std::int32_t label) {
  throw std::invalid_argument("label " + std::to_string(label) + " is beyond the table");
}

class LabelRuns {
 public:
  explicit LabelRuns(GridSize size) : size_(size) {}

  GridSize size() const { return size_; }

  // The next pixels of the row, up to column `end`, have this label. Rows come one after the other;
  // the one that reaches the last column is complete.
  void extend(std::int32_t label, std::ptrdiff_t end) {
    const bool in_row = !runs_.empty() && runs_.back().end < size_.width;
    if (in_row && runs_.back().label == label) {
      runs_.back().end = end;
    } else {
      runs_.push_back({label, end});
    }
  }

  // One entry per label from 0 to n_labels - 1; those that do not occur keep an area of 0.
  std::vector<LabelExtent> extents(std::size_t n_labels) const {
    std::vector<LabelExtent> extents(n_labels);
    for_each([&](std::int32_t label, std::ptrdiff_t y, std::ptrdiff_t begin, std::ptrdiff_t end) {
      const auto index = static_cast<std::size_t>(label);  // huge for a negative label
      if (index >= n_labels) refuse_label(label);
      LabelExtent& extent = extents[index];
      extent.area += end - begin;
      extent.left = std::min<std::int64_t>(extent.left, begin);
      extent.right = std::max<std::int64_t>(extent.right, end);
      extent.top = std::min<std::int64_t>(extent.top, y);
      extent.bottom = y + 1;
    });
    return extents;
  }

  // out: the image, in which value_of(label) stands for a label.
  template <typename Value, typename ValueOf>
  void paint(const ValueOf& value_of, Value* out) const {
    for_each([&](std::int32_t label, std::ptrdiff_t y, std::ptrdiff_t begin, std::ptrdiff_t end) {
      Value* const row = out + y * size_.width;
      std::fill(row + begin, row + end, value_of(label));
    });
  }

 private:
  struct Run {
    std::int32_t label;
    std::ptrdiff_t end;
  };

  // Calls visit(label, y, begin, end) for every run.
  template <typename Visit>
  void for_each(const Visit& visit) const {
    std::ptrdiff_t y = 0;
    std::ptrdiff_t begin = 0;
    for (const Run& run : runs_) {
      visit(run.label, y, begin, run.end);
      begin = run.end;
      if (begin == size_.width) {
        begin = 0;
        ++y;
      }
    }
  }

  GridSize size_;
  std::vector<Run> runs_;
};

}  // namespace ssap

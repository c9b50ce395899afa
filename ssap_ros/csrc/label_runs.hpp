// Areas and bounding boxes of all labels of a label image, and the image under other labels.
//
// Both walk the rows in horizontal runs of one label, of which there are far fewer than pixels.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "grid.hpp"

namespace ssap {

// The pixels of one label. Right and bottom are the first column and row beyond them.
struct LabelExtent {
  std::int64_t area = 0;
  std::int64_t left = INT64_MAX;
  std::int64_t top = INT64_MAX;
  std::int64_t right = 0;
  std::int64_t bottom = 0;
};

namespace detail {

// Calls visit(label, y, begin, end) for every run of the image.
template <typename Visit>
void for_each_run(const std::int32_t* labels, GridSize size, const Visit& visit) {
  for (std::ptrdiff_t y = 0; y < size.height; ++y, labels += size.width) {
    for (std::ptrdiff_t begin = 0; begin < size.width;) {
      const std::int32_t label = labels[begin];
      std::ptrdiff_t end = begin + 1;
      while (end < size.width && labels[end] == label) ++end;
      visit(label, y, begin, end);
      begin = end;
    }
  }
}

}  // namespace detail

// One entry per label from 0 to n_labels - 1; those that do not occur keep an area of 0.
inline std::vector<LabelExtent> label_extents(const std::int32_t* labels, GridSize size,
                                              std::size_t n_labels) {
  std::vector<LabelExtent> extents(n_labels);
  detail::for_each_run(labels, size, [&](std::int32_t label, auto y, auto begin, auto end) {
    LabelExtent& extent = extents[static_cast<std::size_t>(label)];
    extent.area += end - begin;
    extent.left = std::min<std::int64_t>(extent.left, begin);
    extent.right = std::max<std::int64_t>(extent.right, end);
    extent.top = std::min<std::int64_t>(extent.top, y);
    extent.bottom = y + 1;
  });
  return extents;
}

// out: label k becomes new_label[k].
inline void relabel(const std::int32_t* labels, GridSize size, const std::uint16_t* new_label,
                    std::uint16_t* out) {
  detail::for_each_run(labels, size, [&](std::int32_t label, auto y, auto begin, auto end) {
    std::uint16_t* const row = out + y * size.width;
    std::fill(row + begin, row + end, new_label[label]);
  });
}

}  // namespace ssap

// Pixels, their neighbours, and the nodes that they belong to.
//
// A pixel is joined to its neighbours in the 5x5 window around it. Of every two opposite
// displacements only the forward one is stored: costs are a (12, height, width) array whose entry
// (k, y, x) belongs to the pair (y, x), (y + dy, x + dx) with (dy, dx) = kOffsets[k].
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "buffer.hpp"

namespace ssap {

struct Offset {
  int dy;
  int dx;
};

inline constexpr std::size_t kNumOffsets = 12;
inline constexpr std::array<Offset, kNumOffsets> kOffsets{{{0, 1},
                                                           {0, 2},
                                                           {1, -2},
                                                           {1, -1},
                                                           {1, 0},
                                                           {1, 1},
                                                           {1, 2},
                                                           {2, -2},
                                                           {2, -1},
                                                           {2, 0},
                                                           {2, 1},
                                                           {2, 2}}};
inline constexpr std::ptrdiff_t kReach = 2;

struct GridSize {
  std::ptrdiff_t height;
  std::ptrdiff_t width;

  std::size_t area() const { return static_cast<std::size_t>(height * width); }
};

// The node of each pixel. Padded so that stepping out of the image by any offset arrives at a cell
// without a node, and inner loops need no bounds checks: two cells after each row also serve as the
// two cells before the next one.
class NodeMap {
 public:
  static constexpr std::int32_t kNone = -1;

  void start(GridSize size) {
    stride_ = size.width + kReach;
    const auto n = static_cast<std::size_t>((size.height + 2 * kReach) * stride_ + kReach);
    nodes_.fill(n, kNone);
  }

  std::int32_t* row(std::ptrdiff_t y) { return nodes_.data() + (y + kReach) * stride_ + kReach; }
  std::ptrdiff_t stride() const { return stride_; }
  std::size_t bytes() const { return nodes_.bytes(); }

 private:
  std::ptrdiff_t stride_ = 0;
  Buffer<std::int32_t> nodes_;
};

}  // namespace ssap

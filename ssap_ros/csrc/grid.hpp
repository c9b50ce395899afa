// Pixels, their neighbours, and the nodes that they belong to.
//
// A pixel is joined to its neighbours in the 5x5 window around it. Of every two opposite
// displacements only the forward one is stored: costs are a (12, height, width) array whose entry
// (k, y, x) belongs to the pair (y, x), (y + dy, x + dx) with (dy, dx) = kOffsets[k].
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

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

// The node of each pixel, and a group: 0 = no node; only pixels of one group are neighbours. Padded
// so that stepping out of the image by any offset arrives at a cell of group 0, and inner loops
// need no bounds checks: two cells after each row also serve as the two cells before the next one.
class NodeMap {
 public:
  void start(GridSize size) {
    stride_ = size.width + kReach;
    const auto n = static_cast<std::size_t>((size.height + 2 * kReach) * stride_ + kReach);
    groups_.fill(n, 0);
    if (n > nodes_.capacity()) nodes_.fill(n, 0);  // elsewhere it has nodes that are not looked at
  }

  std::uint8_t* groups(std::ptrdiff_t y) {
    return groups_.data() + (y + kReach) * stride_ + kReach;
  }
  std::uint32_t* nodes(std::ptrdiff_t y) { return nodes_.data() + (y + kReach) * stride_ + kReach; }
  std::ptrdiff_t stride() const { return stride_; }
  std::size_t bytes() const { return nodes_.bytes() + groups_.bytes(); }

 private:
  std::ptrdiff_t stride_ = 0;
  Buffer<std::uint8_t> groups_;
  Buffer<std::uint32_t> nodes_;
};

// Calls visit(first, last + 1) for every run of cells that are not 0.
template <typename Visit>
void for_each_run(const std::uint8_t* cells, std::ptrdiff_t n, Visit&& visit) {
  constexpr std::ptrdiff_t kWord = sizeof(std::uint64_t);
  for (std::ptrdiff_t x = 0; x < n;) {
    std::uint64_t word = 0;
    if (x + kWord <= n) std::memcpy(&word, cells + x, kWord);
    if (x + kWord <= n && word == 0) {
      x += kWord;
    } else if (cells[x] == 0) {
      ++x;
    } else {
      const std::ptrdiff_t first = x;
      while (x < n && cells[x] != 0) ++x;
      visit(first, x);
    }
  }
}

}  // namespace ssap

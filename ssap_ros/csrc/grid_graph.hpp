// The graph over the pixels of an image, and over groups of pixels.
//
// A pixel is joined to its neighbours in the 5x5 window around it. Of every two opposite
// displacements only the forward one is stored: the costs are a (12, height, width) array whose
// entry (k, y, x) belongs to the pair (y, x), (y + dy, x + dx) with (dy, dx) = kOffsets[k].
//
// Several pixels may share one node. A NodeMap tells the node of each pixel; it is padded so that
// stepping out of the image by any offset arrives at a cell without a node, and the inner loop
// needs no bounds checks: two cells after each row also serve as the two cells before the next one.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "contraction_graph.hpp"

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

struct GridSize {
  std::ptrdiff_t height;
  std::ptrdiff_t width;

  std::size_t area() const { return static_cast<std::size_t>(height * width); }
};

class NodeMap {
 public:
  static constexpr std::int32_t kNone = -1;

  explicit NodeMap(GridSize size)
      : stride_(size.width + kPad),
        nodes_(static_cast<std::size_t>((size.height + kPad) * stride_ + kPad), kNone) {}

  std::int32_t* row(std::ptrdiff_t y) { return nodes_.data() + y * stride_; }
  const std::int32_t* row(std::ptrdiff_t y) const { return nodes_.data() + y * stride_; }
  std::ptrdiff_t stride() const { return stride_; }

 private:
  static constexpr std::ptrdiff_t kPad = 2;
  std::ptrdiff_t stride_;
  std::vector<std::int32_t> nodes_;
};

// Joins the nodes of `map` with the summed costs of all pixel pairs between them. `proposal` flags
// the nodes that several pixels may share. With `groups` (one value per pixel) only pairs of equal
// group are joined; nullptr joins all.
inline ContractionGraph grid_graph(GridSize size, const float* costs, const NodeMap& map,
                                   const std::vector<char>& proposal, const std::uint8_t* groups) {
  ContractionGraph graph(proposal.size(), kNumOffsets * proposal.size());
  std::array<std::ptrdiff_t, kNumOffsets> map_step{};
  std::array<std::ptrdiff_t, kNumOffsets> pixel_step{};
  for (std::size_t k = 0; k < kNumOffsets; ++k) {
    map_step[k] = kOffsets[k].dy * map.stride() + kOffsets[k].dx;
    pixel_step[k] = kOffsets[k].dy * size.width + kOffsets[k].dx;
  }
  for (std::ptrdiff_t y = 0; y < size.height; ++y) {
    const std::int32_t* const row = map.row(y);
    for (std::ptrdiff_t x = 0; x < size.width; ++x) {
      const std::int32_t u = row[x];
      if (u == NodeMap::kNone) continue;
      const std::ptrdiff_t pixel = y * size.width + x;
      for (std::size_t k = 0; k < kNumOffsets; ++k) {
        const std::int32_t v = row[x + map_step[k]];
        if (v == u || v == NodeMap::kNone) continue;
        if (groups && groups[pixel] != groups[pixel + pixel_step[k]]) continue;
        const auto a = static_cast<ContractionGraph::Node>(u);
        const auto b = static_cast<ContractionGraph::Node>(v);
        const float cost = costs[k * size.area() + static_cast<std::size_t>(pixel)];
        if (proposal[a] || proposal[b]) {
          graph.add(a, b, cost);
        } else {
          graph.add_new(a, b, cost);
        }
      }
    }
  }
  return graph;
}

}  // namespace ssap

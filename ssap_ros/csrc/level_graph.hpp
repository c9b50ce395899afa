// The graph of one cascade level, built in one sweep over the image rows.
//
// A proposal, an inner region of a coarser segment, is one node; every other pixel of a thing is a
// leaf. Edge costs are computed row by row, and only in blocks of columns near a leaf: pairs within
// a proposal are never looked at. Three rows of costs are alive at a time, which is as far as the
// window reaches back. The inner regions of two segments are farther apart than the window, unless
// the margin is 0, so a proposal's neighbours are leaves; each leaf adds up the costs of all its
// pairs with the one or few proposals that it sees.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "buffer.hpp"
#include "edge_costs.hpp"
#include "grid.hpp"
#include "stopwatch.hpp"

namespace ssap {

// Costs of a level coarser than the one that is partitioned, which enter as long-range edges: cell
// (Y, X) stands for the pixel at its centre.
struct LongRange {
  GridSize size;
  std::ptrdiff_t step;  // pixels per cell
  const float* costs;   // (12, height, width)

  // The pixel row (column) at the centre of a cell.
  static std::ptrdiff_t centre(std::ptrdiff_t cell, std::ptrdiff_t step, std::ptrdiff_t n_pixels) {
    return std::min(cell * step + step / 2, n_pixels - 1);
  }
};

struct CascadeLevel {
  Affinities affinities;
  const std::uint8_t* classes = nullptr;  // (height, width), 0 = not a thing
  const LongRange* long_range = nullptr;  // only for a level without proposals
  std::size_t n_long_range = 0;
};

// Labels of the next coarser level, 1 .. n_labels or 0 = none, of cells of 2x2 pixels.
struct Proposals {
  const std::int32_t* labels = nullptr;  // nullptr: there is no coarser level
  const std::uint8_t* classes = nullptr;
  std::ptrdiff_t width = 0;
  std::size_t n_labels = 0;
  bool may_touch = false;  // two of them may be closer than the window reaches
};

class LevelGraph {
 public:
  using Node = std::uint32_t;

  // Fills `graph`. With `joint`, pixels of different classes are neighbours too. False as soon as
  // `stop` is true.
  template <typename Graph, typename Stop>
  bool build(const CascadeLevel& level, const Proposals& proposals, bool joint,
             const RowKernels& kernels, Graph& graph, double& costs_ms, Stop&& stop) {
    level_ = level;
    proposals_may_touch_ = proposals.may_touch;
    size_ = level.affinities.size;
    n_proposals_ = proposals.n_labels;
    number_nodes(proposals);
    if (proposals.may_touch) mark_touching_proposals();
    graph.start(n_nodes_);
    for (std::size_t node = 0; node < n_proposals_; ++node) graph.mark_proposal(Node(node));
    for (std::size_t node = n_proposals_; node < n_nodes_; ++node) graph.mark_leaf(Node(node));
    rows_.start(level.affinities, kernels);
    ring_.room(kRing * kNumOffsets * ring_stride());
    for (std::ptrdiff_t y = 0; y < size_.height; ++y) {
      if (stop()) return false;
      const Stopwatch watch;
      compute_costs(y);
      costs_ms += watch.ms();
      joint ? add_row<false>(y, graph) : add_row<true>(y, graph);
    }
    return true;
  }

  // Labels 1 .. N in raster order of the clusters' first pixels, 0 = no node; returns N.
  template <typename Graph>
  std::size_t label(Graph& graph, std::int32_t* labels) {
    label_of_.fill(n_nodes_, 0);
    std::int32_t n_labels = 0;
    for (std::ptrdiff_t y = 0; y < size_.height; ++y) {
      const std::int32_t* const nodes = map_.row(y);
      for (std::ptrdiff_t x = 0; x < size_.width; ++x) {
        std::int32_t label = 0;
        if (nodes[x] != NodeMap::kNone) {
          std::int32_t& known = label_of_[graph.find(Node(nodes[x]))];
          if (known == 0) known = ++n_labels;
          label = known;
        }
        *labels++ = label;
      }
    }
    return static_cast<std::size_t>(n_labels);
  }

  bool is_finite() const { return rows_.is_finite(); }
  std::size_t n_nodes() const { return n_nodes_; }
  std::size_t bytes() const {
    return map_.bytes() + near_leaf_.bytes() + ring_.bytes() + label_of_.bytes() + rows_.bytes();
  }

 private:
  static constexpr std::ptrdiff_t kBlock = 16;  // columns
  static constexpr std::ptrdiff_t kRing = kReach + 1;

  // Nodes 0 .. n_proposals - 1 are the proposals, the leaves follow in raster order.
  void number_nodes(const Proposals& proposals) {
    map_.start(size_);
    n_blocks_ = (size_.width + kReach) / kBlock + 1;
    const auto n_marks = static_cast<std::size_t>((size_.height + 2 * kReach) * n_blocks_);
    near_leaf_.fill(n_marks, 0);
    auto next = static_cast<std::int32_t>(n_proposals_);
    for (std::ptrdiff_t y = 0; y < size_.height; ++y) {
      std::int32_t* const nodes = map_.row(y);
      const std::uint8_t* const classes = level_.classes + y * size_.width;
      const std::ptrdiff_t parents = y / 2 * proposals.width;
      for (std::ptrdiff_t x = 0; x < size_.width; ++x) {
        if (classes[x] == 0) continue;
        if (proposals.labels) {
          const std::ptrdiff_t parent = parents + x / 2;
          if (proposals.labels[parent] != 0 && proposals.classes[parent] == classes[x]) {
            nodes[x] = proposals.labels[parent] - 1;
            continue;
          }
        }
        nodes[x] = next++;
        mark(y, x);
      }
    }
    n_nodes_ = static_cast<std::size_t>(next);
  }

  void mark_touching_proposals() {
    for (std::ptrdiff_t y = 0; y < size_.height; ++y) {
      const std::int32_t* const nodes = map_.row(y);
      for (std::ptrdiff_t x = 0; x < size_.width; ++x) {
        if (nodes[x] == NodeMap::kNone) continue;
        for (const auto [dy, dx] : kOffsets) {
          const std::int32_t other = nodes[x + dy * map_.stride() + dx];
          if (other != NodeMap::kNone && other != nodes[x]) mark(y, x);
        }
      }
    }
  }

  // Costs are wanted where a pixel or its forward neighbour is marked.
  void mark(std::ptrdiff_t y, std::ptrdiff_t x) {
    std::uint8_t* const blocks = marks(y);
    blocks[std::max<std::ptrdiff_t>(x - kReach, 0) / kBlock] = 1;
    blocks[(x + kReach) / kBlock] = 1;
  }
  std::uint8_t* marks(std::ptrdiff_t y) { return near_leaf_.data() + (y + kReach) * n_blocks_; }

  // Calls visit(first column, last column + 1) for every run of blocks marked in rows y0 .. y1.
  template <typename Visit>
  void for_each_run(std::ptrdiff_t y0, std::ptrdiff_t y1, Visit&& visit) {
    const auto is_marked = [&](std::ptrdiff_t block) {
      std::uint8_t any = 0;
      for (std::ptrdiff_t y = y0; y <= y1; ++y) any |= marks(y)[block];
      return any != 0;
    };
    for (std::ptrdiff_t block = 0; block < n_blocks_; ++block) {
      if (!is_marked(block)) continue;
      const std::ptrdiff_t first = block;
      while (block < n_blocks_ && is_marked(block)) ++block;
      visit(first * kBlock, std::min(block * kBlock, size_.width));
    }
  }

  void compute_costs(std::ptrdiff_t y) {
    if (level_.affinities.scores) {
      for (std::ptrdiff_t row = y == 0 ? 0 : y + kReach; row <= y + kReach; ++row) {
        if (row >= size_.height) break;
        const std::ptrdiff_t last_row = std::min(row + kReach, size_.height + kReach - 1);
        for_each_run(row - kReach, last_row, [&](std::ptrdiff_t first, std::ptrdiff_t last) {
          rows_.entropies(row, std::max<std::ptrdiff_t>(first - kReach, 0),
                          std::min(last + kReach, size_.width));
        });
      }
    }
    for_each_run(y, y + kReach, [&](std::ptrdiff_t first, std::ptrdiff_t last) {
      for (std::size_t k = 0; k < kNumOffsets; ++k) rows_.compute(k, y, first, last, costs(k, y));
    });
  }

  std::size_t ring_stride() const { return static_cast<std::size_t>(size_.width); }
  float* costs(std::size_t k, std::ptrdiff_t y) {
    return ring_.data() +
           (static_cast<std::size_t>((y + kRing) % kRing) * kNumOffsets + k) * ring_stride();
  }

  template <bool kClassWise, typename Graph>
  void add_row(std::ptrdiff_t y, Graph& graph) {
    const std::int32_t* const nodes = map_.row(y);
    const std::uint8_t* const classes = level_.classes + y * size_.width;
    std::array<const float*, kNumOffsets> ahead{};   // costs towards the neighbours
    std::array<const float*, kNumOffsets> behind{};  // and of those for which we are a neighbour
    std::array<std::ptrdiff_t, kNumOffsets> map_step{};
    std::array<std::ptrdiff_t, kNumOffsets> step{};
    for (std::size_t k = 0; k < kNumOffsets; ++k) {
      const auto [dy, dx] = kOffsets[k];
      ahead[k] = costs(k, y);
      behind[k] = costs(k, y - dy) - dx;
      map_step[k] = dy * map_.stride() + dx;
      step[k] = dy * size_.width + dx;
    }
    for (std::ptrdiff_t x = 0; x < size_.width; ++x) {
      const std::int32_t node = nodes[x];
      if (node < static_cast<std::int32_t>(n_proposals_)) {
        if (node == NodeMap::kNone || !proposals_may_touch_) continue;
        for (std::size_t k = 0; k < kNumOffsets; ++k) {
          const std::int32_t other = nodes[x + map_step[k]];
          if (other == NodeMap::kNone || other == node || !is_proposal(other)) continue;
          if (kClassWise && classes[x + step[k]] != classes[x]) continue;
          graph.connect(Node(node), Node(other), Graph::weight(ahead[k][x]));
        }
        continue;
      }
      const auto leaf = Node(node);
      graph.open_row(leaf);
      const auto add = [&](std::int32_t other, std::ptrdiff_t pixel_step, const float* cost) {
        if (other == NodeMap::kNone) return;
        if (kClassWise && classes[x + pixel_step] != classes[x]) return;
        if (is_proposal(other)) {
          graph.join(leaf, Node(other), Graph::weight(cost[x]));
        } else {
          graph.add(Node(other), Graph::weight(cost[x]));
        }
      };
      for (std::size_t k = 0; k < kNumOffsets; ++k) {
        add(nodes[x + map_step[k]], step[k], ahead[k]);
        add(nodes[x - map_step[k]], -step[k], behind[k]);
      }
      for (std::size_t i = 0; i < level_.n_long_range; ++i) {
        add_long_range<kClassWise>(y, x, level_.long_range[i], graph);
      }
      graph.close_row(leaf);
    }
  }

  template <bool kClassWise, typename Graph>
  void add_long_range(std::ptrdiff_t y, std::ptrdiff_t x, const LongRange& coarse, Graph& graph) {
    const std::ptrdiff_t cell_y = y / coarse.step;
    const std::ptrdiff_t cell_x = x / coarse.step;
    const auto row = [&](std::ptrdiff_t cell) {
      return LongRange::centre(cell, coarse.step, size_.height);
    };
    const auto column = [&](std::ptrdiff_t cell) {
      return LongRange::centre(cell, coarse.step, size_.width);
    };
    if (row(cell_y) != y || column(cell_x) != x) return;
    const auto add = [&](std::ptrdiff_t other_y, std::ptrdiff_t other_x, std::size_t k,
                         std::ptrdiff_t cost_y, std::ptrdiff_t cost_x) {
      if (other_y < 0 || other_y >= coarse.size.height) return;
      if (other_x < 0 || other_x >= coarse.size.width) return;
      const std::int32_t other = map_.row(row(other_y))[column(other_x)];
      if (other == NodeMap::kNone) return;
      const auto class_of = [&](std::ptrdiff_t i, std::ptrdiff_t j) {
        return level_.classes[i * size_.width + j];
      };
      if (kClassWise && class_of(row(other_y), column(other_x)) != class_of(y, x)) return;
      const float cost = coarse.costs[k * coarse.size.area() + cost_y * coarse.size.width + cost_x];
      graph.join(Node(map_.row(y)[x]), Node(other), Graph::weight(cost));
    };
    for (std::size_t k = 0; k < kNumOffsets; ++k) {
      const auto [dy, dx] = kOffsets[k];
      add(cell_y + dy, cell_x + dx, k, cell_y, cell_x);
      add(cell_y - dy, cell_x - dx, k, cell_y - dy, cell_x - dx);
    }
  }

  bool is_proposal(std::int32_t node) const {
    return node < static_cast<std::int32_t>(n_proposals_);
  }

  CascadeLevel level_{};
  GridSize size_{};
  bool proposals_may_touch_ = false;
  std::size_t n_proposals_ = 0;
  std::size_t n_nodes_ = 0;
  std::ptrdiff_t n_blocks_ = 0;
  NodeMap map_;
  Buffer<std::uint8_t> near_leaf_;  // per row and block of columns
  CostRows rows_;
  Buffer<float> ring_;
  Buffer<std::int32_t> label_of_;
};

}  // namespace ssap

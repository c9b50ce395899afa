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

// The graph of one cascade level, built in one sweep over the image.
//
// A proposal, an inner region of a coarser segment, is one node; every other pixel of a thing class
// is a leaf. Only the leaves' edges are read and their costs computed, in batches: pairs within a
// proposal never are. An edge between two leaves is computed from either end, which costs less than
// to look it up. A few pixels of a proposal are within reach of another proposal: their edges are
// summed up at once.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "cascade/inner_regions.hpp"
#include "cascade/leaf_rows.hpp"
#include "cascade/node_map.hpp"
#include "pixel/edge_costs.hpp"
#include "pixel/grid.hpp"
#include "util/buffer.hpp"
#include "util/stopwatch.hpp"

namespace ssap {

// Costs of a level coarser than the one that is partitioned, which enter as long-range edges: cell
// (Y, X) stands for the pixel at its centre.
struct LongRange {
  GridSize size;
  std::ptrdiff_t step;  // pixels per cell
  const float* costs;   // (12, height, width)

  // The pixel row (column) at the centre of a cell, in an image of `n_pixels` rows (columns).
  std::ptrdiff_t centre(std::ptrdiff_t cell, std::ptrdiff_t n_pixels) const {
    return std::min(cell * step + step / 2, n_pixels - 1);
  }
};

struct CascadeLevel {
  Affinities affinities;
  const std::uint8_t* classes = nullptr;  // (height, width), 0 = not a thing class
  const LongRange* long_range = nullptr;  // only for a level without proposals
  std::size_t n_long_range = 0;
};

// The segments of the next coarser level, whose cells are 2x2 pixels.
struct Proposals {
  const InnerRegions* regions = nullptr;  // nullptr: there is no coarser level
  const std::uint8_t* classes = nullptr;
  std::ptrdiff_t width = 0;
  std::size_t n_labels = 0;
};

class LevelGraph {
 public:
  using Node = std::uint32_t;

  // Gives `graph` its nodes; the proposal of segment k is node k - 1. With `joint`, pixels of
  // different classes are neighbours too.
  template <typename Graph>
  void start(const CascadeLevel& level, const Proposals& proposals, bool joint,
             const RowKernels& kernels, Graph& graph) {
    level_ = level;
    size_ = level.affinities.size;
    n_proposals_ = proposals.n_labels;
    costs_ms_ = 0.0;
    costs_.start(level.affinities, kernels);
    map_.start(size_);
    for (std::ptrdiff_t y = 0; y < size_.height; ++y) group_row(y, joint);
    number_nodes(proposals);
    graph.start(n_nodes_, max_edges());
    for (std::size_t node = 0; node < n_proposals_; ++node) graph.mark_proposal(Node(node));
    for (std::size_t node = n_proposals_; node < n_nodes_; ++node) graph.mark_leaf(Node(node));
  }

  // Adds the edges between its pixels, row by row. False as soon as `stop` is true.
  template <typename Graph, typename Stop>
  bool add_edges(Graph& graph, Stop&& stop) {
    LeafRows<Graph> rows(graph, costs_, Node(n_proposals_), costs_ms_);
    const Steps steps = map_steps();
    const std::ptrdiff_t* leaf = leaf_pixels_.begin();
    const std::ptrdiff_t* near = near_pixels_.begin();
    for (std::ptrdiff_t y = 0; y < size_.height; ++y) {
      if (stop()) return false;
      const std::ptrdiff_t row = y * size_.width;
      const std::ptrdiff_t row_end = row + size_.width;
      if (level_.affinities.scores) {
        rows.open();  // before the distributions that it needs are overwritten
        load_scores(y);
      }
      for (; leaf != leaf_pixels_.end() && *leaf < row_end; ++leaf) {
        add_leaf(y, *leaf - row, steps, rows, graph);
      }
      if (near == near_pixels_.end() || *near >= row_end) continue;
      rows.open();
      for (; near != near_pixels_.end() && *near < row_end; ++near) {
        connect_proposals(y, *near - row, steps, graph);
      }
    }
    rows.open();
    return true;
  }

  // Labels 1 .. N in raster order of the clusters' first pixels, 0 = no node; returns N.
  template <typename Graph>
  std::size_t label(Graph& graph, std::int32_t* labels) {
    label_of_.fill(n_nodes_, 0);
    std::fill(labels, labels + size_.area(), 0);
    std::int32_t n_labels = 0;
    for (std::ptrdiff_t y = 0; y < size_.height; ++y, labels += size_.width) {
      const Node* const nodes = map_.nodes(y);
      for_each_run(map_.groups(y), size_.width, [&](std::ptrdiff_t first, std::ptrdiff_t last) {
        for (std::ptrdiff_t x = first; x < last; ++x) {
          if (x > first && nodes[x] == nodes[x - 1]) {
            labels[x] = labels[x - 1];
            continue;
          }
          std::int32_t& known = label_of_[graph.find(nodes[x])];
          if (known == 0) known = ++n_labels;
          labels[x] = known;
        }
      });
    }
    return static_cast<std::size_t>(n_labels);
  }

  // The label of a cluster, 0 if it has no pixel.
  std::int32_t label_of(Node cluster) const { return label_of_[cluster]; }

  double costs_ms() const { return costs_ms_; }
  bool is_valid() const { return costs_.is_valid(); }
  std::size_t n_nodes() const { return n_nodes_; }
  std::size_t bytes() const {
    return map_.bytes() + leaf_pixels_.bytes() + near_pixels_.bytes() + label_of_.bytes() +
           costs_.bytes();
  }

 private:
  // From a cell of the node map to its neighbours.
  using Steps = std::array<std::ptrdiff_t, kDirections>;

  void group_row(std::ptrdiff_t y, bool joint) {
    const std::uint8_t* const classes = level_.classes + y * size_.width;
    std::uint8_t* const groups = map_.groups(y);
    for (std::ptrdiff_t x = 0; x < size_.width; ++x) {
      groups[x] = joint ? classes[x] != 0 : classes[x];
    }
  }

  // Nodes 0 .. n_proposals - 1 are the proposals, the leaves follow in raster order.
  void number_nodes(const Proposals& proposals) {
    leaf_pixels_.clear();
    near_pixels_.clear();
    for (std::ptrdiff_t y = 0; y < size_.height; ++y) {
      Node* const nodes = map_.nodes(y);
      const std::uint8_t* const classes = level_.classes + y * size_.width;
      const std::uint8_t* const parents = proposals.classes + y / 2 * proposals.width;
      for_each_run(classes, size_.width, [&](std::ptrdiff_t first, std::ptrdiff_t last) {
        for (std::ptrdiff_t x = first; x < last; ++x) {
          if (proposals.regions && parents[x / 2] == classes[x]) {
            bool is_near = false;
            if (const std::int32_t label = proposals.regions->label(y, x, is_near); label != 0) {
              nodes[x] = Node(label - 1);
              if (is_near) near_pixels_.push(y * size_.width + x);
              continue;
            }
          }
          nodes[x] = Node(n_proposals_ + leaf_pixels_.size());
          leaf_pixels_.push(y * size_.width + x);
        }
      });
    }
    n_nodes_ = n_proposals_ + leaf_pixels_.size();
  }

  // Capacity for the rows of all leaves.
  std::size_t max_edges() const {
    std::size_t n = leaf_pixels_.size();
    for (std::size_t i = 0; i < level_.n_long_range; ++i) {
      n += std::min(leaf_pixels_.size(), level_.long_range[i].size.area());
    }
    return n * kDirections;
  }

  // The row of a leaf: edges to all neighbours of its group.
  template <typename Graph>
  void add_leaf(std::ptrdiff_t y, std::ptrdiff_t x, const Steps& steps, LeafRows<Graph>& rows,
                Graph& graph) {
    const Node* const nodes = map_.nodes(y);
    const std::uint8_t* const groups = map_.groups(y);
    typename Graph::Edge* const row = rows.begin_row();
    std::array<std::uint8_t, kDirections> directions{};
    std::size_t n = 0;
    for (std::size_t direction = 0; direction < kDirections; ++direction) {
      const std::ptrdiff_t other = x + steps[direction];
      row[n].other = nodes[other];
      directions[n] = static_cast<std::uint8_t>(direction);
      n += groups[other] == groups[x];
    }
    rows.add(y * size_.width + x, directions.data(), n);
    for (std::size_t i = 0; i < level_.n_long_range; ++i) {
      if (is_centre(y, x, level_.long_range[i])) {
        add_long_range(y, x, level_.long_range[i], rows, graph);
      }
    }
    rows.end_row();
  }

  Steps map_steps() const {
    Steps steps{};
    for (std::size_t k = 0; k < kNumOffsets; ++k) {
      steps[2 * k] = kOffsets[k].dy * map_.stride() + kOffsets[k].dx;
      steps[2 * k + 1] = -steps[2 * k];
    }
    return steps;
  }

  // The class distributions that the leaves of row y need and those before did not.
  void load_scores(std::ptrdiff_t y) {
    const Stopwatch watch;
    const std::ptrdiff_t last_row = std::min(y + kReach, size_.height - 1);
    for (std::ptrdiff_t row = y == 0 ? 0 : y + kReach; row <= last_row; ++row) {
      for_each_run(map_.groups(row), size_.width, [&](std::ptrdiff_t first, std::ptrdiff_t last) {
        costs_.load_scores(row * size_.width + first, last - first);
      });
    }
    costs_ms_ += watch.ms();
  }

  bool is_centre(std::ptrdiff_t y, std::ptrdiff_t x, const LongRange& coarse) const {
    return coarse.centre(y / coarse.step, size_.height) == y &&
           coarse.centre(x / coarse.step, size_.width) == x;
  }

  // The edges of the cell at whose centre (y, x) is join its row.
  template <typename Graph>
  void add_long_range(std::ptrdiff_t y, std::ptrdiff_t x, const LongRange& coarse,
                      LeafRows<Graph>& rows, Graph& graph) {
    const std::ptrdiff_t cell_y = y / coarse.step;
    const std::ptrdiff_t cell_x = x / coarse.step;
    const auto add = [&](std::ptrdiff_t other_y, std::ptrdiff_t other_x, std::size_t k,
                         std::ptrdiff_t cost_y, std::ptrdiff_t cost_x) {
      if (other_y < 0 || other_y >= coarse.size.height) return;
      if (other_x < 0 || other_x >= coarse.size.width) return;
      const std::ptrdiff_t row = coarse.centre(other_y, size_.height);
      const std::ptrdiff_t column = coarse.centre(other_x, size_.width);
      if (map_.groups(row)[column] != map_.groups(y)[x]) return;
      const float cost = coarse.costs[k * coarse.size.area() + cost_y * coarse.size.width + cost_x];
      rows.join(map_.nodes(row)[column], graph.weight(cost));
    };
    for (std::size_t k = 0; k < kNumOffsets; ++k) {
      const auto [dy, dx] = kOffsets[k];
      add(cell_y + dy, cell_x + dx, k, cell_y, cell_x);
      add(cell_y - dy, cell_x - dx, k, cell_y - dy, cell_x - dx);
    }
  }

  // The edges of a proposal's pixel that lead forward to other proposals.
  template <typename Graph>
  void connect_proposals(std::ptrdiff_t y, std::ptrdiff_t x, const Steps& steps, Graph& graph) {
    const Node* const node = map_.nodes(y) + x;
    const std::uint8_t* const group = map_.groups(y) + x;
    std::array<Node, kNumOffsets> others{};
    std::array<std::uint8_t, kNumOffsets> directions{};
    std::size_t n = 0;
    for (std::size_t direction = 0; direction < kDirections; direction += 2) {
      const std::ptrdiff_t step = steps[direction];
      others[n] = node[step];
      directions[n] = static_cast<std::uint8_t>(direction);
      n += group[step] == *group && node[step] < n_proposals_ && node[step] != *node;
    }
    if (n == 0) return;
    costs_.add(y * size_.width + x, directions.data(), n);
    const float* const costs = costs_.compute();
    for (std::size_t i = 0; i < n; ++i) graph.connect(*node, others[i], Graph::weight(costs[i]));
  }

  CascadeLevel level_{};
  GridSize size_{};
  std::size_t n_proposals_ = 0;
  std::size_t n_nodes_ = 0;
  double costs_ms_ = 0.0;
  NodeMap map_;
  Stack<std::ptrdiff_t> leaf_pixels_;
  Stack<std::ptrdiff_t> near_pixels_;  // of proposals, with another one near
  PairCosts costs_;
  Buffer<std::int32_t> label_of_;
};

}  // namespace ssap

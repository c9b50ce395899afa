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

// The rows of a level's leaves, filled one after the other.
//
// The neighbours of a leaf are known at once. The costs of its edges are computed later, in batches
// of many leaves' edges; only then can the leaves be opened.
#pragma once

#include <cstddef>
#include <cstdint>

#include "pixel/edge_costs.hpp"
#include "pixel/grid.hpp"
#include "util/stopwatch.hpp"

namespace ssap {

inline constexpr std::size_t kDirections = 2 * kNumOffsets;

template <typename Graph>
class LeafRows {
 public:
  using Node = std::uint32_t;
  using Edge = typename Graph::Edge;

  // The leaves are `first_leaf` and the nodes after it. What the costs take is added to `costs_ms`.
  LeafRows(Graph& graph, PairCosts& costs, Node first_leaf, double& costs_ms)
      : graph_(graph),
        costs_(costs),
        costs_ms_(costs_ms),
        edges_(graph.edges()),
        leaf_(first_leaf),
        next_closed_(first_leaf) {}

  // The row of the next leaf; its neighbours may be written there before `add`.
  Edge* begin_row() {
    if (costs_.size() + kDirections > PairCosts::kBatch) open();
    row_ = end_;
    return edges_ + row_;
  }
  // The first `n` edges of the row are those of a pixel in the given directions.
  void add(std::ptrdiff_t pixel, const std::uint8_t* directions, std::size_t n) {
    costs_.add(pixel, directions, n);
    end_ += n;
  }
  // One more edge of known weight, which may be parallel to one that is there.
  void join(Node other, typename Graph::Weight weight) {
    weigh();
    end_ = graph_.join_edge(row_, end_, other, weight);
    n_weighed_ = end_;
  }
  void end_row() { graph_.set_row(leaf_++, row_, end_ - row_); }

  // Opens the leaves whose rows have ended.
  void open() {
    weigh();
    for (; next_closed_ < leaf_; ++next_closed_) graph_.open(next_closed_);
  }

 private:
  void weigh() {
    const Stopwatch watch;
    const std::size_t n = costs_.size();
    const float* const costs = costs_.compute();
    for (std::size_t i = 0; i < n; ++i) edges_[n_weighed_ + i].weight = Graph::weight(costs[i]);
    n_weighed_ += n;
    costs_ms_ += watch.ms();
  }

  Graph& graph_;
  PairCosts& costs_;
  double& costs_ms_;
  Edge* edges_;
  std::size_t row_ = 0;        // where the current row begins
  std::size_t end_ = 0;        // where it ends so far
  std::size_t n_weighed_ = 0;  // edges whose weight is known
  Node leaf_;
  Node next_closed_;
};

}  // namespace ssap

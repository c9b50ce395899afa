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

// Minimum-cost multicut: cut a graph into clusters so that the edges between clusters cost least.
//
// A positive cost is the price of cutting an edge (its ends attract each other), a negative one a
// reward. The problem is NP-hard; greedy additive edge contraction (GAEC) starts from single nodes
// and merges, again and again, the two clusters with the largest positive sum of costs between
// them, until every sum is at most 0.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <tuple>

#include "graph/contraction.hpp"
#include "graph/linkage.hpp"
#include "util/buffer.hpp"

namespace ssap {

// A graph as pairs of nodes 0 .. n_nodes - 1 and one cost each.
struct EdgeList {
  std::size_t n_nodes;
  const std::int64_t* uv_ids;  // (n_edges, 2)
  const double* costs;
  std::size_t n_edges;

  // Whether every edge joins two different nodes that there are, at a cost that a float can hold.
  bool is_valid() const {
    bool valid = true;
    for (std::size_t i = 0; i < n_edges; ++i) {
      const auto u = static_cast<std::uint64_t>(uv_ids[2 * i]);
      const auto v = static_cast<std::uint64_t>(uv_ids[2 * i + 1]);
      valid &= u < n_nodes && v < n_nodes && u != v;
      valid &= std::abs(costs[i]) <= std::numeric_limits<float>::max();
    }
    return valid;
  }
};

// Clusters any graph by contraction.
class GraphPartition {
 public:
  // One label per node, 0, 1, 2, ... in the order of each cluster's first node.
  template <typename Linkage>
  void run(const EdgeList& edges, std::int64_t* labels) {
    auto& graph = std::get<Contraction<Linkage>>(graphs_);
    build<Linkage>(edges, graph);
    graph.contract(false, [] { return false; });
    label_of_.fill(edges.n_nodes, -1);
    std::int64_t n_labels = 0;
    for (std::size_t node = 0; node < edges.n_nodes; ++node) {
      std::int64_t& label = label_of_[graph.find(static_cast<Node>(node))];
      if (label < 0) label = n_labels++;
      labels[node] = label;
    }
  }

 private:
  using Node = std::uint32_t;
  static constexpr std::uint32_t kLeafDegree = 64;

  template <typename Linkage, typename Graph>
  void build(const EdgeList& edges, Graph& graph) {
    const std::size_t n = edges.n_nodes;
    first_.fill(n + 2, 0);
    for (std::size_t i = 0; i < 2 * edges.n_edges; ++i) ++first_[edges.uv_ids[i] + 2];
    graph.start(n, 2 * edges.n_edges);
    for (std::size_t node = 0; node < n; ++node) {
      const std::uint32_t degree = first_[node + 2];
      if (degree > 0 && degree <= kLeafDegree) graph.mark_leaf(static_cast<Node>(node));
      first_[node + 2] += first_[node + 1];
    }
    typename Graph::Edge* const rows = graph.edges();
    bool is_sorted = true;  // strictly, so that no two edges are parallel
    std::uint64_t last = 0;
    for (std::size_t i = 0; i < edges.n_edges; ++i) {
      const auto u = static_cast<Node>(edges.uv_ids[2 * i]);
      const auto v = static_cast<Node>(edges.uv_ids[2 * i + 1]);
      const auto weight = Graph::weight(static_cast<float>(edges.costs[i]));
      rows[first_[u + 1]++] = {v, weight};
      rows[first_[v + 1]++] = {u, weight};
      const std::uint64_t place = (std::uint64_t{u} << 32) | v;
      is_sorted &= u < v && last < place;
      last = place;
    }
    if (!is_sorted) place_of_.fill(n, 0);
    for (std::size_t i = 0; i < n; ++i) {
      const auto node = static_cast<Node>(i);
      typename Graph::Edge* const row = rows + first_[i];
      const std::size_t size = first_[i + 1] - first_[i];
      if (graph.is_leaf(node)) {
        graph.set_row(node, first_[i], is_sorted ? size : join_parallel<Linkage>(row, size));
        graph.open(node);
        continue;
      }
      for (std::size_t k = 0; k < size; ++k) {
        const auto [other, weight] = row[k];
        if (node < other && !graph.is_leaf(other)) graph.connect(node, other, weight);
      }
    }
  }

  // Joins the edges of a row that lead to the same node; returns how many are left.
  template <typename Linkage, typename Edge>
  std::size_t join_parallel(Edge* row, std::size_t size) {
    std::size_t n_joined = 0;
    for (std::size_t i = 0; i < size; ++i) {
      const Edge edge = row[i];
      std::uint32_t& place = place_of_[edge.other];
      if (place < n_joined && row[place].other == edge.other) {
        row[place].weight = Linkage::join(row[place].weight, edge.weight);
      } else {
        place = static_cast<std::uint32_t>(n_joined);
        row[n_joined++] = edge;
      }
    }
    return n_joined;
  }

  std::tuple<Contraction<SumLinkage>, Contraction<MeanLinkage>, Contraction<MutexLinkage>> graphs_;
  Buffer<std::uint32_t> first_;     // the row of node u: first_[u] .. first_[u + 1] - 1
  Buffer<std::uint32_t> place_of_;  // where in the current row a node may be
  Buffer<std::int64_t> label_of_;
};

// Sum of the costs of the edges that `labels` cuts.
inline double multicut_objective(const EdgeList& edges, const std::int64_t* labels) {
  double sum = 0.0;
  for (std::size_t i = 0; i < edges.n_edges; ++i) {
    if (labels[edges.uv_ids[2 * i]] != labels[edges.uv_ids[2 * i + 1]]) sum += edges.costs[i];
  }
  return sum;
}

}  // namespace ssap

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
#include <utility>

#include "buffer.hpp"
#include "contraction.hpp"
#include "linkage.hpp"

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
    build(edges, graph);
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
  struct HalfEdge {
    Node other;
    float cost;
  };
  static constexpr std::uint32_t kLeafDegree = 64;

  template <typename Graph>
  void build(const EdgeList& edges, Graph& graph) {
    const std::size_t n = edges.n_nodes;
    first_.fill(n + 2, 0);
    for (std::size_t i = 0; i < 2 * edges.n_edges; ++i) ++first_[edges.uv_ids[i] + 2];
    graph.start(n);
    for (std::size_t node = 0; node < n; ++node) {
      const std::uint32_t degree = first_[node + 2];
      if (degree > 0 && degree <= kLeafDegree) graph.mark_leaf(static_cast<Node>(node));
      first_[node + 2] += first_[node + 1];
    }
    half_edges_.room(2 * edges.n_edges);
    for (std::size_t i = 0; i < edges.n_edges; ++i) {
      const auto u = static_cast<Node>(edges.uv_ids[2 * i]);
      const auto v = static_cast<Node>(edges.uv_ids[2 * i + 1]);
      const auto cost = static_cast<float>(edges.costs[i]);
      half_edges_[first_[u + 1]++] = {v, cost};
      half_edges_[first_[v + 1]++] = {u, cost};
    }
    last_seen_from_.fill(n, ~Node{0});
    for (std::size_t i = 0; i < n; ++i) {
      const auto node = static_cast<Node>(i);
      const bool is_leaf = graph.is_leaf(node);
      if (is_leaf) graph.open_row(node);
      for (std::uint32_t k = first_[node]; k < first_[node + 1]; ++k) {
        const auto [other, cost] = half_edges_[k];
        if (is_leaf) {
          const bool is_parallel = std::exchange(last_seen_from_[other], node) == node;
          is_parallel ? graph.join(node, other, Graph::weight(cost))
                      : graph.add(other, Graph::weight(cost));
        } else if (node < other && !graph.is_leaf(other)) {
          graph.connect(node, other, Graph::weight(cost));
        }
      }
      if (is_leaf) graph.close_row(node);
    }
  }

  std::tuple<Contraction<SumLinkage>, Contraction<MeanLinkage>, Contraction<MutexLinkage>> graphs_;
  Buffer<std::uint32_t> first_;  // half-edges of node u: first_[u] .. first_[u + 1] - 1
  Buffer<HalfEdge> half_edges_;
  Buffer<Node> last_seen_from_;
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

// Minimum-cost multicut: cut a graph into clusters so that the edges between clusters cost least.
//
// A positive weight is the price of cutting an edge (its ends attract each other), a negative one a
// reward. The problem is NP-hard; greedy additive edge contraction (GAEC) starts from single nodes
// and merges, again and again, the two clusters with the largest positive sum of weights between
// them, until every sum is at most 0. Among equal sums the edge with the smallest id is taken.
//
// Deferral: where some nodes are proposals, i.e. already stand for many pixels, the sum between two
// of them is large from the start, while the evidence against the merge still sits in small nodes
// between them. A first pass therefore refuses to merge two clusters that both hold a proposal; a
// second pass, with all the evidence gathered, allows every merge.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "contraction_graph.hpp"
#include "disjoint_set.hpp"
#include "edge_queue.hpp"

namespace ssap {

namespace detail {

// Contracts `graph` until no mergeable sum is positive. `proposal` marks the clusters that must not
// be merged with each other; it is empty when all merges are allowed.
inline void contract_greedily(ContractionGraph& graph, DisjointSet& clusters,
                              std::vector<char>& proposal) {
  EdgeQueue queue;
  const auto push_if_attractive = [&](ContractionGraph::Edge edge) {
    const auto weight = static_cast<float>(graph.weight(edge));
    if (weight > 0.0f) queue.push(weight, edge);
  };
  for (std::size_t edge = 0; edge < graph.n_edges(); ++edge) {
    push_if_attractive(static_cast<ContractionGraph::Edge>(edge));
  }
  const auto is_stale = [&](EdgeQueue::Entry entry) {
    return static_cast<float>(graph.weight(entry.edge)) != entry.weight;
  };
  EdgeQueue::Entry entry{};
  while (queue.pop(entry, is_stale)) {
    const auto [u, v] = graph.ends(entry.edge);
    auto kept = clusters.find(u);
    auto absorbed = clusters.find(v);
    if (!proposal.empty()) {
      if (proposal[kept] && proposal[absorbed]) continue;
      proposal[kept] = proposal[absorbed] = proposal[kept] | proposal[absorbed];
    }
    if (graph.table_size(kept) < graph.table_size(absorbed)) std::swap(kept, absorbed);
    graph.contract(kept, absorbed, push_if_attractive);
    clusters.merge(kept, absorbed);
  }
}

}  // namespace detail

// One cluster label per node, 0, 1, 2, ... in the order of each cluster's first node.
// `proposal`: one flag per node, or empty for plain GAEC.
inline std::vector<std::int32_t> greedy_additive(ContractionGraph& graph,
                                                 std::vector<char> proposal) {
  DisjointSet clusters(graph.n_nodes());
  if (!proposal.empty()) {
    detail::contract_greedily(graph, clusters, proposal);
    proposal.clear();
  }
  detail::contract_greedily(graph, clusters, proposal);
  return clusters.labels();
}

// Sum of the weights of the edges that `labels` cuts. `uv_ids` holds n_edges pairs.
inline double multicut_objective(const std::int64_t* uv_ids, const double* costs,
                                 std::size_t n_edges, const std::int64_t* labels) {
  double sum = 0.0;
  for (std::size_t edge = 0; edge < n_edges; ++edge) {
    if (labels[uv_ids[2 * edge]] != labels[uv_ids[2 * edge + 1]]) sum += costs[edge];
  }
  return sum;
}

}  // namespace ssap

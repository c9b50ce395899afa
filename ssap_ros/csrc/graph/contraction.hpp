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

// A weighted graph whose nodes are merged, again and again the two that attract each other most.
//
// There are two kinds of node. A *leaf* is a single node of small degree, a pixel, with a row of
// edges that never changes. A *cluster* is anything larger: a proposal, a node of high degree, or
// what has become of merged leaves. A leaf knows its weight towards every cluster around it, mostly
// one or two; the weight between two clusters lies in a hash table of pairs.
//
// This fits how greedy contraction works: a few clusters grow by one leaf at a time. When a leaf is
// absorbed, its row is walked through once, and every neighbour that is still a leaf adds the edge
// to its weight towards the cluster. Nothing is searched for or deleted, however large the cluster
// has grown; an edge whose other end is no leaf any more is passed over.
//
// Every leaf has a bound on the priority of its best neighbour. It is raised at once but lowered
// only when its turn comes: the leaf then looks for its best neighbour and is merged with it only
// if that attracts as much as the bound says. So what is merged is always the best pair of all.
//
// Deferral: where clusters stand for many pixels from the start (proposals), the weight between two
// of them is large from the start, while the evidence against the merge still sits in leaves
// between them. With `defer`, two clusters that both hold a proposal are not merged.
//
// The calls come in this order, which debug builds check; README.md has an example:
//   1. start;
//   2. mark_leaf, mark_proposal: every other node is a cluster that holds no proposal;
//   3. for every leaf: fill its row (edges, join_edge), set_row, open; for clusters: connect;
//   4. contract(true, ...) where there are proposals, then contract(false, ...);
//   5. find, for_each_pair.
#pragma once

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>

#include "graph/call_order.hpp"
#include "graph/disjoint_set.hpp"
#include "graph/leaf_weights.hpp"
#include "graph/neighbour_lists.hpp"
#include "graph/pair_table.hpp"
#include "graph/tournament.hpp"
#include "util/buffer.hpp"

namespace ssap {

template <typename Linkage>
class Contraction {
 public:
  using Node = std::uint32_t;
  using Weight = typename Linkage::Weight;
  struct Edge {
    Node other;
    Weight weight;
  };

  // --- building ---

  // `n_edges`: capacity for the rows of all leaves.
  void start(std::size_t n_nodes, std::size_t n_edges) {
    order_.start();
    n_nodes_ = n_nodes;
    has_deferred_ = false;
    sets_.start(n_nodes);
    leaves_.start(n_nodes);
    rows_.reserve(n_nodes);
    edges_.reserve(n_edges);
    lists_.start(n_nodes);
    kinds_.fill(n_nodes, kPlain);
    pairs_.clear();
    bounds_.start(n_nodes);
    pair_priorities_.start(0);
  }

  void mark_leaf(Node node) {
    assert(node < n_nodes_ && !is_leaf(node));
    order_.mark_leaf();
    leaves_.mark(node);
  }
  void mark_proposal(Node node) {
    assert(node < n_nodes_);
    order_.mark();
    kinds_[node] = kProposal;
  }
  bool is_leaf(Node node) const { return leaves_.is_leaf(node); }

  static Weight weight(float cost) { return Linkage::of(cost); }

  // All rows, one after the other, to be filled by the caller.
  Edge* edges() { return edges_.data(); }

  // A leaf's row is edges()[first .. first + size - 1]; no two edges lead to the same leaf.
  void set_row(Node leaf, std::size_t first, std::size_t size) {
    assert(is_leaf(leaf) && first + size <= edges_.capacity());
    rows_[leaf] = {static_cast<std::uint32_t>(first), static_cast<std::uint32_t>(size)};
  }
  // Adds an edge to a row that ends at `end`, or its weight to the edge that is there already;
  // returns the new end.
  std::size_t join_edge(std::size_t first, std::size_t end, Node other, Weight weight) {
    std::size_t i = first;
    while (i < end && edges_[i].other != other) ++i;
    edges_[i] = {other, i < end ? Linkage::join(edges_[i].weight, weight) : weight};
    return std::max(end, i + 1);
  }

  // A leaf whose row is set joins the contraction.
  void open(Node leaf) {
    assert(is_leaf(leaf));
    order_.open();
    const auto [first, size] = rows_[leaf];
    const Edge* const row = &edges_[first];
    float best = 0.0f;
    for (std::size_t i = 0; i < size; ++i) {
      const auto [other, weight] = row[i];
      const Weight joined = is_leaf(other) ? weight : join_cluster(leaf, other, weight);
      best = std::max(best, Linkage::priority(joined));
    }
    bounds_.raise(leaf, best);
  }

  // Adds `weight` between two clusters.
  void connect(Node a, Node b, Weight weight) {
    assert(a != b && !is_leaf(b));
    const auto [pair, is_new] = pairs_.insert(a, b);
    pair->weight = is_new ? weight : Linkage::join(pair->weight, weight);
    set_priority(*pair);
    if (is_new) {
      lists_.append(a, b);
      lists_.append(b, a);
    }
  }

  // --- contracting ---

  // Merges until no pair that may be merged attracts, and says so, or until `stop` (asked now and
  // then) is true.
  template <typename Stop>
  bool contract(bool defer, Stop&& stop) {
    order_.contract();
    if (!defer && std::exchange(has_deferred_, false)) {
      pairs_.for_each([this](const Pair& pair) { set_priority(pair); });
    }
    for (unsigned turn = 1;; ++turn) {
      if (turn % 256 == 0 && stop()) return false;
      const float best_bound = bounds_.best_priority();
      const float best_pair = pair_priorities_.best_priority();
      if (std::max(best_bound, best_pair) == 0.0f) return true;
      best_bound >= best_pair ? serve_leaf(bounds_.best())
                              : serve_pair(pairs_[pair_priorities_.best()], defer);
    }
  }

  // The cluster that a node belongs to.
  Node find(Node node) { return sets_.find(node); }

  // Calls visit(a, b, weight) once for every two clusters with edges between them.
  template <typename Visit>
  void for_each_pair(Visit&& visit) {
    pairs_.for_each([&](const Pair& pair) { visit(pair.a, pair.b, pair.weight); });
    for (Node leaf = 0; leaf < n_nodes_; ++leaf) {
      if (!is_leaf(leaf)) continue;
      leaves_.for_each(leaf, [&](Node cluster, Weight weight) { visit(leaf, cluster, weight); });
      const auto [first, size] = rows_[leaf];
      for (std::size_t i = first; i < first + size; ++i) {
        const auto [other, weight] = edges_[i];
        if (leaf < other && is_leaf(other)) visit(leaf, other, weight);
      }
    }
  }

  std::size_t bytes() const {
    return sets_.bytes() + leaves_.bytes() + rows_.bytes() + edges_.bytes() + lists_.bytes() +
           kinds_.bytes() + pairs_.bytes() + bounds_.bytes() + pair_priorities_.bytes();
  }

 private:
  static constexpr float kInfinity = std::numeric_limits<float>::infinity();
  struct Row {
    std::uint32_t first;
    std::uint32_t size;
  };
  enum Kind : std::uint8_t { kPlain, kProposal, kGone };  // kProposal: cluster that holds one
  using Pair = typename PairTable<Weight>::Pair;
  using Leaves = LeafWeights<Linkage>;

  void set_priority(const Pair& pair) {
    pair_priorities_.set(pairs_.index(pair), Linkage::priority(pair.weight));
  }

  // Adds `weight` between a leaf and a cluster; returns their sum.
  Weight join_cluster(Node leaf, Node cluster, Weight weight) {
    return leaves_.join(leaf, cluster, weight, [&] { lists_.append(cluster, leaf); });
  }

  // Merges a leaf with its best neighbour, or lowers its bound if that is worse.
  void serve_leaf(Node leaf) {
    const auto [first, size] = rows_[leaf];
    constexpr std::size_t kLine = 64 / sizeof(Edge);  // edges in a cache line
    for (std::size_t i = 0; i < size; i += kLine) __builtin_prefetch(&edges_[first + i]);
    const float bound = bounds_.priority(leaf);
    float best = -kInfinity;
    Node partner = leaf;
    const auto consider = [&](Node other, Weight weight) {
      const float priority = Linkage::priority(weight);
      if (priority > best) {
        best = priority;
        partner = other;
      }
    };
    leaves_.for_each(leaf, consider);
    if (best < bound) {
      for (std::size_t i = first; i < first + size; ++i) {
        if (is_leaf(edges_[i].other)) consider(edges_[i].other, edges_[i].weight);
      }
    }
    if (best < bound) {
      bounds_.lower(leaf, best);
      return;
    }
    if (is_leaf(partner)) absorb_leaf(partner, partner);
    kinds_[leaf] = kGone;
    sets_.merge(partner, leaf);
    absorb_leaf(partner, leaf);
  }

  // The edges of a leaf become those of `cluster`; it may be the leaf itself, as its first part.
  void absorb_leaf(Node cluster, Node leaf) {
    leaves_.for_each(leaf, [&](Node other, Weight weight) {
      if (other != cluster) connect(cluster, other, weight);
    });
    leaves_.unmark(leaf);
    bounds_.lower(leaf, 0.0f);
    // Which edges lead to leaves is hard to predict: they are gathered first, without a branch. The
    // row is not needed any more.
    const auto [first, size] = rows_[leaf];
    Edge* const row = &edges_[first];
    std::size_t n_alive = 0;
    for (std::size_t i = 0; i < size; ++i) {
      const Edge edge = row[i];
      row[n_alive] = edge;
      n_alive += is_leaf(edge.other);
    }
    for (std::size_t i = 0; i < n_alive; ++i) {
      const auto [other, weight] = row[i];
      bounds_.raise(other, Linkage::priority(join_cluster(other, cluster, weight)));
    }
  }

  void serve_pair(Pair& pair, bool defer) {
    Node kept = pair.a;
    Node absorbed = pair.b;
    if (defer && kinds_[kept] == kProposal && kinds_[absorbed] == kProposal) {
      has_deferred_ = true;
      pair_priorities_.set(pairs_.index(pair), 0.0f);
      return;
    }
    if (lists_.size(kept) < lists_.size(absorbed)) std::swap(kept, absorbed);
    erase(pair);
    absorb_cluster(kept, absorbed);
  }

  void absorb_cluster(Node kept, Node absorbed) {
    if (kinds_[absorbed] == kProposal) kinds_[kept] = kProposal;
    kinds_[absorbed] = kGone;
    sets_.merge(kept, absorbed);
    lists_.move(absorbed, kept, [&](Node other) {
      if (is_leaf(other)) return redirect_leaf(other, absorbed, kept);
      return kinds_[other] != kGone && other != kept && redirect_cluster(other, absorbed, kept);
    });
  }

  // Notes for a leaf that its neighbour `from` has become part of `to`. True if that is a new
  // neighbour; nothing happens if `from` is no neighbour.
  bool redirect_leaf(Node leaf, Node from, Node to) {
    Weight weight{};
    const auto change = leaves_.redirect(leaf, from, to, weight);
    if (change == Leaves::Change::kJoined) bounds_.raise(leaf, Linkage::priority(weight));
    return change == Leaves::Change::kRenamed;
  }

  // As `redirect_leaf`, for a cluster.
  bool redirect_cluster(Node node, Node from, Node to) {
    Pair* const old = pairs_.find(node, from);
    if (!old) return false;
    Pair* const joined = pairs_.find(node, to);
    if (!joined) {
      pairs_.rename(*old, node, to);
      lists_.append(node, to);
      return true;
    }
    joined->weight = Linkage::join(joined->weight, old->weight);
    set_priority(*joined);
    erase(*old);
    return false;
  }

  void erase(Pair& pair) {
    pair_priorities_.set(pairs_.index(pair), 0.0f);
    pairs_.erase(pair);
  }

  CallOrder order_;
  std::size_t n_nodes_ = 0;
  bool has_deferred_ = false;
  DisjointSet sets_;
  Leaves leaves_;
  Buffer<Row> rows_;
  Buffer<Edge> edges_;
  NeighbourLists lists_;
  Buffer<Kind> kinds_;
  PairTable<Weight> pairs_;
  Tournament bounds_;           // of leaves
  Tournament pair_priorities_;  // by index in `pairs_`
};

}  // namespace ssap

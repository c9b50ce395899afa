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

// Kernighan-Lin with joins (Keuper et al., ICCV 2015): improves a clustering of a graph.
//
// Two neighbouring clusters are taken at a time. Again and again the node whose change of sides
// lowers the cost most, or raises it least, changes sides and is locked; of this sequence the best
// prefix is kept. The pair is joined instead where that gains more. A cluster is also paired with
// an empty one, which may split it. Passes over the pairs go on, for clusters that have changed,
// until nothing improves.
//
// Every touched node keeps the gain of its move, which is corrected when a neighbour moves, and
// stands in a heap; borders are not searched again after a move. What is kept never costs more than
// what was given. A pass takes O(E log E) plus, for each move, the degree of the node times log.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "graph/multicut.hpp"

namespace ssap {

class KernighanLin {
 public:
  // Improves `labels`, one per node in [0, n_nodes), until `stop` (asked now and then) is true or
  // `max_moves` nodes have changed sides, tried moves included.
  template <typename Stop>
  void run(const EdgeList& edges, std::int64_t* labels, std::size_t max_moves, Stop&& stop) {
    start(edges, labels);
    moves_left_ = max_moves;
    bool improving = true;
    while (improving && moves_left_ > 0 && !stop()) {
      improving = false;
      was_changed_.swap(is_changed_);
      std::fill(is_changed_.begin(), is_changed_.end(), false);
      collect_borders();
      collect_members();
      for (std::size_t i = 0; i < borders_.size() && moves_left_ > 0;) {
        std::size_t end = i;
        while (end < borders_.size() && borders_[end].pair() == borders_[i].pair()) ++end;
        improving |= improve_border(i, end);
        i = end;
        if (stop()) break;
      }
      collect_members();
      for (Cluster a = 0; a < n_nodes_ && moves_left_ > 0 && !stop(); ++a) {
        if (was_changed_[a] || is_changed_[a]) improving |= split(a);
      }
    }
    for (std::size_t node = 0; node < n_nodes_; ++node) labels[node] = cluster_[node];
  }

 private:
  using Node = std::uint32_t;
  using Cluster = std::uint32_t;
  struct HalfEdge {
    Node other;
    double cost;
  };
  // An edge between two clusters a < b; the node u lies in a.
  struct BorderEdge {
    Cluster a;
    Cluster b;
    Node u;
    Node v;
    double cost;

    std::pair<Cluster, Cluster> pair() const { return {a, b}; }
  };
  struct Candidate {
    double gain;
    Node node;

    bool operator<(const Candidate& other) const {
      return gain != other.gain ? gain < other.gain : node > other.node;
    }
  };
  enum class State : std::uint8_t { kUntouched, kTouched, kLocked };

  // A sequence without a new best for so many moves is given up.
  static constexpr std::size_t kPatience = 200;

  void start(const EdgeList& edges, const std::int64_t* labels) {
    n_nodes_ = edges.n_nodes;
    first_.assign(n_nodes_ + 2, 0);
    for (std::size_t i = 0; i < 2 * edges.n_edges; ++i) ++first_[edges.uv_ids[i] + 2];
    for (std::size_t i = 2; i < first_.size(); ++i) first_[i] += first_[i - 1];
    half_edges_.resize(2 * edges.n_edges);
    double largest = 0.0;
    for (std::size_t i = 0; i < edges.n_edges; ++i) {
      const auto u = static_cast<Node>(edges.uv_ids[2 * i]);
      const auto v = static_cast<Node>(edges.uv_ids[2 * i + 1]);
      half_edges_[first_[u + 1]++] = {v, edges.costs[i]};
      half_edges_[first_[v + 1]++] = {u, edges.costs[i]};
      largest = std::max(largest, std::abs(edges.costs[i]));
    }
    min_gain_ = 1e-9 * largest;
    cluster_.assign(labels, labels + n_nodes_);
    sizes_.assign(n_nodes_ + 1, 0);
    for (const Cluster cluster : cluster_) ++sizes_[cluster];
    is_changed_.assign(n_nodes_ + 1, true);
    was_changed_.assign(n_nodes_ + 1, true);
    states_.assign(n_nodes_, State::kUntouched);
    gains_.resize(n_nodes_);
    next_empty_ = 0;
  }

  // The edges between clusters of which one has changed, pair by pair.
  void collect_borders() {
    borders_.clear();
    for (Node u = 0; u < n_nodes_; ++u) {
      for (std::size_t i = first_[u]; i < first_[u + 1]; ++i) {
        const auto [v, cost] = half_edges_[i];
        const Cluster a = cluster_[u];
        const Cluster b = cluster_[v];
        if (a < b && (was_changed_[a] || was_changed_[b])) borders_.push_back({a, b, u, v, cost});
      }
    }
    std::stable_sort(borders_.begin(), borders_.end(),
                     [](const BorderEdge& x, const BorderEdge& y) { return x.pair() < y.pair(); });
  }

  // The nodes of each cluster, one cluster after the other.
  void collect_members() {
    first_member_.assign(n_nodes_ + 2, 0);
    for (const Cluster cluster : cluster_) ++first_member_[cluster + 2];
    for (std::size_t i = 2; i < first_member_.size(); ++i) first_member_[i] += first_member_[i - 1];
    members_.resize(n_nodes_);
    for (Node node = 0; node < n_nodes_; ++node) {
      members_[first_member_[cluster_[node] + 1]++] = node;
    }
  }

  // Moves nodes between the two clusters of borders_[begin .. end - 1], or joins the clusters.
  bool improve_border(std::size_t begin, std::size_t end) {
    const Cluster a = borders_[begin].a;
    const Cluster b = borders_[begin].b;
    // Once one of them has changed in this pass the sum of the border is out of date.
    double join_gain = 0.0;
    const bool may_join = !is_changed_[a] && !is_changed_[b];
    for (std::size_t i = begin; i < end; ++i) {
      join_gain += borders_[i].cost;
      touch(borders_[i].u, a, b);
      touch(borders_[i].v, a, b);
    }
    const double gain = move_best_prefix(a, b, may_join ? join_gain : 0.0);
    if (gain > min_gain_) return note_change(a, b);
    if (!may_join || join_gain <= min_gain_) return false;
    const auto [kept, gone] = sizes_[a] >= sizes_[b] ? std::pair{a, b} : std::pair{b, a};
    for (std::size_t i = first_member_[gone]; i < first_member_[gone + 1]; ++i) {
      cluster_[members_[i]] = kept;
    }
    sizes_[kept] += std::exchange(sizes_[gone], 0);
    return note_change(a, b);
  }

  // Moves nodes out of a cluster into one that is empty.
  bool split(Cluster a) {
    if (sizes_[a] < 2) return false;
    while (sizes_[next_empty_] > 0) ++next_empty_;
    const Cluster b = next_empty_;
    for (std::size_t i = first_member_[a]; i < first_member_[a + 1]; ++i) {
      touch(members_[i], a, b);
    }
    return move_best_prefix(a, b, 0.0) > min_gain_ && note_change(a, b);
  }

  bool note_change(Cluster a, Cluster b) {
    is_changed_[a] = is_changed_[b] = true;
    if (sizes_[a] == 0) next_empty_ = std::min(next_empty_, a);
    if (sizes_[b] == 0) next_empty_ = std::min(next_empty_, b);
    return true;
  }

  // Enters a node of either cluster among the candidates.
  void touch(Node node, Cluster a, Cluster b) {
    const Cluster own = cluster_[node];
    if (states_[node] != State::kUntouched || (own != a && own != b)) return;
    const Cluster other = own == a ? b : a;
    double gain = 0.0;
    for (std::size_t i = first_[node]; i < first_[node + 1]; ++i) {
      const Cluster cluster = cluster_[half_edges_[i].other];
      if (cluster == other) gain += half_edges_[i].cost;
      if (cluster == own) gain -= half_edges_[i].cost;
    }
    states_[node] = State::kTouched;
    touched_.push_back(node);
    offer(node, gain);
  }

  void offer(Node node, double gain) {
    gains_[node] = gain;
    heap_.push_back({gain, node});
    std::push_heap(heap_.begin(), heap_.end());
  }

  // The gain of what was kept: 0 if no prefix gains more than `threshold`.
  double move_best_prefix(Cluster a, Cluster b, double threshold) {
    double gain = 0.0;
    double best = std::max(threshold, min_gain_);
    std::size_t n_kept = 0;
    sequence_.clear();
    while (!heap_.empty() && moves_left_ > 0 && sequence_.size() < n_kept + kPatience) {
      std::pop_heap(heap_.begin(), heap_.end());
      const Candidate candidate = heap_.back();
      heap_.pop_back();
      if (states_[candidate.node] == State::kLocked) continue;
      if (gains_[candidate.node] != candidate.gain) continue;
      --moves_left_;
      gain += candidate.gain;
      change_sides(candidate.node, a, b);
      sequence_.push_back(candidate.node);
      correct_neighbours(candidate.node);
      for (std::size_t i = first_[candidate.node]; i < first_[candidate.node + 1]; ++i) {
        touch(half_edges_[i].other, a, b);
      }
      if (gain > best) {
        best = gain;
        n_kept = sequence_.size();
      }
    }
    for (; sequence_.size() > n_kept; sequence_.pop_back()) change_sides(sequence_.back(), a, b);
    heap_.clear();
    for (const Node node : touched_) states_[node] = State::kUntouched;
    touched_.clear();
    return n_kept > 0 ? best : 0.0;
  }

  // Corrects the gains of the candidates next to a node that has changed sides.
  void correct_neighbours(Node node) {
    for (std::size_t i = first_[node]; i < first_[node + 1]; ++i) {
      const auto [other, cost] = half_edges_[i];
      if (states_[other] != State::kTouched) continue;
      const bool together = cluster_[other] == cluster_[node];
      offer(other, gains_[other] + (together ? -2.0 : 2.0) * cost);
    }
  }

  void change_sides(Node node, Cluster a, Cluster b) {
    states_[node] = State::kLocked;
    Cluster& own = cluster_[node];
    --sizes_[own];
    own = own == a ? b : a;
    ++sizes_[own];
  }

  std::size_t n_nodes_ = 0;
  std::size_t moves_left_ = 0;
  double min_gain_ = 0.0;
  std::vector<std::size_t> first_;  // half-edges of node u: first_[u] .. first_[u + 1] - 1
  std::vector<HalfEdge> half_edges_;
  std::vector<Cluster> cluster_;
  std::vector<std::size_t> sizes_;
  Cluster next_empty_ = 0;         // no cluster below it is empty
  std::vector<char> is_changed_;   // in this pass
  std::vector<char> was_changed_;  // in the one before
  std::vector<BorderEdge> borders_;
  std::vector<std::size_t> first_member_;
  std::vector<Node> members_;
  std::vector<State> states_;
  std::vector<double> gains_;
  std::vector<Node> touched_;
  std::vector<Node> sequence_;
  std::vector<Candidate> heap_;
};

}  // namespace ssap

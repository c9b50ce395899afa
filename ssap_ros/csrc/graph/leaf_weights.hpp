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

// The weights between leaves and the clusters around them.
//
// A leaf has one or two clusters beside it, rarely more: the first lies in the leaf's own entry,
// the others form a chain. Whichever was asked for last comes first, since it will be asked for
// again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "util/buffer.hpp"

namespace ssap {

template <typename Linkage>
class LeafWeights {
 public:
  using Node = std::uint32_t;
  using Weight = typename Linkage::Weight;

  // No node is a leaf.
  void start(std::size_t n_nodes) {
    first_.fill(n_nodes, Neighbour{});
    further_.clear();
  }

  void mark(Node node) { first_[node].cluster = kNone; }
  void unmark(Node leaf) { first_[leaf].cluster = kNotALeaf; }
  bool is_leaf(Node node) const { return first_[node].cluster != kNotALeaf; }

  // Calls visit(cluster, weight) for every cluster beside a leaf.
  template <typename Visit>
  void for_each(Node leaf, Visit&& visit) const {
    const Neighbour* neighbour = &first_[leaf];
    if (neighbour->cluster == kNone) return;
    visit(neighbour->cluster, neighbour->weight);
    while (neighbour->next != kEnd) {
      neighbour = &further_[neighbour->next];
      visit(neighbour->cluster, neighbour->weight);
    }
  }

  // Adds `weight` between a leaf and a cluster; returns their sum. If the cluster is a new
  // neighbour, on_new() is called.
  template <typename OnNew>
  Weight join(Node leaf, Node cluster, Weight weight, OnNew&& on_new) {
    Neighbour& first = first_[leaf];
    if (first.cluster != cluster) return join_further(leaf, cluster, weight, on_new);
    return first.weight = Linkage::join(first.weight, weight);
  }

  enum class Change { kNothing, kRenamed, kJoined };

  // Notes for a leaf that its neighbour `from` has become part of `to`; nothing happens if `from`
  // is no neighbour. The weight is set if they were joined.
  Change redirect(Node leaf, Node from, Node to, Weight& weight) {
    Neighbour* const old = find(leaf, from);
    if (!old) return Change::kNothing;
    Neighbour* const joined = find(leaf, to);
    if (!joined) {
      old->cluster = to;
      return Change::kRenamed;
    }
    weight = joined->weight = Linkage::join(joined->weight, old->weight);
    // the first further neighbour takes the place of `old`
    Neighbour& first = first_[leaf];
    const Neighbour moved = further_[first.next];
    old->cluster = moved.cluster;
    old->weight = moved.weight;
    first.next = moved.next;
    return Change::kJoined;
  }

  std::size_t bytes() const { return first_.bytes() + further_.bytes(); }

 private:
  static constexpr std::uint32_t kEnd = ~std::uint32_t{0};
  static constexpr Node kNone = ~Node{0};          // no cluster beside it
  static constexpr Node kNotALeaf = ~Node{0} - 1;  // in place of the first cluster

  struct Neighbour {
    Node cluster = kNotALeaf;
    Weight weight{};
    std::uint32_t next = kEnd;
  };

  // Kept out of the loops that call it.
  template <typename OnNew>
  [[gnu::noinline]] Weight join_further(Node leaf, Node cluster, Weight weight, OnNew&& on_new) {
    Neighbour& first = first_[leaf];
    for (std::uint32_t i = first.next; i != kEnd; i = further_[i].next) {
      Neighbour& found = further_[i];
      if (found.cluster != cluster) continue;
      std::swap(found.cluster, first.cluster);
      std::swap(found.weight, first.weight);
      return first.weight = Linkage::join(first.weight, weight);
    }
    on_new();
    if (first.cluster != kNone) {
      further_.push(first);
      first.next = static_cast<std::uint32_t>(further_.size() - 1);
    }
    first.cluster = cluster;
    return first.weight = weight;
  }

  Neighbour* find(Node leaf, Node cluster) {
    Neighbour* neighbour = &first_[leaf];
    while (neighbour->cluster != cluster) {
      if (neighbour->next == kEnd) return nullptr;
      neighbour = &further_[neighbour->next];
    }
    return neighbour;
  }

  Buffer<Neighbour> first_;
  Stack<Neighbour> further_;
};

}  // namespace ssap

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

// Who may be a neighbour of each cluster, as chains of links.
//
// A list may name a node twice, or one that is gone, or one that is no neighbour any more; whoever
// reads it asks the node itself.
#pragma once

#include <cstddef>
#include <cstdint>

#include "util/buffer.hpp"

namespace ssap {

class NeighbourLists {
 public:
  using Node = std::uint32_t;

  void start(std::size_t n_nodes) {
    lists_.fill(n_nodes, List{});
    links_.clear();
  }

  std::size_t size(Node cluster) const { return lists_[cluster].size; }

  void append(Node cluster, Node neighbour) {
    links_.push({neighbour, kEnd});
    append_link(lists_[cluster], static_cast<std::uint32_t>(links_.size() - 1));
  }

  // Moves those of `from` for which is_wanted(node) holds to `to`, and drops the others.
  template <typename IsWanted>
  void move(Node from, Node to, IsWanted&& is_wanted) {
    std::uint32_t next = kEnd;
    for (std::uint32_t link = lists_[from].first; link != kEnd; link = next) {
      next = links_[link].next;
      if (!is_wanted(links_[link].node)) continue;
      links_[link].next = kEnd;
      append_link(lists_[to], link);
    }
  }

  std::size_t bytes() const { return lists_.bytes() + links_.bytes(); }

 private:
  static constexpr std::uint32_t kEnd = ~std::uint32_t{0};

  struct List {
    std::uint32_t first = kEnd;
    std::uint32_t last = kEnd;
    std::uint32_t size = 0;
  };
  struct Link {
    Node node;
    std::uint32_t next;
  };

  void append_link(List& list, std::uint32_t link) {
    (list.size == 0 ? list.first : links_[list.last].next) = link;
    list.last = link;
    ++list.size;
  }

  Buffer<List> lists_;
  Stack<Link> links_;
};

}  // namespace ssap

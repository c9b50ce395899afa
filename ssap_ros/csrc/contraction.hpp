// A weighted graph whose nodes are merged, again and again the two that attract each other most.
//
// There are two kinds of node. A *leaf* is a single node of small degree, a pixel; it has a row
// with its neighbours and the weights towards them, and the row is always up to date: no neighbour
// twice, none that is gone. A *cluster* is anything larger: a proposal, a node of high degree, or
// what has become of merged leaves; it has only a list of who may be its neighbours. The weight
// between a leaf and a cluster lies in the leaf's row alone, the one between two clusters in a hash
// table of pairs.
//
// This fits how greedy contraction works: a few clusters grow by one leaf at a time. When a leaf is
// absorbed, each neighbouring leaf finds the absorbed one and the cluster in its own short row and
// adds up the two weights there. The cluster's side needs no search however large it has grown.
//
// Every leaf knows its best neighbour and stands in the queue with that one's priority; a pair of
// clusters stands there by itself. The best pair of all is the best of each of its leaves, so it is
// always found at the top. An entry whose priority has changed is stale and skipped.
//
// Deferral: where clusters stand for many pixels from the start (proposals), the weight between two
// of them is large from the start, while the evidence against the merge still sits in leaves
// between them. With `defer`, two clusters that both hold a proposal are not merged.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>

#include "buffer.hpp"
#include "disjoint_set.hpp"
#include "edge_queue.hpp"
#include "pair_table.hpp"

namespace ssap {

template <typename Linkage>
class Contraction {
 public:
  using Node = std::uint32_t;
  using Weight = typename Linkage::Weight;

  static constexpr std::size_t kMaxDegree = 255;  // of a leaf

  // --- building: every node is a cluster without neighbours until it is opened as a leaf ---

  void start(std::size_t n_nodes) {
    n_nodes_ = n_nodes;
    n_slots_ = 0;
    has_deferred_ = false;
    sets_.start(n_nodes);
    leaves_.room(n_nodes);
    lists_.fill(n_nodes, List{});
    kinds_.fill(n_nodes, kCluster);
    links_.clear();
    pairs_.clear();
    queue_.clear();
  }

  void mark_leaf(Node node) { kinds_[node] = kLeaf; }
  void mark_proposal(Node node) { kinds_[node] = kProposal; }
  bool is_leaf(Node node) const { return kinds_[node] == kLeaf; }

  static Weight weight(float cost) { return Linkage::of(cost); }

  // Rows are filled one after the other: open, add the neighbours, close.
  void open_row(Node leaf) {
    const std::size_t size = n_slots_ + kMaxDegree;
    targets_.grow(size, n_slots_);
    weights_.grow(size, n_slots_);
    leaves_[leaf] = {static_cast<std::uint32_t>(n_slots_), -kInfinity, 0, 0};
  }
  void add(Node neighbour, Weight weight) {
    targets_[n_slots_] = neighbour;
    weights_[n_slots_++] = weight;
  }
  // As `add`, for a neighbour that the row may hold already: their weights are joined.
  void join(Node leaf, Node neighbour, Weight weight) {
    for (std::size_t i = leaves_[leaf].row; i < n_slots_; ++i) {
      if (targets_[i] != neighbour) continue;
      weights_[i] = Linkage::join(weights_[i], weight);
      return;
    }
    add(neighbour, weight);
  }
  void close_row(Node node) {
    Leaf& leaf = leaves_[node];
    leaf.size = static_cast<std::uint8_t>(n_slots_ - leaf.row);
    for (std::size_t i = leaf.row; i < n_slots_; ++i) {
      if (kinds_[targets_[i]] != kLeaf) append(targets_[i], node);
    }
    choose_best(node);
  }

  // Adds `weight` between two clusters.
  void connect(Node a, Node b, Weight weight) {
    const auto [pair, is_new] = pairs_.insert(a, b);
    if (is_new) {
      pair->weight = weight;
      append(a, b);
      append(b, a);
    } else {
      pair->weight = Linkage::join(pair->weight, weight);
    }
    push_pair(*pair);
  }

  // --- contracting ---

  // Merges until no pair that may be merged attracts, and says so, or until `stop` (asked now and
  // then) is true.
  template <typename Stop>
  bool contract(bool defer, Stop&& stop) {
    if (!defer && std::exchange(has_deferred_, false)) {
      pairs_.for_each([this](const Pair& pair) { push_pair(pair); });
    }
    const auto is_stale = [this](EdgeQueue::Entry entry) {
      if (entry.id < kFirstPair) {
        return kinds_[entry.id] != kLeaf || leaves_[entry.id].best != entry.priority;
      }
      const Pair& pair = pairs_[entry.id - kFirstPair];
      return !pair.is_alive() || Linkage::priority(pair.weight) != entry.priority;
    };
    EdgeQueue::Entry entry{};
    for (unsigned turn = 1; queue_.pop(entry, is_stale); ++turn) {
      if (turn % 256 == 0 && stop()) return false;
      if (entry.id < kFirstPair) {
        const Node leaf = entry.id;
        const Node other = targets_[leaves_[leaf].row + leaves_[leaf].best_slot];
        if (kinds_[other] == kLeaf) become_cluster(other, leaf);
        absorb_leaf(other, leaf);
      } else {
        const Pair& pair = pairs_[entry.id - kFirstPair];
        Node kept = pair.a;
        Node absorbed = pair.b;
        if (defer && kinds_[kept] == kProposal && kinds_[absorbed] == kProposal) {
          has_deferred_ = true;
          continue;
        }
        if (lists_[kept].size < lists_[absorbed].size) std::swap(kept, absorbed);
        absorb_cluster(kept, absorbed);
      }
    }
    return true;
  }

  // The cluster that a node belongs to.
  Node find(Node node) { return sets_.find(node); }

  std::size_t bytes() const {
    return sets_.bytes() + leaves_.bytes() + lists_.bytes() + kinds_.bytes() + targets_.bytes() +
           weights_.bytes() + links_.bytes() + pairs_.bytes() + queue_.bytes();
  }

 private:
  struct Leaf {
    std::uint32_t row;
    float best;  // priority of the best neighbour
    std::uint8_t size;
    std::uint8_t best_slot;
  };
  // Who may be a neighbour of a cluster, as a chain of links; may name a node twice, or one that is
  // gone, or no longer a neighbour.
  struct List {
    std::uint32_t first = kEnd;
    std::uint32_t last = kEnd;
    std::uint32_t size = 0;
  };
  struct Link {
    Node node;
    std::uint32_t next;
  };
  enum Kind : std::uint8_t { kLeaf, kCluster, kProposal, kGone };  // kProposal: cluster with one
  using Pair = typename PairTable<Weight>::Pair;

  static constexpr std::uint32_t kEnd = ~std::uint32_t{0};
  static constexpr std::uint32_t kFirstPair = std::uint32_t{1} << 31;  // ids of pairs in the queue
  static constexpr float kInfinity = std::numeric_limits<float>::infinity();

  void push_pair(const Pair& pair) {
    const float priority = Linkage::priority(pair.weight);
    if (priority > 0.0f) queue_.push(priority, kFirstPair + pairs_.index(pair));
  }

  void append(Node cluster, Node neighbour) {
    const auto link = static_cast<std::uint32_t>(links_.size());
    links_.push({neighbour, kEnd});
    append_link(lists_[cluster], link);
  }
  void append_link(List& list, std::uint32_t link) {
    (list.size == 0 ? list.first : links_[list.last].next) = link;
    list.last = link;
    ++list.size;
  }

  void choose_best(Node node) {
    Leaf& leaf = leaves_[node];
    const Weight* const weights = &weights_[leaf.row];
    leaf.best = -kInfinity;
    for (unsigned i = 0; i < leaf.size; ++i) {
      const float priority = Linkage::priority(weights[i]);
      if (priority > leaf.best) {
        leaf.best = priority;
        leaf.best_slot = static_cast<std::uint8_t>(i);
      }
    }
    if (leaf.best > 0.0f) queue_.push(leaf.best, node);
  }

  // Tells `node` that its neighbour `from` has become part of `to`. True if that is a new
  // neighbour; nothing happens if `from` is no neighbour.
  bool redirect(Node node, Node from, Node to) {
    Leaf& leaf = leaves_[node];
    Node* const targets = &targets_[leaf.row];
    const unsigned size = leaf.size;
    unsigned old = size;
    unsigned joined = size;
    for (unsigned i = 0; i < size; ++i) {
      if (targets[i] == from) old = i;
      if (targets[i] == to) joined = i;
    }
    if (old == size) return false;
    if (joined == size) {
      targets[old] = to;
      return true;
    }
    Weight* const weights = &weights_[leaf.row];
    const Weight weight = Linkage::join(weights[joined], weights[old]);
    const float priority = Linkage::priority(weight);
    const bool lost_best = leaf.best_slot == old || leaf.best_slot == joined;
    weights[joined] = weight;
    // the last slot moves to the freed one
    const unsigned last = size - 1;
    leaf.size = static_cast<std::uint8_t>(last);
    targets[old] = targets[last];
    weights[old] = weights[last];
    if (joined == last) joined = old;
    if (leaf.best_slot == last) leaf.best_slot = static_cast<std::uint8_t>(old);
    if (priority > leaf.best) {
      leaf.best = priority;
      leaf.best_slot = static_cast<std::uint8_t>(joined);
      if (priority > 0.0f) queue_.push(priority, node);
    } else if (lost_best) {
      choose_best(node);
    }
    return false;
  }

  // A leaf becomes a cluster that is about to absorb its neighbour `partner`.
  void become_cluster(Node node, Node partner) {
    kinds_[node] = kCluster;
    const Leaf leaf = leaves_[node];
    for (std::size_t i = leaf.row; i < leaf.row + leaf.size; ++i) {
      const Node other = targets_[i];
      if (other == partner) continue;
      if (kinds_[other] == kLeaf) {
        append(node, other);
      } else {
        connect(node, other, weights_[i]);
      }
    }
  }

  void absorb_leaf(Node kept, Node absorbed) {
    kinds_[absorbed] = kGone;
    sets_.merge(kept, absorbed);
    const Leaf leaf = leaves_[absorbed];
    for (std::size_t i = leaf.row; i < leaf.row + leaf.size; ++i) {
      const Node other = targets_[i];
      if (other == kept) continue;
      if (kinds_[other] == kLeaf) {
        if (redirect(other, absorbed, kept)) append(kept, other);
      } else {
        connect(kept, other, weights_[i]);
      }
    }
  }

  void absorb_cluster(Node kept, Node absorbed) {
    if (kinds_[absorbed] == kProposal) kinds_[kept] = kProposal;
    kinds_[absorbed] = kGone;
    sets_.merge(kept, absorbed);
    pairs_.erase(*pairs_.find(kept, absorbed));
    std::uint32_t next = kEnd;
    for (std::uint32_t link = lists_[absorbed].first; link != kEnd; link = next) {
      next = links_[link].next;
      const Node other = links_[link].node;
      bool is_new = false;
      if (kinds_[other] == kLeaf) {
        is_new = redirect(other, absorbed, kept);
      } else if (kinds_[other] != kGone && other != kept) {
        is_new = redirect_cluster(other, absorbed, kept);
      }
      if (!is_new) continue;
      links_[link].next = kEnd;
      append_link(lists_[kept], link);
    }
  }

  // As `redirect`, for a cluster.
  bool redirect_cluster(Node node, Node from, Node to) {
    Pair* const old = pairs_.find(node, from);
    if (!old) return false;
    const Weight weight = old->weight;
    Pair* const joined = pairs_.find(node, to);
    if (!joined) {
      pairs_.rename(*old, node, to);
      append(node, to);
      return true;
    }
    pairs_.erase(*old);
    joined->weight = Linkage::join(joined->weight, weight);
    push_pair(*joined);
    return false;
  }

  std::size_t n_nodes_ = 0;
  std::size_t n_slots_ = 0;
  bool has_deferred_ = false;
  DisjointSet sets_;
  Buffer<Leaf> leaves_;
  Buffer<List> lists_;
  Buffer<Kind> kinds_;
  Buffer<Node> targets_;
  Buffer<Weight> weights_;
  Stack<Link> links_;
  PairTable<Weight> pairs_;
  EdgeQueue queue_;
};

}  // namespace ssap

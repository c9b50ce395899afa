// An undirected weighted graph whose nodes can be merged; at most one edge joins two nodes.
//
// Every node has a small open-addressing hash table from neighbour to edge. All tables live in one
// flat pool; a region that is outgrown or whose node is gone is handed to the next table of its
// size. Contracting walks the table of the absorbed node only, so with the larger table always kept
// all contractions together cost O(E log E) table accesses. The tables of its neighbours still name
// the absorbed node afterwards; such dead slots are skipped, and swept out when a table is rebuilt.
//
// Where a contraction makes two edges parallel, their weights are summed under the smaller of their
// two ids; the larger id keeps weight 0. Ids, and with them the ties between edges, thus depend on
// the input alone and not on which node was absorbed. The tables hold handles: the edge that a
// handle stands for may change its id without a walk through the tables.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace ssap {

class ContractionGraph {
 public:
  using Node = std::uint32_t;
  using Edge = std::uint32_t;

  // `n_edges` is a hint: the first table of a node holds the mean degree, up to 28 neighbours.
  ContractionGraph(std::size_t n_nodes, std::size_t n_edges)
      : tables_(n_nodes), is_gone_(n_nodes, false) {
    while (initial_log2_ < 5 && max_load(initial_log2_) * n_nodes < 2 * n_edges) ++initial_log2_;
    pool_.reserve(n_nodes << initial_log2_);
    id_of_handle_.reserve(n_edges);
    weights_.reserve(n_edges);
    ends_.reserve(n_edges);
  }

  std::size_t n_nodes() const { return tables_.size(); }
  std::size_t n_edges() const { return weights_.size(); }
  double weight(Edge edge) const { return weights_[edge]; }
  // The two nodes as they were when the edge was added.
  std::pair<Node, Node> ends(Edge edge) const { return ends_[edge]; }
  // The work that absorbing this node takes.
  std::uint32_t table_size(Node node) const { return tables_[node].size; }

  // Adds `weight` to the edge between two different nodes, which is made if it is not there.
  void add(Node u, Node v, double weight) {
    if (table_size(u) > table_size(v)) std::swap(u, v);
    if (const Slot* slot = find(u, v)) {
      weights_[slot->handle] += weight;  // handles are ids until the first contraction
    } else {
      add_new(u, v, weight);
    }
  }

  // As `add`, for two nodes that are known not to be joined yet.
  void add_new(Node u, Node v, double weight) {
    const auto edge = static_cast<Edge>(weights_.size());
    id_of_handle_.push_back(edge);
    weights_.push_back(weight);
    ends_.emplace_back(u, v);
    insert(u, {v, edge});
    insert(v, {u, edge});
  }

  // Merges `absorbed` into `kept` and calls changed(edge) for every summed edge. No edges may be
  // added from now on.
  template <typename Changed>
  void contract(Node kept, Node absorbed, Changed&& changed) {
    is_gone_[absorbed] = true;
    const Table table = tables_[absorbed];
    for (std::size_t i = table.offset; i < table.end(); ++i) {
      const Slot moved = pool_[i];
      if (moved.node == kEmpty || is_gone_[moved.node]) continue;
      Edge& id = id_of_handle_[moved.handle];
      if (moved.node == kept) {
        weights_[id] = 0.0;
      } else if (const Slot* slot = find(kept, moved.node)) {
        Edge& summed = id_of_handle_[slot->handle];
        if (id < summed) std::swap(id, summed);
        weights_[summed] += std::exchange(weights_[id], 0.0);
        changed(summed);
      } else {
        insert(kept, moved);
        insert(moved.node, {kept, moved.handle});
      }
    }
    release(table);
    tables_[absorbed] = Table{};
  }

 private:
  struct Slot {
    Node node;
    Edge handle;
  };
  struct Table {
    std::size_t offset = 0;
    std::uint32_t size = 0;  // slots in use, dead ones included
    std::uint32_t log2 = 0;  // of the capacity; 0 = no region yet

    std::size_t end() const { return log2 == 0 ? offset : offset + (std::size_t{1} << log2); }
  };
  static constexpr Node kEmpty = ~Node{0};

  static std::size_t max_load(std::uint32_t log2) { return (std::size_t{1} << log2) / 8 * 7; }

  // Calls stop(slot) along the probe sequence of `neighbour` until it is true; returns that slot.
  template <typename Stop>
  Slot& probe(const Table& table, Node neighbour, Stop&& stop) {
    Slot* const slots = &pool_[table.offset];
    const std::uint32_t mask = (std::uint32_t{1} << table.log2) - 1;
    std::uint32_t i = (neighbour * 2654435769u) >> (32 - table.log2);
    while (!stop(slots[i])) i = (i + 1) & mask;
    return slots[i];
  }

  // nullptr if the two nodes are not joined.
  const Slot* find(Node node, Node neighbour) {
    const Table& table = tables_[node];
    if (table.log2 == 0) return nullptr;
    const Slot& slot = probe(table, neighbour, [neighbour](const Slot& s) {
      return s.node == neighbour || s.node == kEmpty;
    });
    return slot.node == neighbour ? &slot : nullptr;
  }

  void insert(Node node, Slot slot) {
    Table& table = tables_[node];
    if (table.log2 == 0) {
      table = allocate(initial_log2_);
    } else if (table.size == max_load(table.log2)) {
      rebuild(table);
    }
    place(table, slot);
  }

  void place(Table& table, Slot slot) {
    probe(table, slot.node, [](const Slot& s) { return s.node == kEmpty; }) = slot;
    ++table.size;
  }

  // Sweeps out the dead slots, and doubles the capacity if that frees less than half of it.
  void rebuild(Table& table) {
    const Table old = table;
    std::size_t n_live = 0;
    for (std::size_t i = old.offset; i < old.end(); ++i) {
      if (pool_[i].node != kEmpty && !is_gone_[pool_[i].node]) ++n_live;
    }
    table = allocate(n_live <= max_load(old.log2) / 2 ? old.log2 : old.log2 + 1);
    for (std::size_t i = old.offset; i < old.end(); ++i) {
      if (pool_[i].node != kEmpty && !is_gone_[pool_[i].node]) place(table, pool_[i]);
    }
    release(old);
  }

  Table allocate(std::uint32_t log2) {
    Table table;
    table.log2 = log2;
    std::vector<std::size_t>& free_regions = free_regions_[log2];
    if (free_regions.empty()) {
      table.offset = pool_.size();
      pool_.resize(table.end(), Slot{kEmpty, 0});
    } else {
      table.offset = free_regions.back();
      free_regions.pop_back();
      for (std::size_t i = table.offset; i < table.end(); ++i) pool_[i].node = kEmpty;
    }
    return table;
  }

  void release(const Table& table) {
    if (table.log2 != 0) free_regions_[table.log2].push_back(table.offset);
  }

  std::vector<Slot> pool_;
  std::vector<Table> tables_;
  std::vector<char> is_gone_;
  std::array<std::vector<std::size_t>, 32> free_regions_;
  std::vector<Edge> id_of_handle_;
  std::vector<double> weights_;
  std::vector<std::pair<Node, Node>> ends_;
  std::uint32_t initial_log2_ = 3;
};

}  // namespace ssap

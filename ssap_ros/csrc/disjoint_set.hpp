// Disjoint sets over the integers 0 .. size-1.
//
// Every set is a tree whose root names it. `find` walks to the root and halves the path on its way,
// which keeps the trees flat; `merge` hangs one root below another that the caller has chosen, so
// that the caller decides which name survives.
#pragma once

#include <cstddef>
#include <cstdint>
#include <numeric>
#include <vector>

namespace ssap {

class DisjointSet {
 public:
  explicit DisjointSet(std::size_t size) : parent_(size) {
    std::iota(parent_.begin(), parent_.end(), std::uint32_t{0});
  }

  std::uint32_t find(std::uint32_t element) {
    while (parent_[element] != element) {
      parent_[element] = parent_[parent_[element]];
      element = parent_[element];
    }
    return element;
  }

  // Both arguments are roots; the union is called `kept` from now on.
  void merge(std::uint32_t kept, std::uint32_t absorbed) { parent_[absorbed] = kept; }

  // One label per element, 0, 1, 2, ... in the order in which the sets first occur.
  std::vector<std::int32_t> labels() {
    std::vector<std::int32_t> label_of_root(parent_.size(), -1);
    std::vector<std::int32_t> result(parent_.size());
    std::int32_t n_labels = 0;
    for (std::uint32_t element = 0; element < parent_.size(); ++element) {
      std::int32_t& label = label_of_root[find(element)];
      if (label < 0) label = n_labels++;
      result[element] = label;
    }
    return result;
  }

 private:
  std::vector<std::uint32_t> parent_;
};

}  // namespace ssap

// Cascaded graph partition (section 3.3 of the SSAP paper): coarse to fine.
//
// At the coarsest level every pixel of a thing class is a node, and the multicut cuts them into
// segments. A segment's inner region (the segment without a margin) is beyond doubt: at the next
// level, twice as fine, it is one node, a proposal, and only the remaining pixels are decided anew.
// A proposal may consist of several parts, e.g. an object behind a pole: it stays one node. A fine
// pixel leaves the proposal where its own class is another one. The weight between two nodes is the
// sum over all pixel pairs between them, and pairs within a proposal are never looked at.
//
// Pixels of different classes are kept apart, except at the finest level if it is joint.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "grid_graph.hpp"
#include "multicut.hpp"

namespace ssap {

struct CascadeLevel {
  GridSize size;
  const float* costs;           // (12, height, width)
  const std::uint8_t* classes;  // (height, width), 0 = not a thing
};

namespace detail {

// Keeps the label of the pixels whose square neighbourhood, as far as it lies in the image, has no
// other label; 0 elsewhere.
inline std::vector<std::int32_t> inner_regions(const std::vector<std::int32_t>& labels,
                                               GridSize size, std::ptrdiff_t radius) {
  radius = std::min(radius, std::max(size.height, size.width));
  const auto erode = [radius](const std::int32_t* in, std::int32_t* out, std::ptrdiff_t length,
                              std::ptrdiff_t step) {
    std::ptrdiff_t run_start = 0;
    for (std::ptrdiff_t i = 1; i <= length; ++i) {
      if (i < length && in[i * step] == in[run_start * step]) continue;
      const std::ptrdiff_t first = run_start == 0 ? 0 : run_start + radius;
      const std::ptrdiff_t last = i == length ? length : i - radius;
      for (std::ptrdiff_t j = first; j < last; ++j) out[j * step] = in[j * step];
      run_start = i;
    }
  };
  std::vector<std::int32_t> rows(labels.size(), 0);
  std::vector<std::int32_t> inner(labels.size(), 0);
  for (std::ptrdiff_t y = 0; y < size.height; ++y) {
    erode(labels.data() + y * size.width, rows.data() + y * size.width, size.width, 1);
  }
  for (std::ptrdiff_t x = 0; x < size.width; ++x) {
    erode(rows.data() + x, inner.data() + x, size.height, size.width);
  }
  return inner;
}

struct LevelNodes {
  NodeMap map;
  std::vector<char> is_proposal;  // one flag per node

  std::int32_t add(bool proposal) {
    is_proposal.push_back(proposal);
    return static_cast<std::int32_t>(is_proposal.size()) - 1;
  }
};

// Numbers the nodes of a level in raster order: one for each proposal, one for each other thing
// pixel. `proposals` holds a label per pixel of the coarser level, 0 = none; without a coarser
// level (nullptr) every thing pixel is a node.
inline LevelNodes assign_nodes(const CascadeLevel& level, const CascadeLevel* coarser,
                               const std::vector<std::int32_t>& proposals) {
  LevelNodes nodes{NodeMap(level.size), {}};
  const auto max_proposal = std::max_element(proposals.begin(), proposals.end());
  std::vector<std::int32_t> node_of_proposal(
      max_proposal == proposals.end() ? 0 : static_cast<std::size_t>(*max_proposal) + 1,
      NodeMap::kNone);
  for (std::ptrdiff_t y = 0; y < level.size.height; ++y) {
    std::int32_t* const row = nodes.map.row(y);
    const std::uint8_t* const classes = level.classes + y * level.size.width;
    const std::ptrdiff_t parent_row = coarser ? y / 2 * coarser->size.width : 0;
    for (std::ptrdiff_t x = 0; x < level.size.width; ++x) {
      if (classes[x] == 0) continue;
      const std::ptrdiff_t parent = parent_row + x / 2;
      if (!coarser || coarser->classes[parent] != classes[x] || proposals[parent] == 0) {
        row[x] = nodes.add(false);
        continue;
      }
      std::int32_t& node = node_of_proposal[proposals[parent]];
      if (node == NodeMap::kNone) node = nodes.add(true);
      row[x] = node;
    }
  }
  return nodes;
}

// Labels of one level, 0 = background, 1 .. N in raster order. `proposals` as in `assign_nodes`.
inline std::vector<std::int32_t> partition_level(const CascadeLevel& level,
                                                 const CascadeLevel* coarser,
                                                 const std::vector<std::int32_t>& proposals,
                                                 bool joint) {
  LevelNodes nodes = assign_nodes(level, coarser, proposals);
  ContractionGraph graph = grid_graph(level.size, level.costs, nodes.map, nodes.is_proposal,
                                      joint ? nullptr : level.classes);
  const std::vector<std::int32_t> clusters = greedy_additive(graph, std::move(nodes.is_proposal));
  std::vector<std::int32_t> labels;
  labels.reserve(level.size.area());
  for (std::ptrdiff_t y = 0; y < level.size.height; ++y) {
    const std::int32_t* const row = nodes.map.row(y);
    for (std::ptrdiff_t x = 0; x < level.size.width; ++x) {
      labels.push_back(row[x] == NodeMap::kNone ? 0 : clusters[row[x]] + 1);
    }
  }
  return labels;
}

}  // namespace detail

// Labels of the finest level: 0 = background, 1 .. N in the raster order of their first pixel.
// `levels`: finest first, at least one, each half the size of the one before (rounded up).
inline std::vector<std::int32_t> cascaded_graph_partition(const std::vector<CascadeLevel>& levels,
                                                          std::ptrdiff_t erosion_radius,
                                                          bool joint_finest) {
  std::vector<std::int32_t> labels;
  for (std::size_t i = levels.size(); i-- > 0;) {
    const CascadeLevel* const coarser = i + 1 < levels.size() ? &levels[i + 1] : nullptr;
    std::vector<std::int32_t> proposals;
    if (coarser) proposals = detail::inner_regions(labels, coarser->size, erosion_radius);
    labels = detail::partition_level(levels[i], coarser, proposals, joint_finest && i == 0);
  }
  return labels;
}

}  // namespace ssap

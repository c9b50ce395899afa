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

// Cascaded graph partition (section 3.3 of the SSAP paper): coarse to fine.
//
// At the coarsest level every pixel of a thing class is a node, and the multicut cuts them into
// segments. A segment's inner region, away from other segments, is beyond doubt: at the next level,
// twice as fine, it is one node, a proposal, and only the remaining pixels are decided again.
// A proposal may consist of several parts, e.g. an object behind a pole: it stays one node. A fine
// pixel leaves the proposal where its own class is another one. The weight between two nodes is the
// sum over all pixel pairs between them, and pairs within a proposal are never read.
//
// Two segments that a level is sure of, since the costs between them sum up to a strong repulsion,
// are kept apart at all finer levels. Else two proposals would be merged wherever their border has
// moved further from one level to the next than the remaining pixels reach: these then all belong
// to one of the two, attract the other as well, and the border itself is never read.
//
// Pixels of different classes are kept apart, except at the finest level if it is joint.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <tuple>
#include <vector>

#include "cascade/inner_regions.hpp"
#include "cascade/level_graph.hpp"
#include "graph/contraction.hpp"
#include "graph/linkage.hpp"
#include "util/buffer.hpp"
#include "util/stopwatch.hpp"

namespace ssap {

struct CascadeOptions {
  std::ptrdiff_t erosion_radius = 1;
  bool joint_finest = true;
  double max_ms = std::numeric_limits<double>::infinity();
};

struct LevelReport {
  std::size_t n_nodes = 0;
  double costs_ms = 0.0;
  double graph_ms = 0.0;  // building it, without the costs
  double solve_ms = 0.0;
  double labels_ms = 0.0;
};

struct CascadeReport {
  bool is_valid = true;             // of the affinities that were read and scores
  bool is_complete = true;          // no level was given up for lack of time
  std::vector<LevelReport> levels;  // coarsest first
  std::size_t bytes = 0;
};

// The memory of one cascade at a time.
class Cascade {
 public:
  // Labels of the finest level: 0 = background, 1 .. N in the raster order of their first pixel.
  // `levels`: finest first, at least one, each half the size of the one before (rounded up);
  // `coarser`: levels that only serve for long-range edges of the coarsest of `levels`.
  template <typename Linkage>
  CascadeReport run(const std::vector<CascadeLevel>& levels, const std::vector<Affinities>& coarser,
                    const CascadeOptions& options, const RowKernels& kernels,
                    std::int32_t* labels) {
    const Stopwatch watch;
    const auto stop = [&] { return watch.ms() > options.max_ms; };
    auto& graph = std::get<Contraction<Linkage>>(graphs_);
    kept_apart_.clear();
    CascadeReport report;
    CascadeLevel start = levels.back();
    report.is_valid = find_long_range(start, coarser, kernels);
    Proposals proposals;
    for (std::size_t i = levels.size(); i-- > 0;) {
      const bool is_start = i + 1 == levels.size();
      const CascadeLevel& level = is_start ? start : levels[i];
      const GridSize size = level.affinities.size;
      LevelReport& spent = report.levels.emplace_back();

      Stopwatch stage;
      level_graph_.start(level, proposals, options.joint_finest && i == 0, kernels, graph);
      for (const auto& [a, b] : kept_apart_) graph.connect(a, b, Linkage::of(-kInfinity));
      bool in_time = level_graph_.add_edges(graph, stop);
      spent.n_nodes = level_graph_.n_nodes();
      spent.costs_ms = level_graph_.costs_ms();
      spent.graph_ms = stage.ms() - spent.costs_ms;
      report.is_valid &= level_graph_.is_valid();

      stage = Stopwatch();
      in_time = in_time && (is_start || graph.contract(true, stop)) && graph.contract(false, stop);
      spent.solve_ms = stage.ms();

      stage = Stopwatch();
      report.is_complete = in_time;
      if (!in_time && !is_start) {
        carry(levels, i + 1, labels);
        break;
      }
      std::int32_t* const out = i == 0 ? labels : segments_.reserve(size.area());
      const std::size_t n_labels = level_graph_.label(graph, out);
      if (!in_time && i > 0) carry(levels, i, labels);
      if (!in_time) break;
      if (i > 0) {
        inner_regions_.start(out, size, options.erosion_radius);
        find_kept_apart<Linkage>(graph);
        proposals = {&inner_regions_, level.classes, size.width, n_labels};
      }
      spent.labels_ms = stage.ms();
    }
    report.bytes = bytes();
    return report;
  }

 private:
  using Node = std::uint32_t;
  struct ProposalPair {
    Node a;
    Node b;
  };
  static constexpr float kInfinity = std::numeric_limits<float>::infinity();
  // The sum of costs, as log-odds, at which a level is sure that two segments are two objects. From
  // 15 to 30 the quality is the same; towards 0 mistakes of coarse levels become final.
  static constexpr float kSurelyApart = -20.0f;

  // The proposals of the next level that must not be merged, from this level's pairs of segments.
  template <typename Linkage>
  void find_kept_apart(Contraction<Linkage>& graph) {
    kept_apart_.clear();
    graph.for_each_pair([&](Node a, Node b, typename Linkage::Weight weight) {
      if (Linkage::total(weight) > kSurelyApart) return;
      const std::int32_t label_a = level_graph_.label_of(a);
      const std::int32_t label_b = level_graph_.label_of(b);
      if (label_a != 0 && label_b != 0) kept_apart_.push({Node(label_a - 1), Node(label_b - 1)});
    });
  }

  // The costs of the levels that only serve for long-range edges.
  bool find_long_range(CascadeLevel& start, const std::vector<Affinities>& coarser,
                       const RowKernels& kernels) {
    bool is_valid = true;
    long_range_.clear();
    long_range_costs_.resize(std::max(long_range_costs_.size(), coarser.size()));
    for (std::size_t i = 0; i < coarser.size(); ++i) {
      float* const costs = long_range_costs_[i].reserve(kNumOffsets * coarser[i].size.area());
      is_valid &= edge_costs(coarser[i], kernels, costs);
      long_range_.push_back({coarser[i].size, std::ptrdiff_t{2} << i, costs});
    }
    start.long_range = long_range_.data();
    start.n_long_range = long_range_.size();
    return is_valid;
  }

  // The segments of level `i`, the last one that was finished, for the pixels of thing classes at
  // the finest level.
  void carry(const std::vector<CascadeLevel>& levels, std::size_t i, std::int32_t* labels) {
    const GridSize size = levels[0].affinities.size;
    const std::ptrdiff_t width = levels[i].affinities.size.width;
    std::int32_t n_labels = 0;
    new_label_.fill(levels[i].affinities.size.area() + 1, 0);
    for (std::ptrdiff_t y = 0; y < size.height; ++y) {
      for (std::ptrdiff_t x = 0; x < size.width; ++x) {
        const std::int32_t coarse = segments_[(y >> i) * width + (x >> i)];
        std::int32_t label = 0;
        if (coarse != 0 && levels[0].classes[y * size.width + x] != 0) {
          std::int32_t& known = new_label_[coarse];
          if (known == 0) known = ++n_labels;
          label = known;
        }
        *labels++ = label;
      }
    }
  }

  std::size_t bytes() const {
    std::size_t sum = level_graph_.bytes() + inner_regions_.bytes() + kept_apart_.bytes() +
                      segments_.bytes() + new_label_.bytes();
    for (const auto& costs : long_range_costs_) sum += costs.bytes();
    std::apply([&](const auto&... graph) { sum += (graph.bytes() + ...); }, graphs_);
    return sum;
  }

  LevelGraph level_graph_;
  InnerRegions inner_regions_;
  std::tuple<Contraction<SumLinkage>, Contraction<MeanLinkage>, Contraction<MutexLinkage>> graphs_;
  std::vector<LongRange> long_range_;
  std::vector<Buffer<float>> long_range_costs_;
  Stack<ProposalPair> kept_apart_;
  Buffer<std::int32_t> segments_;  // of the last finished level that is not the finest
  Buffer<std::int32_t> new_label_;
};

}  // namespace ssap

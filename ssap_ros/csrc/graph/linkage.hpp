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

// How the evidence between two clusters is summed up, and with it the order of contraction.
//
// A linkage has a Weight that it keeps for every pair of clusters, made from the cost of one edge;
// `join` is the weight of a pair whose parts were two pairs before, and a pair whose `priority` is
// positive attracts. The pair of the highest priority is contracted first. `total` is the sum of
// the costs, as far as the weight tells.
//
// The product takes the sum. The two others are library functions of ssap_ros.partition, to compare
// with; they are compiled in, and take no memory unless they are called.
#pragma once

#include <cmath>

namespace ssap {

// The sum of all costs: greedy additive edge contraction (GAEC, Keuper et al., ICCV 2015).
struct SumLinkage {
  using Weight = float;
  static Weight of(float cost) { return cost; }
  static Weight join(Weight a, Weight b) { return a + b; }
  static float priority(Weight w) { return w; }
  static float total(Weight w) { return w; }
};

// Their mean: signed average linkage (GASP, Bailoni et al., CVPR 2022).
struct MeanLinkage {
  struct Weight {
    float sum;
    float count;
  };
  static Weight of(float cost) { return {cost, 1.0f}; }
  static Weight join(Weight a, Weight b) { return {a.sum + b.sum, a.count + b.count}; }
  static float priority(Weight w) { return w.sum / w.count; }
  static float total(Weight w) { return w.sum; }
};

// The cost of the largest magnitude: the mutex watershed (Wolf et al., ECCV 2018). Two clusters
// between which the strongest cost is a repulsion stay apart for good, and attractions are
// served from the strongest to the weakest, which is what its sorted list of edges does.
struct MutexLinkage {
  using Weight = float;
  static Weight of(float cost) { return cost; }
  static Weight join(Weight a, Weight b) { return std::abs(a) >= std::abs(b) ? a : b; }
  static float priority(Weight w) { return w; }
  static float total(Weight w) { return w; }
};

}  // namespace ssap

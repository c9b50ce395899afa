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

// Graphs: their partitions, and the queue of the contraction.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

#include "exercise.hpp"
#include "graph/kernighan_lin.hpp"
#include "graph/multicut.hpp"
#include "graph/tournament.hpp"

namespace {

struct Graph {
  std::size_t n_nodes;
  std::vector<std::int64_t> uv_ids;
  std::vector<double> costs;

  ssap::EdgeList view() const { return {n_nodes, uv_ids.data(), costs.data(), costs.size()}; }
};

Graph graph(Random& random) {
  Graph result;
  result.n_nodes = static_cast<std::size_t>(draw(random, 2, 300));
  const auto n = static_cast<int>(result.n_nodes);
  const std::ptrdiff_t n_edges = draw(random, 0, 12 * n);
  const bool has_hub = draw(random, 0, 1) == 1;
  const bool is_tied = draw(random, 0, 1) == 1;
  std::normal_distribution<double> normal;
  for (std::ptrdiff_t i = 0; i < n_edges; ++i) {
    const std::ptrdiff_t u = has_hub && i % 3 == 0 ? 0 : draw(random, 0, n - 1);
    const std::ptrdiff_t v = (u + draw(random, 1, n - 1)) % n;
    result.uv_ids.insert(result.uv_ids.end(), {u, v});
    result.costs.push_back(is_tied ? static_cast<double>(draw(random, -2, 2)) : normal(random));
  }
  return result;
}

void exercise_partitions(unsigned n_cases) {
  ssap::GraphPartition partition;
  for (unsigned seed = 0; seed < n_cases; ++seed) {
    Random random(seed);
    const Graph problem = graph(random);
    const ssap::EdgeList edges = problem.view();
    require(edges.is_valid(), "the graph is valid");
    std::vector<std::int64_t> labels(problem.n_nodes);
    partition.run<ssap::MeanLinkage>(edges, labels.data());
    partition.run<ssap::MutexLinkage>(edges, labels.data());
    partition.run<ssap::SumLinkage>(edges, labels.data());
    std::vector<double> sums(problem.n_nodes * problem.n_nodes, 0.0);
    for (std::size_t i = 0; i < edges.n_edges; ++i) {
      const std::int64_t a = labels[static_cast<std::size_t>(edges.uv_ids[2 * i])];
      const std::int64_t b = labels[static_cast<std::size_t>(edges.uv_ids[2 * i + 1])];
      const auto at = static_cast<std::size_t>(std::min(a, b)) * problem.n_nodes +
                      static_cast<std::size_t>(std::max(a, b));
      if (a != b) sums[at] += edges.costs[i];
    }
    for (const double sum : sums) require(sum <= 1e-3, "no two clusters attract each other");
    const double before = ssap::multicut_objective(edges, labels.data());
    ssap::KernighanLin().run(edges, labels.data(), ~std::size_t{0}, [] { return false; });
    const double after = ssap::multicut_objective(edges, labels.data());
    require(after <= before, "Kernighan-Lin never worsens");
  }
}

// Against a list that is searched.
void exercise_tournament(unsigned n_cases) {
  ssap::Tournament tournament;
  for (unsigned seed = 0; seed < n_cases; ++seed) {
    Random random(seed);
    const std::ptrdiff_t start_size = draw(random, 0, 400);
    tournament.start(static_cast<std::size_t>(start_size));
    std::vector<float> priorities(static_cast<std::size_t>(start_size), 0.0f);
    for (int turn = 0; turn < 500; ++turn) {
      // some numbers are new
      const auto id =
          static_cast<std::size_t>(draw(random, 0, static_cast<int>(start_size) + turn));
      if (id >= priorities.size()) priorities.resize(id + 1, 0.0f);
      const auto priority = static_cast<float>(draw(random, -5, 20));
      tournament.set(static_cast<std::uint32_t>(id), priority);
      priorities[id] = std::max(priority, 0.0f);
      const auto best = std::max_element(priorities.begin(), priorities.end());
      require(tournament.best_priority() == *best, "the best priority is the largest");
      if (*best > 0.0f) {
        require(tournament.best() == best - priorities.begin(), "the first of the best is served");
      }
    }
  }
}

}  // namespace

void exercise_graph(unsigned n_cases) {
  exercise_tournament(n_cases);
  exercise_partitions(n_cases);
}

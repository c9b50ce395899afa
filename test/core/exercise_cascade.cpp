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

// The cascade: its laws, its threads and its workspace.
#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <random>
#include <thread>
#include <vector>

#include "cascade/cascade.hpp"
#include "exercise.hpp"
#include "util/pool.hpp"

// The sanitizers bring allocators of their own, which must not be replaced.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define COUNTS_ALLOCATIONS

namespace {
std::atomic<long> n_allocations{0};
}

// Not inlined, or the compiler sees only one of a pair and takes it for a mismatch.
[[gnu::noinline]] void* operator new(std::size_t size) {
  ++n_allocations;
  if (void* const memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
#endif

namespace {

using Labels = std::vector<std::int32_t>;

// One level: blocks of things with logits that mostly agree with them.
struct Level {
  ssap::GridSize size;
  std::vector<float> logits;
  std::vector<std::uint8_t> classes;

  ssap::CascadeLevel view(const float* scores, std::size_t n_classes) const {
    return {{logits.data(), false, ssap::Meaning::kLogits, 25, size, 1e-4f, scores, n_classes},
            classes.data()};
  }
};

Level level(Random& random, ssap::GridSize size, std::ptrdiff_t block, float noise) {
  Level result{size, std::vector<float>(25 * size.area()), {}};
  std::normal_distribution<float> normal;
  const auto id = [&](std::ptrdiff_t y, std::ptrdiff_t x) { return y / block * 7 + x / block; };
  for (std::ptrdiff_t y = 0; y < size.height; ++y) {
    for (std::ptrdiff_t x = 0; x < size.width; ++x) {
      result.classes.push_back(static_cast<std::uint8_t>(id(y, x) % 3));
      for (std::ptrdiff_t c = 0; c < 25; ++c) {
        const bool same = id(y + c / 5 - 2, x + c % 5 - 2) == id(y, x);
        const auto at = static_cast<std::size_t>((c * size.height + y) * size.width + x);
        result.logits[at] = (same ? 3.0f : -3.0f) + noise * normal(random);
      }
    }
  }
  return result;
}

void check_labels(const Level& finest, const Labels& labels, bool is_complete) {
  std::int32_t n_labels = 0;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    require(labels[i] >= 0 && labels[i] <= n_labels + 1, "labels are numbered in raster order");
    n_labels = std::max(n_labels, labels[i]);
    if (is_complete) require((labels[i] > 0) == (finest.classes[i] > 0), "every thing is labelled");
    require(labels[i] == 0 || finest.classes[i] > 0, "only things are labelled");
  }
}

struct Problem {
  std::vector<Level> levels;
  std::vector<float> scores;
  ssap::CascadeOptions options;
  std::size_t n_long_range = 0;

  explicit Problem(unsigned seed) {
    Random random(seed);
    ssap::GridSize size{draw(random, 1, 90), draw(random, 1, 130)};
    const auto n_levels = static_cast<std::size_t>(draw(random, 1, 4));
    std::ptrdiff_t block = draw(random, 4, 40);
    for (std::size_t i = 0; i < n_levels; ++i) {
      levels.push_back(level(random, size, block, 1.5f));
      size = {(size.height + 1) / 2, (size.width + 1) / 2};
      block = std::max<std::ptrdiff_t>(1, block / 2);
    }
    n_long_range = static_cast<std::size_t>(draw(random, 0, static_cast<int>(n_levels) - 1));
    options.erosion_radius = draw(random, 0, 2);
    options.joint_finest = draw(random, 0, 1) == 1;
    if (draw(random, 0, 1) == 1) scores.assign(2 * levels[0].size.area(), 0.5f);
  }

  template <typename Linkage>
  ssap::CascadeReport solve(ssap::Cascade& cascade, const ssap::CascadeOptions& chosen,
                            Labels& labels) const {
    std::vector<ssap::CascadeLevel> views;
    std::vector<ssap::Affinities> coarser;
    for (std::size_t i = 0; i < levels.size(); ++i) {
      const bool refine = i == 0 && !scores.empty();
      const ssap::CascadeLevel view = levels[i].view(refine ? scores.data() : nullptr, 2);
      if (i + n_long_range < levels.size()) {
        views.push_back(view);
      } else {
        coarser.push_back(view.affinities);
      }
    }
    labels.assign(levels[0].size.area(), -1);
    const ssap::RowKernels& kernels = *ssap::simd_paths().front().kernels;
    return cascade.run<Linkage>(views, coarser, chosen, kernels, labels.data());
  }
};

void exercise_levels(unsigned n_cases) {
  ssap::Cascade cascade;
  for (unsigned seed = 0; seed < n_cases; ++seed) {
    const Problem problem(seed);
    Labels labels;
    Labels again;
    check_labels(problem.levels[0], labels,
                 problem.solve<ssap::MeanLinkage>(cascade, problem.options, labels).is_complete);
    check_labels(problem.levels[0], labels,
                 problem.solve<ssap::MutexLinkage>(cascade, problem.options, labels).is_complete);
    const auto report = problem.solve<ssap::SumLinkage>(cascade, problem.options, labels);
    require(report.is_complete && report.is_valid, "a run without a limit is complete");
    check_labels(problem.levels[0], labels, true);
    ssap::Cascade fresh;
    problem.solve<ssap::SumLinkage>(fresh, problem.options, again);
    require(labels == again, "a used workspace gives what a fresh one gives");
    for (const double max_ms : {1e-6, 0.02, 0.1, 0.5}) {
      ssap::CascadeOptions options = problem.options;
      options.max_ms = max_ms;
      const auto cut = problem.solve<ssap::SumLinkage>(cascade, options, again);
      check_labels(problem.levels[0], again, cut.is_complete);
      require(!cut.is_complete || labels == again, "in time, the result is the result");
    }
  }
}

// Several threads share a pool; each must get what one thread gets.
void exercise_threads(unsigned n_cases) {
  ssap::Pool<ssap::Cascade> pool;
  std::vector<Labels> expected(n_cases);
  for (unsigned seed = 0; seed < n_cases; ++seed) {
    const ssap::Pool<ssap::Cascade>::Loan cascade(pool);
    const Problem problem(seed);
    problem.solve<ssap::SumLinkage>(*cascade, problem.options, expected[seed]);
  }
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (unsigned i = 0; i < n_cases; ++i) {
        const unsigned seed = (i + t) % n_cases;
        const ssap::Pool<ssap::Cascade>::Loan cascade(pool);
        const Problem problem(seed);
        Labels labels;
        problem.solve<ssap::SumLinkage>(*cascade, problem.options, labels);
        require(labels == expected[seed], "threads do not change the result");
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

#ifdef COUNTS_ALLOCATIONS
void exercise_workspace() {
  const Problem problem(3);
  ssap::Cascade cascade;
  Labels labels;
  for (int warm_up = 0; warm_up < 2; ++warm_up) {
    problem.solve<ssap::SumLinkage>(cascade, problem.options, labels);
  }
  const long before = n_allocations;
  problem.solve<ssap::SumLinkage>(cascade, problem.options, labels);
  // the lists of levels that the caller makes, and the report's
  require(n_allocations - before <= 12, "a used workspace does not allocate");
}
#endif

}  // namespace

void exercise_cascade(unsigned n_cases) {
  exercise_levels(n_cases);
  exercise_threads(std::max(1u, n_cases / 5));
#ifdef COUNTS_ALLOCATIONS
  exercise_workspace();
#endif
}

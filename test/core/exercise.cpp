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

// Exercises the core without Python: random inputs from a fixed seed, and the laws that every
// result obeys. Built with sanitizers by `make sanitize`, and for a Jetson's processor by `make
// test-aarch64`. Exits with 1 and says what went wrong if a law is broken.
#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "cascade/cascade.hpp"
#include "graph/kernighan_lin.hpp"
#include "graph/multicut.hpp"
#include "graph/tournament.hpp"
#include "pixel/area_resize.hpp"
#include "pixel/class_maps.hpp"
#include "pixel/edge_costs.hpp"
#include "pixel/upsample.hpp"
#include "space/placed_object.hpp"
#include "space/surface.hpp"
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

using Random = std::mt19937;
using Labels = std::vector<std::int32_t>;

void require(bool law, const char* words) {
  if (law) return;
  std::fprintf(stderr, "exercise: broken: %s\n", words);
  std::exit(1);
}

std::ptrdiff_t draw(Random& random, int low, int high) {
  return std::uniform_int_distribution<>(low, high)(random);
}

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

void exercise_cascade(unsigned n_cases) {
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

void exercise_graphs(unsigned n_cases) {
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

// Every instruction set against double precision.
void exercise_costs(unsigned n_cases) {
  for (unsigned seed = 0; seed < n_cases; ++seed) {
    Random random(seed);
    const ssap::GridSize size{draw(random, 1, 7), draw(random, 1, 70)};
    std::normal_distribution<float> normal(0.0f, 4.0f);
    std::vector<float> logits(25 * size.area());
    for (float& x : logits) x = normal(random);
    const ssap::Affinities in{logits.data(), false, ssap::Meaning::kLogits, 25, size, 1e-4f,
                              nullptr,       0};
    for (const ssap::SimdPath& path : ssap::simd_paths()) {
      std::vector<float> costs(ssap::kNumOffsets * size.area());
      require(ssap::edge_costs(in, *path.kernels, costs.data()), "the costs are finite");
      for (std::size_t k = 0; k < ssap::kNumOffsets; ++k) {
        const auto [dy, dx] = ssap::kOffsets[k];
        for (std::ptrdiff_t y = 0; y + dy < size.height; ++y) {
          for (std::ptrdiff_t x = std::max(0, -dx); x < size.width && x + dx < size.width; ++x) {
            const auto at = [&](std::size_t channel, std::ptrdiff_t i, std::ptrdiff_t j) {
              const std::size_t index = channel * size.area();
              return index + static_cast<std::size_t>(i * size.width + j);
            };
            const double a = 1 / (1 + std::exp(-double{logits[at(13 + k, y, x)]}));
            const double b = 1 / (1 + std::exp(-double{logits[at(11 - k, y + dy, x + dx)]}));
            const double alpha = std::clamp((a + b) / 2, 1e-4, 1 - 1e-4);
            const double expected = std::log(alpha / (1 - alpha));
            const double error = std::abs(costs[at(k, y, x)] - expected);
            require(error <= 1e-5 * std::max(1.0, std::abs(expected)),
                    ("costs of path " + path.name).c_str());
          }
        }
      }
    }
  }
}

void exercise_upsampling(unsigned n_cases) {
  for (unsigned seed = 0; seed < n_cases; ++seed) {
    Random random(seed);
    const ssap::GridSize cells{draw(random, 1, 20), draw(random, 1, 20)};
    const ssap::GridSize size{draw(random, 1, 60), draw(random, 1, 60)};
    Labels labels(cells.area());
    for (std::int32_t& label : labels) label = static_cast<std::int32_t>(draw(random, 0, 3));
    Labels out(size.area(), -1);
    ssap::upsample_labels(labels.data(), cells, size, 0.1 + 0.1 * (seed % 13), out.data());
    for (const std::int32_t label : out) require(label >= 0 && label <= 3, "labels are labels");
  }
}

// The copies for AVX2 and for every machine give the same bits, and nothing beside the maps is read
// or written.
void exercise_images(unsigned n_cases) {
  for (unsigned seed = 0; seed < n_cases; ++seed) {
    Random random(seed);
    const ssap::GridSize target{draw(random, 1, 20), draw(random, 1, 20)};
    const ssap::GridSize source{target.height + draw(random, 0, 90),
                                target.width + draw(random, 0, 90)};
    std::vector<std::uint8_t> image(3 * source.area());
    for (std::uint8_t& value : image) value = static_cast<std::uint8_t>(draw(random, 0, 255));
    const std::array<float, 3> factor{0.1F, 0.2F, 0.3F};
    const std::array<float, 3> offset{1, 2, 3};
    const auto area = static_cast<std::ptrdiff_t>(target.area());
    const auto planes = [area](std::vector<float>& out) {
      return std::array<float*, 3>{out.data(), out.data() + area, out.data() + 2 * area};
    };
    std::vector<float> plain(3 * target.area());
    std::vector<float> fast(3 * target.area());
    ssap::detail::area_resize(image.data(), source, target, factor, offset, planes(plain),
                              target.width);
    ssap::area_resize(image.data(), source, target, factor, offset, planes(fast), target.width);
    require(plain == fast, "images of both copies");

    std::vector<float> logits(4 * source.area());
    for (float& logit : logits) logit = 0.1F * static_cast<float>(draw(random, -99, 99));
    const ssap::ClassMaps maps{logits.data(), static_cast<std::ptrdiff_t>(source.area()),
                               source.width, target};
    const std::vector<std::size_t> chosen{3, 1};
    std::vector<float> shares(2 * target.area());
    std::vector<float> same(2 * target.area());
    ssap::detail::softmax(maps, chosen, shares.data());
    ssap::softmax(maps, chosen, same.data());
    require(shares == same, "distributions of both copies");
    std::vector<std::uint8_t> classes(target.area());
    ssap::best_class(maps, {7, 5, 3, 1}, classes.data());
    for (const std::uint8_t name : classes) require(name % 2 == 1 && name < 8, "class names");
  }
}

// Against plain loops.
void exercise_space(unsigned n_cases) {
  for (unsigned seed = 0; seed < n_cases; ++seed) {
    Random random(seed);
    std::normal_distribution<float> normal;
    const auto n = static_cast<std::size_t>(draw(random, 1, 500));
    std::vector<std::uint16_t> labels(n);
    std::vector<float> depth(n);
    std::vector<float> ray(n);
    for (std::size_t i = 0; i < n; ++i) {
      labels[i] = static_cast<std::uint16_t>(std::max<std::ptrdiff_t>(0, draw(random, -9, 3)));
      depth[i] = static_cast<float>(draw(random, 0, 4));
      ray[i] = normal(random);
    }
    const ssap::DepthView view{depth.data(), ray.data(), ray.data()};
    const std::size_t n_points = ssap::count_surface(labels.data(), depth.data(), n);
    const float pose[12] = {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 7};
    std::vector<std::uint8_t> table(4 * 13);
    for (std::size_t k = 0; k < 4; ++k) table[13 * k + 12] = static_cast<std::uint8_t>(k);
    std::vector<std::uint8_t> rows(13 * n_points);
    ssap::surface_rows(labels.data(), view, n, pose, {table.data(), 13}, rows.data());
    std::vector<std::int64_t> pixels;
    const std::uint8_t* row = rows.data();
    for (std::size_t i = 0; i < n; ++i) {
      if (labels[i] == 0 || depth[i] <= 0) continue;
      float z = 0;
      std::memcpy(&z, row + 8, sizeof z);
      require(z == depth[i] + 7 && row[12] == labels[i], "a row");
      row += 13;
      pixels.push_back(static_cast<std::int64_t>(i));
    }
    require(pixels.size() == n_points, "a row for every pixel");
    const float frame[9] = {1, 0, 0, 0, 0, -1, 0, 1, 0};                // z of a camera is forward
    const ssap::PixelBox box{0, 0, 1, static_cast<std::ptrdiff_t>(n)};  // an image of one column
    const auto placed =
        ssap::place_object(labels.data(), 1, 2, box, view, frame, {0, 9999, 20, 3.5F, 9});
    std::vector<std::int64_t> own;
    float lowest = 99;
    for (const std::int64_t pixel : pixels) {
      if (labels[static_cast<std::size_t>(pixel)] != 2) continue;
      own.push_back(pixel);
      lowest = std::min(lowest, view.point(static_cast<std::size_t>(pixel))[1]);
    }
    require(placed.has_value() == (own.size() >= 20), "placed where it is seen");
    if (!placed) continue;
    require(placed->n_points == own.size(), "nothing is far from the median");
    require(-placed->box.high[2] == lowest, "the third axis points upwards");
  }
}

// Against every pixel of the square around every pixel.
void exercise_erosion(unsigned n_cases) {
  for (unsigned seed = 0; seed < n_cases; ++seed) {
    Random random(seed);
    const ssap::GridSize size{draw(random, 1, 30), draw(random, 1, 30)};
    std::vector<std::uint16_t> labels(size.area());
    for (std::uint16_t& label : labels) {
      label = static_cast<std::uint16_t>(std::max<std::ptrdiff_t>(1, draw(random, -20, 2)));
    }
    const std::ptrdiff_t x0 = draw(random, 0, static_cast<int>(size.width) - 1);
    const std::ptrdiff_t y0 = draw(random, 0, static_cast<int>(size.height) - 1);
    const ssap::PixelBox box{x0, y0, draw(random, 1, static_cast<int>(size.width - x0)),
                             draw(random, 1, static_cast<int>(size.height - y0))};
    const std::ptrdiff_t erosion = draw(random, 0, 3);
    const auto inside = ssap::detail::eroded(labels.data(), size.width, 1, box, erosion);
    for (std::ptrdiff_t y = 0; y < box.height; ++y) {
      for (std::ptrdiff_t x = 0; x < box.width; ++x) {
        bool all = true;
        for (std::ptrdiff_t v = y - erosion; v <= y + erosion; ++v) {
          for (std::ptrdiff_t u = x - erosion; u <= x + erosion; ++u) {
            const bool in_box = u >= 0 && v >= 0 && u < box.width && v < box.height;
            all = all && in_box &&
                  labels[static_cast<std::size_t>((y0 + v) * size.width + x0 + u)] == 1;
          }
        }
        require((inside[static_cast<std::size_t>(y * box.width + x)] != 0) == all, "erosion");
      }
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  const unsigned n = argc > 1 ? static_cast<unsigned>(std::atoi(argv[1])) : 100;
  exercise_costs(n);
  exercise_tournament(n);
  exercise_graphs(n);
  exercise_cascade(n);
  exercise_threads(std::max(1u, n / 5));
  exercise_upsampling(n);
  exercise_images(n);
  exercise_space(n);
  exercise_erosion(n);
#ifdef COUNTS_ALLOCATIONS
  exercise_workspace();
#endif
  std::string paths;
  for (const ssap::SimdPath& path : ssap::simd_paths()) paths += " " + path.name;
  std::printf("exercise: all laws hold in %u cases each; instruction sets:%s\n", n, paths.c_str());
}

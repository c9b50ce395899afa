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

// From affinities to labels: edge costs and the cascade.
#include "cascade/cascade.hpp"

#include <pybind11/stl.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bindings/arrays.hpp"
#include "pixel/edge_costs.hpp"
#include "util/pool.hpp"

namespace {

using Scores = std::optional<Array<float>>;

// A float32 or float16 array of 12 costs, or of 24 or 25 affinities.
ssap::Affinities affinities_of(const py::array& array, ssap::Meaning meaning, float eps,
                               const Scores& scores) {
  return {array.data(),
          array.itemsize() == 2,
          array.shape(0) == ssap::kNumOffsets ? ssap::Meaning::kCosts : meaning,
          static_cast<std::size_t>(array.shape(0)),
          grid_size(array),
          eps,
          scores ? scores->data() : nullptr,
          static_cast<std::size_t>(scores ? scores->shape(0) : 0)};
}

const ssap::RowKernels& best_kernels() { return *ssap::simd_paths().front().kernels; }

Array<float> edge_costs(const py::array& affinities, bool logits, float eps, const Scores& scores) {
  const auto meaning = logits ? ssap::Meaning::kLogits : ssap::Meaning::kProbabilities;
  const ssap::Affinities in = affinities_of(affinities, meaning, eps, scores);
  Array<float> costs({static_cast<py::ssize_t>(ssap::kNumOffsets), in.size.height, in.size.width});
  float* const out = costs.mutable_data();
  const py::gil_scoped_release no_gil;
  ssap::edge_costs(in, best_kernels(), out);
  return costs;
}

std::pair<Array<std::int32_t>, ssap::CascadeReport> cascaded_graph_partition(
    const std::vector<py::array>& affinities, const std::vector<Array<std::uint8_t>>& classes,
    const std::vector<py::array>& long_range, const Scores& scores, float eps,
    py::ssize_t erosion_radius, bool joint_finest, const std::string& linkage, double max_ms) {
  static ssap::Pool<ssap::Cascade> pool;
  std::vector<ssap::CascadeLevel> levels(affinities.size());
  for (std::size_t i = 0; i < affinities.size(); ++i) {
    levels[i].affinities =
        affinities_of(affinities[i], ssap::Meaning::kLogits, eps, i == 0 ? scores : Scores{});
    levels[i].classes = classes[i].data();
  }
  std::vector<ssap::Affinities> coarser;
  for (const py::array& level : long_range) {
    coarser.push_back(affinities_of(level, ssap::Meaning::kLogits, eps, {}));
  }
  const ssap::GridSize size = levels.front().affinities.size;
  Array<std::int32_t> labels({size.height, size.width});
  std::int32_t* const out = labels.mutable_data();
  ssap::CascadeReport report;
  {
    const py::gil_scoped_release no_gil;
    const ssap::Pool<ssap::Cascade>::Loan cascade(pool);
    with_linkage(linkage, [&](auto chosen) {
      report = cascade->run<decltype(chosen)>(
          levels, coarser, {erosion_radius, joint_finest, max_ms}, best_kernels(), out);
    });
  }
  return {std::move(labels), std::move(report)};
}

}  // namespace

void bind_cascade(py::module_& module) {
  py::class_<ssap::LevelReport>(module, "LevelReport")
      .def_readonly("n_nodes", &ssap::LevelReport::n_nodes)
      .def_readonly("costs_ms", &ssap::LevelReport::costs_ms)
      .def_readonly("graph_ms", &ssap::LevelReport::graph_ms)
      .def_readonly("solve_ms", &ssap::LevelReport::solve_ms)
      .def_readonly("labels_ms", &ssap::LevelReport::labels_ms);
  py::class_<ssap::CascadeReport>(module, "CascadeReport")
      .def_readonly("is_valid", &ssap::CascadeReport::is_valid)
      .def_readonly("is_complete", &ssap::CascadeReport::is_complete)
      .def_readonly("levels", &ssap::CascadeReport::levels)
      .def_readonly("bytes", &ssap::CascadeReport::bytes);
  module.def("edge_costs", &edge_costs, py::arg("affinities"), py::arg("logits"), py::arg("eps"),
             py::arg("scores"));
  module.def("cascaded_graph_partition", &cascaded_graph_partition, py::arg("affinities"),
             py::arg("classes"), py::arg("long_range"), py::arg("scores"), py::arg("eps"),
             py::arg("erosion_radius"), py::arg("joint_finest"), py::arg("linkage"),
             py::arg("max_ms"));
}

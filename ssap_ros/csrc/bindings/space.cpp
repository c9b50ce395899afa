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

// Objects in space.
#include <pybind11/stl.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "bindings/arrays.hpp"
#include "space/placed_object.hpp"
#include "space/surface.hpp"

namespace {

// One row per pixel with a label and a depth.
Array<std::uint8_t> surface_rows(const Array<std::uint16_t>& labels, const Array<float>& depth,
                                 const Array<float>& ray_x, const Array<float>& ray_y,
                                 const Array<float>& pose, const Array<std::uint8_t>& table) {
  const std::uint16_t* const in = labels.data();
  const auto n_pixels = static_cast<std::size_t>(labels.size());
  const ssap::DepthView view{depth.data(), ray_x.data(), ray_y.data()};
  const ssap::RowTable rows{table.data(), static_cast<std::size_t>(table.shape(1))};
  const float* const move = pose.data();
  std::size_t n = 0;
  {
    const py::gil_scoped_release no_gil;
    n = ssap::count_surface(in, view.depth, n_pixels);
  }
  Array<std::uint8_t> cloud({static_cast<py::ssize_t>(n), table.shape(1)});
  std::uint8_t* const out = cloud.mutable_data();
  const py::gil_scoped_release no_gil;
  ssap::surface_rows(in, view, n_pixels, move, rows, out);
  return cloud;
}

// Of the objects whose labels are 1, 2, ... those that can be placed.
std::vector<ssap::PlacedObject> place_objects(
    const Array<std::uint16_t>& labels, const std::vector<std::array<std::ptrdiff_t, 4>>& boxes,
    const Array<float>& depth, const Array<float>& ray_x, const Array<float>& ray_y,
    const Array<float>& frame, std::ptrdiff_t erosion, std::size_t max_samples,
    std::size_t min_points, float outlier_deviations, float sure) {
  const std::uint16_t* const in = labels.data();
  const std::ptrdiff_t row_length = labels.shape(1);
  const ssap::DepthView view{depth.data(), ray_x.data(), ray_y.data()};
  const float* const axes = frame.data();
  const ssap::Trust trust{erosion, max_samples, min_points, outlier_deviations, sure};
  const py::gil_scoped_release no_gil;
  std::vector<ssap::PlacedObject> placed;
  std::uint16_t label = 0;
  for (const auto& [x, y, width, height] : boxes) {
    const ssap::PixelBox box{x, y, width, height};
    const auto found = ssap::place_object(in, row_length, ++label, box, view, axes, trust);
    if (found) placed.push_back(*found);
  }
  return placed;
}

}  // namespace

void bind_space(py::module_& module) {
  py::class_<ssap::PlacedObject>(module, "PlacedObject")
      .def_readonly("label", &ssap::PlacedObject::label)
      .def_readonly("n_points", &ssap::PlacedObject::n_points)
      .def_readonly("depth", &ssap::PlacedObject::depth)
      .def_property_readonly("angle", [](const ssap::PlacedObject& o) { return o.box.angle; })
      .def_property_readonly("low", [](const ssap::PlacedObject& o) { return o.box.low; })
      .def_property_readonly("high", [](const ssap::PlacedObject& o) { return o.box.high; })
      .def_readonly("covariance", &ssap::PlacedObject::covariance);
  module.def("surface_rows", &surface_rows, py::arg("labels"), py::arg("depth"), py::arg("ray_x"),
             py::arg("ray_y"), py::arg("pose"), py::arg("table"));
  module.def("place_objects", &place_objects, py::arg("labels"), py::arg("boxes"), py::arg("depth"),
             py::arg("ray_x"), py::arg("ray_y"), py::arg("frame"), py::arg("erosion"),
             py::arg("max_samples"), py::arg("min_points"), py::arg("outlier_deviations"),
             py::arg("sure"));
}

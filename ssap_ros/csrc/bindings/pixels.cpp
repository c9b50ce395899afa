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

// Label images, class maps and the network input.
#include <pybind11/stl.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "bindings/arrays.hpp"
#include "pixel/area_resize.hpp"
#include "pixel/class_maps.hpp"
#include "pixel/label_runs.hpp"
#include "pixel/look_up.hpp"
#include "pixel/upsample.hpp"

namespace {

Array<std::int32_t> upsample_labels(const Array<std::int32_t>& labels, py::ssize_t height,
                                    py::ssize_t width, double scale) {
  Array<std::int32_t> upsampled({height, width});
  const std::int32_t* const in = labels.data();
  const ssap::GridSize cells = grid_size(labels);
  std::int32_t* const out = upsampled.mutable_data();
  const py::gil_scoped_release no_gil;
  ssap::upsample_labels(in, cells, {height, width}, scale, out);
  return upsampled;
}

ssap::LabelRuns upsampled_runs(const Array<std::int32_t>& labels, py::ssize_t height,
                               py::ssize_t width, double scale) {
  const std::int32_t* const in = labels.data();
  const ssap::GridSize cells = grid_size(labels);
  const py::gil_scoped_release no_gil;
  return ssap::upsample_labels(in, cells, {height, width}, scale);
}

// One row per label from 0 to n_labels - 1: area, left, top, right, bottom.
Array<std::int64_t> label_extents(const ssap::LabelRuns& runs, std::size_t n_labels) {
  Array<std::int64_t> rows({static_cast<py::ssize_t>(n_labels), py::ssize_t{5}});
  std::int64_t* out = rows.mutable_data();
  const py::gil_scoped_release no_gil;
  for (const ssap::LabelExtent& extent : runs.extents(n_labels)) {
    for (const auto value : {extent.area, extent.left, extent.top, extent.right, extent.bottom}) {
      *out++ = value;
    }
  }
  return rows;
}

// The label image, in which label k has become new_label[k].
Array<std::uint16_t> paint(const ssap::LabelRuns& runs, const Array<std::uint16_t>& new_label) {
  Array<std::uint16_t> image({runs.size().height, runs.size().width});
  const std::uint16_t* const table = new_label.data();
  const auto n_labels = static_cast<std::size_t>(new_label.size());
  std::uint16_t* const out = image.mutable_data();
  const py::gil_scoped_release no_gil;
  const auto value_of = [&](std::int32_t label) {
    const auto index = static_cast<std::size_t>(label);
    if (index >= n_labels) ssap::refuse_label(label);
    return table[index];
  };
  runs.paint(value_of, out);
  return image;
}

// The image, in which label k has become value[k].
template <typename Value>
Array<Value> look_up(const Array<std::uint16_t>& labels, const Array<Value>& value) {
  Array<Value> image({labels.shape(0), labels.shape(1)});
  const std::uint16_t* const in = labels.data();
  const Value* const table = value.data();
  Value* const out = image.mutable_data();
  const py::gil_scoped_release no_gil;
  ssap::look_up(in, static_cast<std::size_t>(labels.size()), table, out);
  return image;
}

// Maps whose rows are dense.
using Maps = py::array_t<float, 0>;
constexpr auto kFloatBytes = static_cast<py::ssize_t>(sizeof(float));

ssap::ClassMaps class_maps(const Maps& maps) {
  return {maps.data(), maps.strides(0) / kFloatBytes, maps.strides(1) / kFloatBytes,
          grid_size(maps)};
}

Array<std::uint8_t> best_class(const Maps& maps, const std::vector<std::uint8_t>& name) {
  const ssap::ClassMaps in = class_maps(maps);
  Array<std::uint8_t> classes({in.size.height, in.size.width});
  std::uint8_t* const out = classes.mutable_data();
  const py::gil_scoped_release no_gil;
  ssap::best_class(in, name, out);
  return classes;
}

Array<float> softmax(const Maps& maps, const std::vector<std::size_t>& chosen) {
  const ssap::ClassMaps in = class_maps(maps);
  Array<float> shares({static_cast<py::ssize_t>(chosen.size()), in.size.height, in.size.width});
  float* const out = shares.mutable_data();
  const py::gil_scoped_release no_gil;
  ssap::softmax(in, chosen, out);
  return shares;
}

// One row per segment 1 .. n: its cells, their weight, its votes for each class, its weighted sum
// of the probability of each.
Array<double> count_votes(const Array<std::int32_t>& labels, const Array<std::uint8_t>& classes,
                          const Array<float>& probabilities,
                          const std::vector<py::ssize_t>& thing_ids, py::ssize_t n) {
  std::vector<const float*> maps;
  for (const py::ssize_t id : thing_ids) maps.push_back(probabilities.data(id, 0, 0));
  Array<double> rows({n, static_cast<py::ssize_t>(2 + 2 * maps.size())});
  double* const out = rows.mutable_data();
  const std::int32_t* const in = labels.data();
  const std::uint8_t* const votes = classes.data();
  const ssap::GridSize size = grid_size(labels);
  const auto n_values = static_cast<std::size_t>(rows.size());
  const py::gil_scoped_release no_gil;
  std::fill_n(out, n_values, 0.0);
  ssap::count_votes(in, votes, maps, size, static_cast<std::size_t>(n), out);
  return rows;
}

// tensor: (1, 3, height, width); its upper left corner of the given size is written.
void area_resize(const Array<std::uint8_t>& image, py::ssize_t height, py::ssize_t width,
                 const std::array<float, 3>& factor, const std::array<float, 3>& offset,
                 Array<float>& tensor) {
  const ssap::GridSize source{image.shape(0), image.shape(1)};
  const std::uint8_t* const in = image.data();
  const py::ssize_t plane = tensor.shape(2) * tensor.shape(3);
  float* const out = tensor.mutable_data();
  const py::gil_scoped_release no_gil;
  ssap::area_resize(in, source, {height, width}, factor, offset,
                    {out, out + plane, out + 2 * plane}, tensor.shape(3));
}

}  // namespace

void bind_pixels(py::module_& module) {
  py::class_<ssap::LabelRuns>(module, "LabelRuns")
      .def("extents", &label_extents, py::arg("n_labels"))
      .def("paint", &paint, py::arg("new_label"));
  module.def("upsample_labels", &upsample_labels, py::arg("labels"), py::arg("height"),
             py::arg("width"), py::arg("scale"));
  module.def("upsampled_runs", &upsampled_runs, py::arg("labels"), py::arg("height"),
             py::arg("width"), py::arg("scale"));
  module.def("look_up", &look_up<std::uint8_t>, py::arg("labels"), py::arg("value").noconvert());
  module.def("look_up", &look_up<std::uint16_t>, py::arg("labels"), py::arg("value").noconvert());
  module.def("best_class", &best_class, py::arg("maps"), py::arg("name"));
  module.def("softmax", &softmax, py::arg("maps"), py::arg("chosen"));
  module.def("count_votes", &count_votes, py::arg("labels"), py::arg("classes"),
             py::arg("probabilities"), py::arg("thing_ids"), py::arg("n"));
  module.def("area_resize", &area_resize, py::arg("image"), py::arg("height"), py::arg("width"),
             py::arg("factor"), py::arg("offset"), py::arg("tensor").noconvert());
}

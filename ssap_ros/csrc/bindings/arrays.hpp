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

// What all bindings share: arrays that are C-contiguous, and their sizes.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <string>
#include <utility>

#include "graph/linkage.hpp"
#include "pixel/grid.hpp"

namespace py = pybind11;

template <typename T>
using Array = py::array_t<T, py::array::c_style>;

// The image size of a (..., height, width) array.
inline ssap::GridSize grid_size(const py::array& array) {
  return {array.shape(array.ndim() - 2), array.shape(array.ndim() - 1)};
}

// Calls visit(linkage) with the one of that name.
template <typename Visit>
void with_linkage(const std::string& name, Visit&& visit) {
  if (name == "sum") {
    visit(ssap::SumLinkage{});
  } else if (name == "mean") {
    visit(ssap::MeanLinkage{});
  } else {
    visit(ssap::MutexLinkage{});
  }
}

// Each adds the functions of one topic to the module.
void bind_cascade(py::module_& module);
void bind_graph(py::module_& module);
void bind_pixels(py::module_& module);
void bind_space(py::module_& module);

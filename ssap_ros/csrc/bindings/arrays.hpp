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

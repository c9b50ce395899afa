// The module ssap_ros._core: arrays in, arrays out, nothing else. `stages/core.py` has checked
// shapes, dtypes, layout and values before it calls; the work itself runs without the GIL.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "cascade/cascade.hpp"
#include "graph/kernighan_lin.hpp"
#include "graph/multicut.hpp"
#include "pixel/area_resize.hpp"
#include "pixel/class_maps.hpp"
#include "pixel/edge_costs.hpp"
#include "pixel/label_runs.hpp"
#include "pixel/upsample.hpp"
#include "util/pool.hpp"
#include "util/stopwatch.hpp"

namespace py = pybind11;

namespace {

template <typename T>
using Array = py::array_t<T, py::array::c_style>;
using Scores = std::optional<Array<float>>;

// The image size of a (..., height, width) array.
ssap::GridSize grid_size(const py::array& array) {
  return {array.shape(array.ndim() - 2), array.shape(array.ndim() - 1)};
}

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

bool is_valid(std::size_t n_nodes, const Array<std::int64_t>& uv_ids, const Array<double>& costs) {
  return ssap::EdgeList{n_nodes, uv_ids.data(), costs.data(),
                        static_cast<std::size_t>(costs.size())}
      .is_valid();
}

Array<std::int64_t> contract(std::size_t n_nodes, const Array<std::int64_t>& uv_ids,
                             const Array<double>& costs, const std::string& linkage) {
  static ssap::Pool<ssap::GraphPartition> pool;
  const ssap::EdgeList edges{n_nodes, uv_ids.data(), costs.data(),
                             static_cast<std::size_t>(costs.size())};
  Array<std::int64_t> labels(static_cast<py::ssize_t>(n_nodes));
  std::int64_t* const out = labels.mutable_data();
  const py::gil_scoped_release no_gil;
  const ssap::Pool<ssap::GraphPartition>::Loan partition(pool);
  with_linkage(linkage, [&](auto chosen) { partition->run<decltype(chosen)>(edges, out); });
  return labels;
}

// The improved labels, in the same names; those given are in [0, n_nodes).
Array<std::int64_t> kernighan_lin(const Array<std::int64_t>& uv_ids, const Array<double>& costs,
                                  const Array<std::int64_t>& labels, double max_ms,
                                  std::size_t max_moves) {
  const ssap::EdgeList edges{static_cast<std::size_t>(labels.size()), uv_ids.data(), costs.data(),
                             static_cast<std::size_t>(costs.size())};
  Array<std::int64_t> improved(labels.size());
  std::int64_t* const out = improved.mutable_data();
  const std::int64_t* const in = labels.data();
  const py::gil_scoped_release no_gil;
  const ssap::Stopwatch watch;
  std::copy(in, in + edges.n_nodes, out);
  ssap::KernighanLin().run(edges, out, max_moves, [&] { return watch.ms() > max_ms; });
  return improved;
}

double multicut_objective(const Array<std::int64_t>& uv_ids, const Array<double>& costs,
                          const Array<std::int64_t>& labels) {
  const ssap::EdgeList edges{static_cast<std::size_t>(labels.size()), uv_ids.data(), costs.data(),
                             static_cast<std::size_t>(costs.size())};
  const std::int64_t* const label = labels.data();
  const py::gil_scoped_release no_gil;
  return ssap::multicut_objective(edges, label);
}

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

// One row per segment 1 .. n: its cells, its votes for each class, its summed probability of each.
Array<double> count_votes(const Array<std::int32_t>& labels, const Array<std::uint8_t>& classes,
                          const Array<float>& probabilities,
                          const std::vector<py::ssize_t>& thing_ids, py::ssize_t n) {
  std::vector<const float*> maps;
  for (const py::ssize_t id : thing_ids) maps.push_back(probabilities.data(id, 0, 0));
  Array<double> rows({n, static_cast<py::ssize_t>(1 + 2 * maps.size())});
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

// Calls share nothing but a locked pool, so newer versions of pybind11 may load this into a Python
// without a GIL.
#if PYBIND11_VERSION_HEX >= 0x020D0000
PYBIND11_MODULE(_core, module, py::mod_gil_not_used()) {
#else
PYBIND11_MODULE(_core, module) {
#endif
  module.doc() = "Compiled core of ssap_ros; ssap_ros.stages.core alone calls it.";
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
  module.def("is_valid", &is_valid, py::arg("n_nodes"), py::arg("uv_ids"), py::arg("costs"));
  module.def("contract", &contract, py::arg("n_nodes"), py::arg("uv_ids"), py::arg("costs"),
             py::arg("linkage"));
  module.def("kernighan_lin", &kernighan_lin, py::arg("uv_ids"), py::arg("costs"),
             py::arg("labels"), py::arg("max_ms"), py::arg("max_moves"));
  module.def("multicut_objective", &multicut_objective, py::arg("uv_ids"), py::arg("costs"),
             py::arg("labels"));
  module.def("upsample_labels", &upsample_labels, py::arg("labels"), py::arg("height"),
             py::arg("width"), py::arg("scale"));
  py::class_<ssap::LabelRuns>(module, "LabelRuns")
      .def("extents", &label_extents, py::arg("n_labels"))
      .def("paint", &paint, py::arg("new_label"));
  module.def("upsampled_runs", &upsampled_runs, py::arg("labels"), py::arg("height"),
             py::arg("width"), py::arg("scale"));
  module.def("best_class", &best_class, py::arg("maps"), py::arg("name"));
  module.def("softmax", &softmax, py::arg("maps"), py::arg("chosen"));
  module.def("count_votes", &count_votes, py::arg("labels"), py::arg("classes"),
             py::arg("probabilities"), py::arg("thing_ids"), py::arg("n"));
  module.def("area_resize", &area_resize, py::arg("image"), py::arg("height"), py::arg("width"),
             py::arg("factor"), py::arg("offset"), py::arg("tensor").noconvert());
}

// The module ssap_ros._core: arrays in, arrays out, nothing else. `partition.py` has checked
// shapes, dtypes, layout and values before it calls; the work itself runs without the GIL.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "affinity.hpp"
#include "cascade.hpp"
#include "multicut.hpp"
#include "upsample.hpp"

namespace py = pybind11;

namespace {

template <typename T>
using Array = py::array_t<T, py::array::c_style>;

// The image size of a (..., height, width) array.
template <typename T>
ssap::GridSize grid_size(const Array<T>& array) {
  return {array.shape(array.ndim() - 2), array.shape(array.ndim() - 1)};
}

Array<float> edge_costs(const Array<float>& affinities, bool logits, float eps,
                        const std::optional<Array<float>>& scores) {
  const ssap::GridSize size = grid_size(affinities);
  Array<float> costs({static_cast<py::ssize_t>(ssap::kNumOffsets), size.height, size.width});
  const float* const in = affinities.data();
  const float* const scores_in = scores ? scores->data() : nullptr;
  const auto n_channels = static_cast<std::size_t>(affinities.shape(0));
  const auto n_classes = static_cast<std::size_t>(scores ? scores->shape(0) : 0);
  float* const out = costs.mutable_data();
  const py::gil_scoped_release no_gil;
  ssap::edge_costs(in, n_channels, size, logits, eps, scores_in, n_classes, out);
  return costs;
}

Array<std::int32_t> cascaded_graph_partition(const std::vector<Array<float>>& costs,
                                             const std::vector<Array<std::uint8_t>>& classes,
                                             py::ssize_t erosion_radius, bool joint_finest) {
  std::vector<ssap::CascadeLevel> levels;
  for (std::size_t i = 0; i < costs.size(); ++i) {
    levels.push_back({grid_size(costs[i]), costs[i].data(), classes[i].data()});
  }
  const ssap::GridSize size = levels.front().size;
  Array<std::int32_t> labels({size.height, size.width});
  std::int32_t* const out = labels.mutable_data();
  const py::gil_scoped_release no_gil;
  const auto result = ssap::cascaded_graph_partition(levels, erosion_radius, joint_finest);
  std::copy(result.begin(), result.end(), out);
  return labels;
}

Array<std::int64_t> greedy_additive(std::size_t n_nodes, const Array<std::int64_t>& uv_ids,
                                    const Array<double>& costs) {
  Array<std::int64_t> labels(static_cast<py::ssize_t>(n_nodes));
  const std::int64_t* const uv = uv_ids.data();
  const double* const weights = costs.data();
  const auto n_edges = static_cast<std::size_t>(costs.size());
  std::int64_t* const out = labels.mutable_data();
  const py::gil_scoped_release no_gil;
  ssap::ContractionGraph graph(n_nodes, n_edges);
  for (std::size_t edge = 0; edge < n_edges; ++edge) {
    graph.add(static_cast<ssap::ContractionGraph::Node>(uv[2 * edge]),
              static_cast<ssap::ContractionGraph::Node>(uv[2 * edge + 1]), weights[edge]);
  }
  const auto result = ssap::greedy_additive(graph, {});
  std::copy(result.begin(), result.end(), out);
  return labels;
}

double multicut_objective(const Array<std::int64_t>& uv_ids, const Array<double>& costs,
                          const Array<std::int64_t>& labels) {
  const std::int64_t* const uv = uv_ids.data();
  const double* const weights = costs.data();
  const std::int64_t* const label = labels.data();
  const auto n_edges = static_cast<std::size_t>(costs.size());
  const py::gil_scoped_release no_gil;
  return ssap::multicut_objective(uv, weights, n_edges, label);
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

}  // namespace

// Nothing here keeps state, so newer versions of pybind11 may load it into a Python without a GIL.
#if PYBIND11_VERSION_HEX >= 0x020D0000
PYBIND11_MODULE(_core, module, py::mod_gil_not_used()) {
#else
PYBIND11_MODULE(_core, module) {
#endif
  module.doc() = "Compiled core of ssap_ros; its public face is ssap_ros.partition.";
  module.def("_edge_costs", &edge_costs, py::arg("affinities"), py::arg("logits"), py::arg("eps"),
             py::arg("scores"));
  module.def("_cascaded_graph_partition", &cascaded_graph_partition, py::arg("costs"),
             py::arg("classes"), py::arg("erosion_radius"), py::arg("joint_finest"));
  module.def("_greedy_additive", &greedy_additive, py::arg("n_nodes"), py::arg("uv_ids"),
             py::arg("costs"));
  module.def("_multicut_objective", &multicut_objective, py::arg("uv_ids"), py::arg("costs"),
             py::arg("labels"));
  module.def("_upsample_labels", &upsample_labels, py::arg("labels"), py::arg("height"),
             py::arg("width"), py::arg("scale"));
}

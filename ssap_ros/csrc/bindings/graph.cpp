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

// Clustering of any graph, given as a list of edges.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>

#include "bindings/arrays.hpp"
#include "graph/kernighan_lin.hpp"
#include "graph/multicut.hpp"
#include "util/pool.hpp"
#include "util/stopwatch.hpp"

namespace {

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

}  // namespace

void bind_graph(py::module_& module) {
  module.def("is_valid", &is_valid, py::arg("n_nodes"), py::arg("uv_ids"), py::arg("costs"));
  module.def("contract", &contract, py::arg("n_nodes"), py::arg("uv_ids"), py::arg("costs"),
             py::arg("linkage"));
  module.def("kernighan_lin", &kernighan_lin, py::arg("uv_ids"), py::arg("costs"),
             py::arg("labels"), py::arg("max_ms"), py::arg("max_moves"));
  module.def("multicut_objective", &multicut_objective, py::arg("uv_ids"), py::arg("costs"),
             py::arg("labels"));
}

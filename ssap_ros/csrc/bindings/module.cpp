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

// The module ssap_ros._core: arrays in, arrays out, nothing else. `stages/core.py` or
// `core_space.py` has checked shapes, dtypes, layout and values before it calls; the work itself
// runs without the GIL.
#include "bindings/arrays.hpp"

// Calls share nothing but a locked pool, so newer versions of pybind11 may load this into a Python
// without a GIL.
#if PYBIND11_VERSION_HEX >= 0x020D0000
PYBIND11_MODULE(_core, module, py::mod_gil_not_used()) {
#else
PYBIND11_MODULE(_core, module) {
#endif
  module.doc() = "Compiled core of ssap_ros; ssap_ros.stages.core and core_space alone call it.";
  bind_cascade(module);
  bind_graph(module);
  bind_pixels(module);
  bind_space(module);
}

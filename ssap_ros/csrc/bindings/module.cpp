// The module ssap_ros._core: arrays in, arrays out, nothing else. `stages/core.py` has checked
// shapes, dtypes, layout and values before it calls; the work itself runs without the GIL.
#include "bindings/arrays.hpp"

// Calls share nothing but a locked pool, so newer versions of pybind11 may load this into a Python
// without a GIL.
#if PYBIND11_VERSION_HEX >= 0x020D0000
PYBIND11_MODULE(_core, module, py::mod_gil_not_used()) {
#else
PYBIND11_MODULE(_core, module) {
#endif
  module.doc() = "Compiled core of ssap_ros; ssap_ros.stages.core alone calls it.";
  bind_cascade(module);
  bind_graph(module);
  bind_pixels(module);
}

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

// Exercises the core without Python: random inputs from a fixed seed, and the laws that every
// result obeys. Built with sanitizers by `make sanitize`, and for a Jetson's processor by `make
// test-aarch64`. Exits with 1 and says what went wrong if a law is broken.
#include "exercise.hpp"

#include <cstdio>
#include <cstdlib>
#include <string>

#include "pixel/edge_costs.hpp"

int main(int argc, char** argv) {
  const unsigned n = argc > 1 ? static_cast<unsigned>(std::atoi(argv[1])) : 100;
  exercise_pixel(n);
  exercise_graph(n);
  exercise_cascade(n);
  exercise_space(n);
  std::string paths;
  for (const ssap::SimdPath& path : ssap::simd_paths()) paths += " " + path.name;
  std::printf("exercise: all laws hold in %u cases each; instruction sets:%s\n", n, paths.c_str());
}

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

// What the exercises share: one for each folder of the core, of `n_cases` random inputs from fixed
// seeds. Each ends the program where a result breaks a law.
#pragma once

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <random>

using Random = std::mt19937;

inline void require(bool law, const char* words) {
  if (law) return;
  std::fprintf(stderr, "exercise: broken: %s\n", words);
  std::exit(1);
}

inline std::ptrdiff_t draw(Random& random, int low, int high) {
  return std::uniform_int_distribution<>(low, high)(random);
}

void exercise_pixel(unsigned n_cases);
void exercise_graph(unsigned n_cases);
void exercise_cascade(unsigned n_cases);
void exercise_space(unsigned n_cases);

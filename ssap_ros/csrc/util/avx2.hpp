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

// Runs a piece of code in the copy that was compiled for AVX2, where the machine has that.
//
// Both copies do the same operations in the same order, and none are fused, so that the results are
// equal bit by bit. What is to be in the copy must be inlined into it: SSAP_INLINE.
#pragma once

#define SSAP_INLINE inline __attribute__((always_inline))

namespace ssap {

namespace detail {

#if defined(__x86_64__)
template <typename Code>
__attribute__((target("avx2"))) void run_with_avx2(const Code& code) {
  code();
}
#endif

}  // namespace detail

// code: a lambda that is itself always inlined.
template <typename Code>
void with_avx2(const Code& code) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx2")) {
    detail::run_with_avx2(code);
    return;
  }
#endif
  code();
}

}  // namespace ssap

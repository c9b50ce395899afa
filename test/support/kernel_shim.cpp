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

// Runs the kernels of csrc/kernels.cu on the CPU: what CUDA brings to the language, and one
// function per kernel that goes through the grid thread by thread. Compiled by kernel_shim.py.
#include <cmath>
#include <cstdint>
#include <cstring>

#define __global__
#define __device__
#define __forceinline__ inline

struct Dim {
  unsigned x, y, z;
};
static Dim blockIdx, threadIdx;

inline float __expf(float x) { return std::exp(x); }
inline float __logf(float x) { return std::log(x); }
// Round to nearest, ties to even.
inline unsigned short half_bits(float x) {
  std::uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  const std::uint32_t sign = bits >> 16 & 0x8000u;
  bits &= 0x7fffffffu;
  if (bits > 0x7f800000u) return static_cast<unsigned short>(sign | 0x7e00u);
  if (bits >= 0x477ff000u) return static_cast<unsigned short>(sign | 0x7c00u);
  if (bits < 0x38800000u) {  // subnormal: adding 0.5 rounds it
    float shifted;
    std::memcpy(&shifted, &bits, sizeof bits);
    shifted += 0.5f;
    std::memcpy(&bits, &shifted, sizeof bits);
    return static_cast<unsigned short>(sign | (bits - 0x3f000000u));
  }
  bits += 0xc8000fffu + (bits >> 13 & 1u);  // exponent bias 127 -> 15, and half a unit
  return static_cast<unsigned short>(sign | bits >> 13);
}

#include "kernels.cu"

template <typename Kernel>
void launch(const unsigned* grid, Kernel kernel) {
  for (blockIdx.z = 0; blockIdx.z < grid[2]; ++blockIdx.z)
    for (blockIdx.y = 0; blockIdx.y < grid[1]; ++blockIdx.y)
      for (blockIdx.x = 0; blockIdx.x < grid[0]; ++blockIdx.x)
        for (threadIdx.y = 0; threadIdx.y < kBlockHeight; ++threadIdx.y)
          for (threadIdx.x = 0; threadIdx.x < kBlockWidth; ++threadIdx.x) kernel();
}

extern "C" {

void run_preprocess(const unsigned* grid, const unsigned char* images, int height, int width,
                    float* tensor, int out_height, int out_width, int rows, int columns,
                    int smaller, float gain_r, float gain_g, float gain_b, float shift_r,
                    float shift_g, float shift_b) {
  launch(grid, [=] {
    preprocess(images, height, width, tensor, out_height, out_width, rows, columns, smaller, gain_r,
               gain_g, gain_b, shift_r, shift_g, shift_b);
  });
}

void run_class_scores(const unsigned* grid, const Level* levels, int n_levels,
                      const unsigned char* partition_class, int n_things, char* frames,
                      long long frame_bytes, int* not_finite, long long probabilities,
                      float* object_scores, float* minus_entropies) {
  launch(grid, [=] {
    class_scores<CLASSES>(levels, n_levels, partition_class, n_things, frames, frame_bytes,
                          not_finite, probabilities, object_scores, minus_entropies);
  });
}

void run_edge_costs(const unsigned* grid, const Level* levels, int n_levels, int n_channels,
                    float eps, char* frames, long long frame_bytes, int* not_finite,
                    const float* object_scores, const float* minus_entropies) {
  launch(grid, [=] {
    edge_costs<0>(levels, n_levels, n_channels, eps, frames, frame_bytes, not_finite, object_scores,
                  minus_entropies);
  });
}

void run_refined_edge_costs(const unsigned* grid, const Level* levels, int n_levels, int n_channels,
                            float eps, char* frames, long long frame_bytes, int* not_finite,
                            const float* object_scores, const float* minus_entropies) {
  launch(grid, [=] {
    edge_costs<THINGS>(levels, n_levels, n_channels, eps, frames, frame_bytes, not_finite,
                       object_scores, minus_entropies);
  });
}
}

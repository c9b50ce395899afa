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

// What the GPU does around the network: camera pixels into its input, its logits into the costs and
// class maps that the partition wants. All kernels work per element, without barriers.
//
// The formulas are those of edge_costs.hpp: the two opinions on a pair are averaged (Eq. 2),
// weakened by exp(-JS) of the two pixels' distributions over the object classes at the finest level
// (Eq. 6-8), and become log-odds (Eq. 3); alpha and its complement are carried side by side.
// Everything is computed in single precision and stored in half.
//
// All levels share one launch: the blocks of the grid are dealt out to them in turn, see `Level`.
// One image's results lie in one block of memory, a frame, so that one transfer brings them all.

// No header of CUDA is needed, so the source compiles wherever there is a runtime compiler.
#ifdef __CUDACC__
__device__ __forceinline__ unsigned short half_bits(float x) {
  unsigned short bits;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(x));
  return bits;
}
#endif

constexpr int kBlockWidth = 32;
constexpr int kBlockHeight = 8;
constexpr int kForward = 12;  // displacements: the second half of the 5x5 window

// One level of the pyramid. The maps of the network may be larger than the cells in the image.
struct Level {
  const float* semantic;    // (n, classes, height, width) logits
  const float* affinities;  // (n, channels, height, width) logits
  long long costs;          // offsets in a frame, in bytes: half (12, rows, columns)
  long long classes;        // unsigned char (rows, columns)
  int rows, columns;        // cells in the image
  int width, area;          // of the network's maps
  int first_block;          // of this level in the launch
  int blocks_across;
};

struct Cell {
  int level, y, x;
  bool inside;
};

__device__ __forceinline__ Cell cell_of_thread(const Level* levels, int n_levels) {
  int block = static_cast<int>(blockIdx.x);
  int level = 0;
  while (level + 1 < n_levels && block >= levels[level + 1].first_block) ++level;
  block -= levels[level].first_block;
  const int across = levels[level].blocks_across;
  const int y = block / across * kBlockHeight + static_cast<int>(threadIdx.y);
  const int x = block % across * kBlockWidth + static_cast<int>(threadIdx.x);
  return {level, y, x, y < levels[level].rows && x < levels[level].columns};
}

__device__ __forceinline__ bool is_finite(float x) { return fabsf(x) <= 3.402823466e38f; }

__device__ __forceinline__ float p_log_p(float p) { return p > 1e-30f ? p * __logf(p) : 0.0f; }

__device__ __forceinline__ float clamped(float x, float eps) {
  return fminf(fmaxf(x, eps), 1.0f - eps);
}

// Class maps of all levels; at the finest one also the class distribution, and, if object_scores is
// not null, the distribution over the object classes with its negated entropy.
//
// partition_class: per class, 0 = not an object class, k = k-th of the n_things object classes.
// probabilities: offset in a frame, half (kClasses, rows, columns). not_finite: (n,), set to 1
// where logits are not finite. object_scores: (n, n_things, rows, columns), minus_entropies: (n,
// rows, columns). Grid: (blocks, 1, n).
template <int kClasses>
__global__ void class_scores(const Level* levels, int n_levels,
                             const unsigned char* partition_class, int n_things, char* frames,
                             long long frame_bytes, int* not_finite, long long probabilities,
                             float* object_scores, float* minus_entropies) {
  const Cell cell = cell_of_thread(levels, n_levels);
  if (!cell.inside) return;
  const Level& level = levels[cell.level];
  const long long n = blockIdx.z;
  char* const frame = frames + n * frame_bytes;
  const float* const logits =
      level.semantic + n * kClasses * level.area + cell.y * level.width + cell.x;
  const int area = level.rows * level.columns;
  const int at = cell.y * level.columns + cell.x;

  float score[kClasses];
  float highest = 0.0f;
  int best = 0;
  float best_object = -3.402823466e38f;
  bool finite = true;
#pragma unroll
  for (int c = 0; c < kClasses; ++c) {
    score[c] = logits[static_cast<long long>(c) * level.area];
    finite = finite && is_finite(score[c]);
    if (c == 0 || score[c] > highest) {
      highest = score[c];
      best = c;
    }
    if (partition_class[c]) best_object = fmaxf(best_object, score[c]);
  }
  if (!finite) not_finite[n] = 1;
  reinterpret_cast<unsigned char*>(frame + level.classes)[at] = partition_class[best];
  if (cell.level > 0) return;

  float sum = 0.0f;
  float object_sum = 0.0f;
#pragma unroll
  for (int c = 0; c < kClasses; ++c) {
    if (partition_class[c]) object_sum += __expf(score[c] - best_object);
    sum += __expf(score[c] - highest);
  }
  auto* const distribution = reinterpret_cast<unsigned short*>(frame + probabilities);
  float minus_entropy = 0.0f;
#pragma unroll
  for (int c = 0; c < kClasses; ++c) {
    distribution[static_cast<long long>(c) * area + at] =
        half_bits(__expf(score[c] - highest) / sum);
    if (object_scores && partition_class[c]) {
      const float p = __expf(score[c] - best_object) / object_sum;
      object_scores[(n * n_things + partition_class[c] - 1) * area + at] = p;
      minus_entropy += p_log_p(p);
    }
  }
  if (object_scores) minus_entropies[n * area + at] = minus_entropy;
}

// Edge costs of all levels, 0 where the neighbour is outside. With kThings > 0 those of the finest
// level are refined by the arrays that class_scores made. Channel k of the affinities at u and
// channel n_channels - 1 - k at v speak of the same pair. Grid: (blocks, 12, n).
template <int kThings>
__global__ void edge_costs(const Level* levels, int n_levels, int n_channels, float eps,
                           char* frames, long long frame_bytes, int* not_finite,
                           const float* object_scores, const float* minus_entropies) {
  const Cell cell = cell_of_thread(levels, n_levels);
  if (!cell.inside) return;
  const Level& level = levels[cell.level];
  const long long n = blockIdx.z;
  const int k = static_cast<int>(blockIdx.y);
  const int dy = (kForward + 1 + k) / 5 - 2;
  const int dx = (kForward + 1 + k) % 5 - 2;
  const int area = level.rows * level.columns;
  const int at = cell.y * level.columns + cell.x;
  char* const frame = frames + n * frame_bytes;
  auto* const costs = reinterpret_cast<unsigned short*>(frame + level.costs);
  const bool has_neighbour =
      cell.y + dy < level.rows && cell.x + dx >= 0 && cell.x + dx < level.columns;
  if (!has_neighbour) {
    costs[k * area + at] = 0;  // the bits of half zero
    return;
  }

  const float* const maps = level.affinities + n * n_channels * level.area;
  const long long pixel = static_cast<long long>(cell.y) * level.width + cell.x;
  const float there = maps[static_cast<long long>(n_channels - kForward + k) * level.area + pixel];
  const float back =
      maps[static_cast<long long>(kForward - 1 - k) * level.area + pixel + dy * level.width + dx];
  if (!is_finite(there) || !is_finite(back)) not_finite[n] = 1;
  const float e_there = __expf(-fabsf(there));
  const float e_back = __expf(-fabsf(back));
  const float large_there = 1.0f / (1.0f + e_there);
  const float large_back = 1.0f / (1.0f + e_back);
  const float small_there = e_there * large_there;
  const float small_back = e_back * large_back;
  float alpha =
      0.5f * ((there < 0 ? small_there : large_there) + (back < 0 ? small_back : large_back));
  float complement =
      0.5f * ((there < 0 ? large_there : small_there) + (back < 0 ? large_back : small_back));

  if (kThings > 0 && cell.level == 0) {
    const int neighbour = at + dy * level.columns + dx;
    const float* const scores = object_scores + n * kThings * area;
    const float* const negated = minus_entropies + n * area;
    float divergence = 0.5f * (negated[at] + negated[neighbour]);
#pragma unroll
    for (int c = 0; c < kThings; ++c) {
      divergence -= p_log_p(0.5f * (scores[c * area + at] + scores[c * area + neighbour]));
    }
    const float factor = __expf(-fmaxf(divergence, 0.0f));
    complement += alpha * (1.0f - factor);
    alpha *= factor;
  }
  costs[k * area + at] = half_bits(__logf(clamped(alpha, eps) / clamped(complement, eps)));
}

// Scale images into the upper left of the network's input, normalise them, and set the rest to 0,
// the mean colour. Smaller: the mean over the area that a pixel covers; larger: bilinear. Like
// OpenCV the resized image is rounded to whole numbers.
//
// images: (n, height, width, 3). tensor: (n, 3, out_height, out_width); the image takes the first
// rows x columns of it. gain, shift: of the three channels. Grid: (blocks across, blocks down, n).
__global__ void preprocess(const unsigned char* images, int height, int width, float* tensor,
                           int out_height, int out_width, int rows, int columns, int smaller,
                           float gain_r, float gain_g, float gain_b, float shift_r, float shift_g,
                           float shift_b) {
  const int x = static_cast<int>(blockIdx.x) * kBlockWidth + static_cast<int>(threadIdx.x);
  const int y = static_cast<int>(blockIdx.y) * kBlockHeight + static_cast<int>(threadIdx.y);
  if (x >= out_width || y >= out_height) return;
  const long long n = blockIdx.z;
  const long long area = static_cast<long long>(out_height) * out_width;
  float* const out = tensor + n * 3 * area + static_cast<long long>(y) * out_width + x;
  if (x >= columns || y >= rows) {
    out[0] = out[area] = out[2 * area] = 0.0f;
    return;
  }
  const unsigned char* const image = images + n * height * width * 3;
  const float step_y = static_cast<float>(height) / static_cast<float>(rows);
  const float step_x = static_cast<float>(width) / static_cast<float>(columns);
  float top, bottom, left, right;  // the covered part of the image
  if (smaller) {
    top = static_cast<float>(y) * step_y;
    left = static_cast<float>(x) * step_x;
    bottom = fminf(top + step_y, static_cast<float>(height));
    right = fminf(left + step_x, static_cast<float>(width));
  } else {  // a pixel-sized part around the sampled point weighs its neighbours bilinearly
    top = fminf(fmaxf((static_cast<float>(y) + 0.5f) * step_y - 0.5f, 0.0f),
                static_cast<float>(height - 1));
    left = fminf(fmaxf((static_cast<float>(x) + 0.5f) * step_x - 0.5f, 0.0f),
                 static_cast<float>(width - 1));
    bottom = top + 1.0f;
    right = left + 1.0f;
  }
  float r = 0.0f, g = 0.0f, b = 0.0f, total = 0.0f;
  for (int v = static_cast<int>(top); v < height && static_cast<float>(v) < bottom; ++v) {
    const float covered_y =
        fminf(static_cast<float>(v + 1), bottom) - fmaxf(static_cast<float>(v), top);
    for (int u = static_cast<int>(left); u < width && static_cast<float>(u) < right; ++u) {
      const float weight = covered_y * (fminf(static_cast<float>(u + 1), right) -
                                        fmaxf(static_cast<float>(u), left));
      const unsigned char* const pixel = image + (static_cast<long long>(v) * width + u) * 3;
      r += weight * static_cast<float>(pixel[0]);
      g += weight * static_cast<float>(pixel[1]);
      b += weight * static_cast<float>(pixel[2]);
      total += weight;
    }
  }
  out[0] = floorf(r / total + 0.5f) * gain_r + shift_r;
  out[area] = floorf(g / total + 0.5f) * gain_g + shift_g;
  out[2 * area] = floorf(b / total + 0.5f) * gain_b + shift_b;
}

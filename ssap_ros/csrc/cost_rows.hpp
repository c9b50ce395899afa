// The loops of edge_costs.hpp over pieces of image rows. simd.hpp includes this file once for each
// instruction set, in a namespace of its own, with SSAP_TARGET saying what to compile it for; the
// compiler vectorises the loops, so there is one source of the maths.

// Odds of two directed logits' mean affinity, as a ratio up : down of positive numbers. With
// a = 1 / (1 + e^-x) and b = 1 / (1 + e^-y), (a + b) : ((1 - a) + (1 - b)) is, times the two
// denominators, (2 + e^-x + e^-y) : (e^-x + e^-y + 2 e^-x e^-y); no difference loses digits.
// Returns whether all logits are finite.
template <typename T>
SSAP_TARGET bool odds_of_logits(const T* there, const T* back, std::ptrdiff_t n, float* up,
                                float* down) {
  std::uint32_t largest = 0;
  for (std::ptrdiff_t i = 0; i < n; ++i) {
    largest = std::max(largest, std::max(magnitude_bits(there[i]), magnitude_bits(back[i])));
    const float x = exp_limited(-clamp_magnitude(to_float(there[i]), 40.0f));
    const float y = exp_limited(-clamp_magnitude(to_float(back[i]), 40.0f));
    up[i] = 2.0f + (x + y);
    down[i] = (x + y) + 2.0f * x * y;
  }
  return largest < kNotFinite<T>;
}

// The same for two probabilities.
template <typename T>
SSAP_TARGET bool odds_of_probabilities(const T* there, const T* back, std::ptrdiff_t n, float* up,
                                       float* down) {
  std::uint32_t largest = 0;
  for (std::ptrdiff_t i = 0; i < n; ++i) {
    largest = std::max(largest, std::max(magnitude_bits(there[i]), magnitude_bits(back[i])));
    const float a = to_float(there[i]);
    const float b = to_float(back[i]);
    up[i] = a + b;
    down[i] = (1.0f - a) + (1.0f - b);
  }
  return largest < kNotFinite<T>;
}

template <typename T>
SSAP_TARGET bool copy(const T* in, std::ptrdiff_t n, float* out) {
  std::uint32_t largest = 0;
  for (std::ptrdiff_t i = 0; i < n; ++i) {
    largest = std::max(largest, magnitude_bits(in[i]));
    out[i] = to_float(in[i]);
  }
  return largest < kNotFinite<T>;
}

// sums[i] += p log p
SSAP_TARGET inline void add_p_log_p(const float* p, std::ptrdiff_t n, float* sums) {
  for (std::ptrdiff_t i = 0; i < n; ++i) sums[i] += p_log_p(p[i]);
}

// divergence[i] = -(H(p) + H(q)) / 2 from the two negated entropies
SSAP_TARGET inline void start_divergence(const float* p, const float* q, std::ptrdiff_t n,
                                         float* divergence) {
  for (std::ptrdiff_t i = 0; i < n; ++i) divergence[i] = 0.5f * (p[i] + q[i]);
}

// divergence[i] += the class's part of H((p + q) / 2)
SSAP_TARGET inline void add_divergence(const float* p, const float* q, std::ptrdiff_t n,
                                       float* divergence) {
  for (std::ptrdiff_t i = 0; i < n; ++i) divergence[i] -= p_log_p(0.5f * (p[i] + q[i]));
}

// The odds after the affinity was multiplied by e^-divergence.
SSAP_TARGET inline void weaken(const float* divergence, std::ptrdiff_t n, float* up, float* down) {
  for (std::ptrdiff_t i = 0; i < n; ++i) {
    const float factor = exp_minus(divergence[i]);
    down[i] += up[i] * (1.0f - factor);
    up[i] *= factor;
  }
}

// costs[i] = log(up / down), the odds being limited to [1 / limit, limit]
SSAP_TARGET inline void log_odds(const float* up, const float* down, std::ptrdiff_t n, float limit,
                                 float* costs) {
  for (std::ptrdiff_t i = 0; i < n; ++i) {
    costs[i] = log_positive(clamp_positive(up[i] / down[i], 1.0f / limit, limit));
  }
}

inline constexpr RowKernels kKernels{&odds_of_logits<float>,
                                     &odds_of_logits<Half>,
                                     &odds_of_probabilities<float>,
                                     &odds_of_probabilities<Half>,
                                     &copy<float>,
                                     &copy<Half>,
                                     &add_p_log_p,
                                     &start_divergence,
                                     &add_divergence,
                                     &weaken,
                                     &log_odds};

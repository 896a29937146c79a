#include "adam.h"

#include <algorithm>
#include <cmath>

namespace recon::ISA {

void adam_step(int64_t count, float *values, const float *gradients, float *mean,
               float *mean_square, AdamRates rates) {
  // Computed in double: 1 - beta2 in float would be off by 1e-5.
  const auto b1 = static_cast<float>(rates.beta1), b2 = static_cast<float>(rates.beta2);
  const auto c1 = static_cast<float>(1 - rates.beta1), c2 = static_cast<float>(1 - rates.beta2);
  const auto step = static_cast<double>(rates.step);
  const auto size = static_cast<float>(rates.learning_rate / (1 - std::pow(rates.beta1, step)));
  const auto root = static_cast<float>(1 / std::sqrt(1 - std::pow(rates.beta2, step)));
  const auto epsilon = static_cast<float>(rates.epsilon);
  // Blocks of one length, whatever the number of threads: where the compiler's vector loop ends
  // and its scalar rest begins decides the last bit.
  constexpr int64_t block = 16384;
#pragma omp parallel for schedule(static) num_threads(thread_count())
  for (int64_t begin = 0; begin < count; begin += block) {
    const int64_t end = std::min(count, begin + block);
#pragma omp simd
    for (int64_t i = begin; i < end; i++) {
      const float g = gradients[i];
      const float m = mean[i] = b1 * mean[i] + c1 * g;
      const float s = mean_square[i] = b2 * mean_square[i] + c2 * g * g;
      values[i] -= size * m / (std::sqrt(s) * root + epsilon);
    }
  }
}

}  // namespace recon::ISA

// Adam (Kingma and Ba 2015, arXiv 1412.6980, algorithm 1), one flat tensor at a time.
#pragma once
#include <cstdint>

#include "../isa.h"

namespace recon {

struct AdamRates {
  double learning_rate, beta1, beta2, epsilon;
  int64_t step;  // Counted from 1.
};

}  // namespace recon

RECON_FOR_EACH_ISA(void adam_step(int64_t count, float *values, const float *gradients, float *mean,
                                  float *mean_square, AdamRates rates);)

// Looks up blurred images by circles of confusion: recon/defocus/stack.py is the definition.
#pragma once
#include <cstdint>
#include <vector>

#include "../isa.h"

namespace recon {

struct BlurStack {
  int64_t pixels;
  const float *images;         // pixels x cocs x 3, or null,
  const uint8_t *bytes;        // where this holds 255 times as much.
  std::vector<float> squares;  // Of the cocs, increasing; at least two.
};

}  // namespace recon

// The result is pixels x 3. Backward writes the gradient of the circles of confusion.
RECON_FOR_EACH_ISA(
  void from_stack(const BlurStack &stack, const float *coc, float *result);
  void differentiate_from_stack(const BlurStack &stack, const float *coc, const float *gradient,
                                float *coc_gradient);)

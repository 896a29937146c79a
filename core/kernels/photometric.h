// The photometric loss: L1 and SSIM between a rendered image and a photo, with the gradient.
#pragma once
#include <cstdint>

#include "../isa.h"

namespace recon {

struct ImagePair {
  int64_t height, width;
  const float *rendered;   // height x width x 3.
  const uint8_t *photo;    // height x width x 3.
  const uint8_t *mask;     // height x width, not 0 where a pixel counts; null where all do.
};

struct Agreement {
  double l1, ssim;  // Means over the pixels and channels that count; 0 and 1 where none does.
};

}  // namespace recon

// SSIM is that of Wang et al. 2004 (IEEE TIP 13(4), equation 13): an 11-tap Gaussian window of
// sigma 1.5, C1 = 0.01², C2 = 0.03², and zeros beyond the image. A pixel that does not count is
// a constant, the same in both images. Writes d((1 - w) L1 + w (1 - SSIM)) / d rendered for
// w = ssim_weight to the gradient, height x width x 3, unless that is null.
RECON_FOR_EACH_ISA(Agreement photometric(const ImagePair &images, float ssim_weight,
                                         float *gradient);)

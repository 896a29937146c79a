// sRGB and linear light (IEC 61966-2-1); the curves go on below 0 and above 1.
#pragma once
#include "simd_math.h"

namespace recon::ISA {

constexpr float kEncodedEdge = 0.04045f, kLinearEdge = 0.0031308f;

RECON_INLINE Vf to_linear(Vf x) {
  const Vf base = (maximum(x, broadcast(kEncodedEdge)) + 0.055f) * (1 / 1.055f);
  return select(greater(x, broadcast(kEncodedEdge)), exponential(2.4f * logarithm(base)),
                x * (1 / 12.92f));
}

RECON_INLINE Vf to_srgb(Vf x) {
  const Vf root = exponential((1 / 2.4f) * logarithm(maximum(x, broadcast(kLinearEdge))));
  return select(greater(x, broadcast(kLinearEdge)), 1.055f * root - 0.055f, 12.92f * x);
}

// The slope of `to_linear`, from both its argument and its value.
RECON_INLINE Vf to_linear_slope(Vf encoded, Vf linear) {
  const Mask curved = greater(encoded, broadcast(kEncodedEdge));
  return select(curved, 2.4f * linear / (maximum(encoded, broadcast(0)) + 0.055f),
                broadcast(1 / 12.92f));
}

}  // namespace recon::ISA

// The colours that a camera sees, one Gaussian per lane: max(0, 0.5 + harmonics * coefficients),
// and the way back.
#pragma once
#include "harmonics.h"
#include "raster.h"
#include "rows.h"
#include "simd.h"

namespace recon::ISA {

// Of an offset from the camera, in world axes.
struct Direction {
  Vf unit[3], inverse_length;

  explicit Direction(const Vf (&v)[3])
      : inverse_length(1.f / square_root(v[0] * v[0] + v[1] * v[1] + v[2] * v[2])) {
    for (int k = 0; k < 3; k++) unit[k] = v[k] * inverse_length;
  }
};

// What is not finite stays so, for the caller to see.
template <int degree>
RECON_INLINE void shade(const GaussianArrays<const float> &gaussians, const int32_t *rows,
                        const Vf (&offset)[3], Vf (&color)[3]) {
  load_rows<3>(gaussians.sh_base, 3, rows, color);
  for (Vf &c : color) c = c * kBand0 + 0.5f;
  if constexpr (degree > 0) {
    constexpr int count = rest_coefficients(degree);
    Vf basis[count], rest[3 * count];
    harmonics<degree>(Direction(offset).unit, basis);
    load_rows<3 * count>(gaussians.sh_rest, 3 * kRestCoefficients, rows, rest);
    for (int k = 0; k < count; k++)
      for (int c = 0; c < 3; c++) color[c] = fma(basis[k], rest[3 * k + c], color[c]);
  }
  for (Vf &c : color) c = select(greater(Vf{}, c), Vf{}, c);
}

// Writes the gradients of the coefficients of the first `lanes` lanes, where they are wanted, and
// returns that of the offset. `d_color` is 0 where the colour was cut off at 0.
template <int degree>
RECON_INLINE void differentiate_shade(const GaussianArrays<const float> &gaussians,
                                      const GaussianArrays<float> &gradients, const int32_t *rows,
                                      int lanes, const Vf (&offset)[3], const Vf (&d_color)[3],
                                      Vf (&d_offset)[3]) {
  Vf base[3];
  for (int c = 0; c < 3; c++) base[c] = kBand0 * d_color[c];
  if (gradients.sh_base) store_rows<3>(gradients.sh_base, 3, rows, lanes, base);
  for (Vf &d : d_offset) d = Vf{};
  if constexpr (degree > 0) {
    constexpr int count = rest_coefficients(degree), stride = 3 * kRestCoefficients;
    const Direction direction(offset);
    Vf rest[3 * count], weights[count], d_unit[3];
    load_rows<3 * count>(gaussians.sh_rest, stride, rows, rest);
    for (int k = 0; k < count; k++)
      weights[k] = rest[3 * k] * d_color[0] + rest[3 * k + 1] * d_color[1] +
                   rest[3 * k + 2] * d_color[2];
    differentiate_harmonics<degree>(direction.unit, weights, d_unit);
    const Vf *unit = direction.unit;
    const Vf along = d_unit[0] * unit[0] + d_unit[1] * unit[1] + d_unit[2] * unit[2];
    for (int k = 0; k < 3; k++)
      d_offset[k] = (d_unit[k] - along * unit[k]) * direction.inverse_length;
    if (gradients.sh_rest) {
      Vf basis[count];
      harmonics<degree>(direction.unit, basis);
      for (int k = 0; k < count; k++)
        for (int c = 0; c < 3; c++) rest[3 * k + c] = basis[k] * d_color[c];
      store_rows<3 * count>(gradients.sh_rest, stride, rows, lanes, rest);
    }
  }
}

}  // namespace recon::ISA

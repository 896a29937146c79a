// Real spherical harmonics to degree 3, in the order and with the signs of the 3DGS files
// (Kerbl et al. 2023; Sloan 2013, "Efficient spherical harmonic evaluation").
#pragma once
#include "simd.h"

namespace recon::ISA {

constexpr float kBand0 = 0.28209479f;
constexpr float kBand1 = 0.48860251f;
constexpr float kBand2[5] = {1.09254843f, -1.09254843f, 0.31539157f, -1.09254843f, 0.54627422f};
constexpr float kBand3[7] = {-0.59004359f, 2.89061144f, -0.45704580f, 0.37317633f,
                             -0.45704580f, 1.44530572f, -0.59004359f};

constexpr int rest_coefficients(int degree) { return (degree + 1) * (degree + 1) - 1; }

// The harmonics above degree 0 at a unit direction.
template <int degree>
RECON_INLINE void harmonics(const Vf (&d)[3], Vf *basis) {
  const Vf x = d[0], y = d[1], z = d[2];
  if constexpr (degree >= 1) {
    basis[0] = -kBand1 * y;
    basis[1] = kBand1 * z;
    basis[2] = -kBand1 * x;
  }
  if constexpr (degree >= 2) {
    const Vf xx = x * x, yy = y * y, zz = z * z;
    basis[3] = kBand2[0] * (x * y);
    basis[4] = kBand2[1] * (y * z);
    basis[5] = kBand2[2] * (2.f * zz - xx - yy);
    basis[6] = kBand2[3] * (x * z);
    basis[7] = kBand2[4] * (xx - yy);
    if constexpr (degree >= 3) {
      basis[8] = kBand3[0] * y * (3.f * xx - yy);
      basis[9] = kBand3[1] * (x * y) * z;
      basis[10] = kBand3[2] * y * (4.f * zz - xx - yy);
      basis[11] = kBand3[3] * z * (2.f * zz - 3.f * xx - 3.f * yy);
      basis[12] = kBand3[4] * x * (4.f * zz - xx - yy);
      basis[13] = kBand3[5] * z * (xx - yy);
      basis[14] = kBand3[6] * x * (xx - 3.f * yy);
    }
  }
}

// The gradient of sum_k weights[k] * harmonic_k(d) with respect to d.
template <int degree>
RECON_INLINE void differentiate_harmonics(const Vf (&d)[3], const Vf *weights, Vf (&gradient)[3]) {
  const Vf x = d[0], y = d[1], z = d[2];
  const Vf *w = weights;
  Vf gx = {}, gy = {}, gz = {};
  if constexpr (degree >= 1) {
    gx = -kBand1 * w[2];
    gy = -kBand1 * w[0];
    gz = kBand1 * w[1];
  }
  if constexpr (degree >= 2) {
    const Vf xy = kBand2[0] * w[3], yz = kBand2[1] * w[4], zz = 2.f * kBand2[2] * w[5];
    const Vf xz = kBand2[3] * w[6], xx = 2.f * kBand2[4] * w[7];
    gx += xy * y - zz * x + xz * z + xx * x;
    gy += xy * x + yz * z - zz * y - xx * y;
    gz += yz * y + 2.f * zz * z + xz * x;
  }
  if constexpr (degree >= 3) {
    const Vf xx = x * x, yy = y * y, zz = z * z;
    const Vf w8 = kBand3[0] * w[8], w9 = kBand3[1] * w[9], w10 = kBand3[2] * w[10];
    const Vf w11 = kBand3[3] * w[11], w12 = kBand3[4] * w[12], w13 = kBand3[5] * w[13];
    const Vf w14 = kBand3[6] * w[14];
    gx += w8 * (6.f * x * y) + w9 * (y * z) - w10 * (2.f * x * y) - w11 * (6.f * x * z) +
          w12 * (4.f * zz - 3.f * xx - yy) + w13 * (2.f * x * z) + w14 * (3.f * (xx - yy));
    gy += w8 * (3.f * (xx - yy)) + w9 * (x * z) + w10 * (4.f * zz - xx - 3.f * yy) -
          w11 * (6.f * y * z) - w12 * (2.f * x * y) - w13 * (2.f * y * z) - w14 * (6.f * x * y);
    gz += w9 * (x * y) + w10 * (8.f * y * z) + w11 * (6.f * zz - 3.f * xx - 3.f * yy) +
          w12 * (8.f * x * z) + w13 * (xx - yy);
  }
  gradient[0] = gx;
  gradient[1] = gy;
  gradient[2] = gz;
}

}  // namespace recon::ISA

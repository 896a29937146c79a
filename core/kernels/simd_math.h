// Exponential and logarithm of vectors, by polynomials.
#pragma once
#include "simd.h"

namespace recon::ISA {

// Adding and subtracting this rounds a float below 2^22 to the nearest integer, and leaves that
// integer in the low bits of the sum.
constexpr float kRounder = 12582912.f;  // 1.5 * 2^23

// 2^x within 5e-7, for -126 <= x < 128; outside, any value.
RECON_INLINE Vf exp2_in_range(Vf x) {
#if defined(__AVX512F__)
  // To the nearest sixteenth by a table in one register, from there by a parabola. Each entry has
  // its index subtracted where the shift below adds it.
  constexpr float sixteenth = kRounder / 16;
  const __m512i table =
      _mm512_setr_epi32(0x3f800000, 0x3f7daac3, 0x3f7b95c2, 0x3f79c3d3, 0x3f7837f0, 0x3f76f532,
                        0x3f75fed7, 0x3f75583f, 0x3f7504f3, 0x3f7508a4, 0x3f75672a, 0x3f76248c,
                        0x3f7744fd, 0x3f78ccdf, 0x3f7ac0c7, 0x3f7d257d);
  const Vf rounded = x + sixteenth;
  const Vf f = x - (rounded - sixteenth);
  const Vi power = (Vi)_mm512_permutexvar_epi32((__m512i)rounded, table) + (as_int(rounded) << 19);
  const Vf slope = fma(f, broadcast(0.24022858f), broadcast(0.69318765f)) * f;
  return fma(as_float(power), slope, as_float(power));
#else
  const Vf rounded = x + kRounder;
  const Vf f = x - (rounded - kRounder);
  Vf p = broadcast(1.3264814e-3f);
  p = fma(p, f, broadcast(9.6717886e-3f));
  p = fma(p, f, broadcast(5.5507337e-2f));
  p = fma(p, f, broadcast(2.4022186e-1f));
  p = fma(p, f, broadcast(6.9314700e-1f));
  p = fma(p, f, broadcast(1.f));
  return as_float(as_int(p) + (as_int(rounded) << 23));
#endif
}

// e^x within 2 ulp for every x: 0 and infinity where it leaves the range, NaN for NaN.
RECON_INLINE Vf exponential(Vf x) {
  // In this order of arguments NaN passes through.
  x = minimum(broadcast(104.f), maximum(broadcast(-104.f), x));
  const Vf rounded = fma(x, broadcast(1.44269504f), broadcast(kRounder));
  const Vf n = rounded - kRounder;
  const Vf f = fnma(n, broadcast(-2.12194440e-4f), fnma(n, broadcast(0.693359375f), x));
  Vf p = broadcast(1.9875691500e-4f);
  p = fma(p, f, broadcast(1.3981999507e-3f));
  p = fma(p, f, broadcast(8.3334519073e-3f));
  p = fma(p, f, broadcast(4.1665795894e-2f));
  p = fma(p, f, broadcast(1.6666665459e-1f));
  p = fma(p, f, broadcast(5.0000001201e-1f));
  p = fma(p * f, f, f) + 1.f;
  // 2^n in two factors, because n may exceed what one exponent can hold.
  const Vi integer = as_int(rounded) - as_int(broadcast(kRounder));
  const Vi half = integer >> 1;
  return p * as_float((half + 127) << 23) * as_float((integer - half + 127) << 23);
}

// Natural logarithm within 2 ulp of max(1, result), for positive normal x.
RECON_INLINE Vf logarithm(Vf x) {
  // The mantissa is brought into [sqrt(1/2), sqrt(2)).
  const Vi exponent = (as_int(x) - 0x3f3504f3) >> 23;
  const Vf f = as_float(as_int(x) - (exponent << 23)) - 1.f;
  const Vf n = as_float(exponent + as_int(broadcast(kRounder))) - kRounder;
  Vf p = broadcast(7.0376836292e-2f);
  p = fma(p, f, broadcast(-1.1514610310e-1f));
  p = fma(p, f, broadcast(1.1676998740e-1f));
  p = fma(p, f, broadcast(-1.2420140846e-1f));
  p = fma(p, f, broadcast(1.4249322787e-1f));
  p = fma(p, f, broadcast(-1.6668057665e-1f));
  p = fma(p, f, broadcast(2.0000714765e-1f));
  p = fma(p, f, broadcast(-2.4999993993e-1f));
  p = fma(p, f, broadcast(3.3333331174e-1f));
  const Vf square = f * f;
  const Vf fraction = fma(p * f, square, fma(n, broadcast(-2.12194440e-4f), -.5f * square));
  return fma(n, broadcast(0.693359375f), f + fraction);
}

}  // namespace recon::ISA

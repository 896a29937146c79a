// From rows of red, green, blue to a vector for each, and back.
#pragma once
#include "simd.h"

namespace recon::ISA {

#if defined(__AVX512F__)
// Which of 48 interleaved numbers is the i-th of a channel lies in one of three vectors. The first
// permutation takes what lies in two of them, the second adds the third's.
RECON_INLINE void split(const float *p, Vf (&out)[3]) {
  const __m512 a = (__m512)load(p), b = (__m512)load(p + 16), c = (__m512)load(p + 32);
  const __m512i ab[3] = {
      _mm512_setr_epi32(0, 3, 6, 9, 12, 15, 18, 21, 24, 27, 30, 0, 0, 0, 0, 0),
      _mm512_setr_epi32(1, 4, 7, 10, 13, 16, 19, 22, 25, 28, 31, 0, 0, 0, 0, 0),
      _mm512_setr_epi32(2, 5, 8, 11, 14, 17, 20, 23, 26, 29, 0, 0, 0, 0, 0, 0)};
  const __m512i with_c[3] = {
      _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 17, 20, 23, 26, 29),
      _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 18, 21, 24, 27, 30),
      _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 16, 19, 22, 25, 28, 31)};
  for (int k = 0; k < 3; k++)
    out[k] = (Vf)_mm512_permutex2var_ps(_mm512_permutex2var_ps(a, ab[k], b), with_c[k], c);
}

RECON_INLINE void join(const Vf (&in)[3], float *p) {
  const __m512 r = (__m512)in[0], g = (__m512)in[1], b = (__m512)in[2];
  const __m512i rg[3] = {
      _mm512_setr_epi32(0, 16, 0, 1, 17, 0, 2, 18, 0, 3, 19, 0, 4, 20, 0, 5),
      _mm512_setr_epi32(21, 0, 6, 22, 0, 7, 23, 0, 8, 24, 0, 9, 25, 0, 10, 26),
      _mm512_setr_epi32(0, 11, 27, 0, 12, 28, 0, 13, 29, 0, 14, 30, 0, 15, 31, 0)};
  const __m512i with_b[3] = {
      _mm512_setr_epi32(0, 1, 16, 3, 4, 17, 6, 7, 18, 9, 10, 19, 12, 13, 20, 15),
      _mm512_setr_epi32(0, 21, 2, 3, 22, 5, 6, 23, 8, 9, 24, 11, 12, 25, 14, 15),
      _mm512_setr_epi32(26, 1, 2, 27, 4, 5, 28, 7, 8, 29, 10, 11, 30, 13, 14, 31)};
  for (int k = 0; k < 3; k++)
    store(p + 16 * k, (Vf)_mm512_permutex2var_ps(_mm512_permutex2var_ps(r, rg[k], g), with_b[k], b));
}
#else
RECON_INLINE void split(const float *p, Vf (&out)[3]) {
  float planes[3][kLanes];
  for (int i = 0; i < kLanes; i++)
    for (int k = 0; k < 3; k++) planes[k][i] = p[3 * i + k];
  for (int k = 0; k < 3; k++) out[k] = load(planes[k]);
}

RECON_INLINE void join(const Vf (&in)[3], float *p) {
  float planes[3][kLanes];
  for (int k = 0; k < 3; k++) store(planes[k], in[k]);
  for (int i = 0; i < kLanes; i++)
    for (int k = 0; k < 3; k++) p[3 * i + k] = planes[k][i];
}
#endif

// The same for `count` pixels, at most kLanes; the others are 0.
RECON_INLINE void split(const float *p, int64_t count, Vf (&out)[3]) {
  if (count == kLanes) return split(p, out);
  float some[3 * kLanes] = {};
  std::memcpy(some, p, 3 * count * sizeof(float));
  split(some, out);
}

RECON_INLINE void join(const Vf (&in)[3], int64_t count, float *p) {
  if (count == kLanes) return join(in, p);
  float some[3 * kLanes];
  join(in, some);
  std::memcpy(p, some, 3 * count * sizeof(float));
}

// `count` numbers, at most kLanes; the others are 0.
RECON_INLINE Vf load_some(const float *p, int64_t count) {
  if (count == kLanes) return load(p);
  float some[kLanes] = {};
  std::memcpy(some, p, count * sizeof(float));
  return load(some);
}

}  // namespace recon::ISA

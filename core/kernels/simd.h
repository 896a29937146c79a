// Vectors of floats as wide as the instruction set has them: 16, 8 or 4 lanes.
//
// Arithmetic and comparisons are the compiler's own (GCC and clang vector extensions), so the
// 4-lane form serves SSE2, NEON and any other processor. Intrinsics stand where the extensions
// have no word for it. Everything here is static: a copy compiled for one instruction set must
// never be called from another.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>

#include "../isa.h"

#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
#define RECON_X86 1
#elif defined(__aarch64__)
#include <arm_neon.h>
#define RECON_NEON 1
#endif

#define RECON_INLINE static inline __attribute__((always_inline))

namespace recon::ISA {

#if defined(__AVX512F__)
constexpr int kLanes = 16;
#elif defined(__AVX2__)
constexpr int kLanes = 8;
#else
constexpr int kLanes = 4;
#endif

typedef float Vf __attribute__((vector_size(4 * kLanes)));
typedef int32_t Vi __attribute__((vector_size(4 * kLanes)));

RECON_INLINE Vf broadcast(float x) { return x - Vf{}; }
RECON_INLINE Vf load(const float *p) {
  Vf v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
RECON_INLINE void store(float *p, Vf v) { std::memcpy(p, &v, sizeof v); }
RECON_INLINE Vi as_int(Vf x) { return (Vi)x; }
RECON_INLINE Vf as_float(Vi x) { return (Vf)x; }

// a * b + c and c - a * b. Written out wherever a result must be the same in two kernels, because
// the compiler may fuse one expression and not the other.
#if defined(__AVX512F__)
RECON_INLINE Vf fma(Vf a, Vf b, Vf c) {
  return (Vf)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
}
RECON_INLINE Vf fnma(Vf a, Vf b, Vf c) {
  return (Vf)_mm512_fnmadd_ps((__m512)a, (__m512)b, (__m512)c);
}
#elif defined(__AVX2__)
RECON_INLINE Vf fma(Vf a, Vf b, Vf c) {
  return (Vf)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
}
RECON_INLINE Vf fnma(Vf a, Vf b, Vf c) {
  return (Vf)_mm256_fnmadd_ps((__m256)a, (__m256)b, (__m256)c);
}
#elif defined(RECON_NEON)
RECON_INLINE Vf fma(Vf a, Vf b, Vf c) {
  return (Vf)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
}
RECON_INLINE Vf fnma(Vf a, Vf b, Vf c) {
  return (Vf)vfmsq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
}
#else
RECON_INLINE Vf fma(Vf a, Vf b, Vf c) { return a * b + c; }
RECON_INLINE Vf fnma(Vf a, Vf b, Vf c) { return c - a * b; }
#endif

// Comparisons are false where either side is not a number. `minimum` and `maximum` give the second
// argument there. `keep` is zero where the mask is not set.
#if defined(__AVX512F__)
typedef __mmask16 Mask;
RECON_INLINE Mask greater(Vf a, Vf b) {
  return _mm512_cmp_ps_mask((__m512)a, (__m512)b, _CMP_GT_OQ);
}
RECON_INLINE Mask at_least(Vf a, Vf b) {
  return _mm512_cmp_ps_mask((__m512)a, (__m512)b, _CMP_GE_OQ);
}
RECON_INLINE Vf select(Mask m, Vf a, Vf b) {
  return (Vf)_mm512_mask_blend_ps(m, (__m512)b, (__m512)a);
}
RECON_INLINE Vf keep(Mask m, Vf a) { return (Vf)_mm512_maskz_mov_ps(m, (__m512)a); }
RECON_INLINE Vf minimum(Vf a, Vf b) { return (Vf)_mm512_min_ps((__m512)a, (__m512)b); }
RECON_INLINE Vf maximum(Vf a, Vf b) { return (Vf)_mm512_max_ps((__m512)a, (__m512)b); }
RECON_INLINE Vf square_root(Vf a) { return (Vf)_mm512_sqrt_ps((__m512)a); }
RECON_INLINE uint32_t bits(Mask m) { return m; }
RECON_INLINE Mask has_bit(Vi a, uint32_t bit) {
  return _mm512_test_epi32_mask((__m512i)a, _mm512_set1_epi32(static_cast<int>(bit)));
}
RECON_INLINE Mask mask_of_bits(uint32_t bits) { return static_cast<Mask>(bits); }
RECON_INLINE Vi keep(Mask m, int32_t a) { return (Vi)_mm512_maskz_set1_epi32(m, a); }
// a / b within 2 ulp, at a third of a division's cost.
RECON_INLINE Vf quotient(Vf a, Vf b) {
  const Vf r = (Vf)_mm512_rcp14_ps((__m512)b), q = a * r;
  return fma(q, fnma(b, r, broadcast(1)), q);
}
#else
typedef Vi Mask;
RECON_INLINE Mask greater(Vf a, Vf b) { return a > b; }
RECON_INLINE Mask at_least(Vf a, Vf b) { return a >= b; }
RECON_INLINE Vf keep(Mask m, Vf a) { return as_float(m & as_int(a)); }
RECON_INLINE Mask has_bit(Vi a, uint32_t bit) { return (a & static_cast<int32_t>(bit)) != 0; }
RECON_INLINE Mask mask_of_bits(uint32_t bits) {
  Vi lane_bit;
  for (int i = 0; i < kLanes; i++) lane_bit[i] = 1 << i;
  return (lane_bit & static_cast<int32_t>(bits)) != 0;
}
RECON_INLINE Vi keep(Mask m, int32_t a) { return m & a; }
RECON_INLINE Vf quotient(Vf a, Vf b) { return a / b; }
#if defined(__AVX2__)
RECON_INLINE Vf select(Mask m, Vf a, Vf b) {
  return (Vf)_mm256_blendv_ps((__m256)b, (__m256)a, (__m256)m);
}
RECON_INLINE Vf minimum(Vf a, Vf b) { return (Vf)_mm256_min_ps((__m256)a, (__m256)b); }
RECON_INLINE Vf maximum(Vf a, Vf b) { return (Vf)_mm256_max_ps((__m256)a, (__m256)b); }
RECON_INLINE Vf square_root(Vf a) { return (Vf)_mm256_sqrt_ps((__m256)a); }
RECON_INLINE uint32_t bits(Mask m) { return static_cast<uint32_t>(_mm256_movemask_ps((__m256)m)); }
#else
RECON_INLINE Vf select(Mask m, Vf a, Vf b) { return as_float((m & as_int(a)) | (~m & as_int(b))); }
#if defined(RECON_X86)
RECON_INLINE Vf minimum(Vf a, Vf b) { return (Vf)_mm_min_ps((__m128)a, (__m128)b); }
RECON_INLINE Vf maximum(Vf a, Vf b) { return (Vf)_mm_max_ps((__m128)a, (__m128)b); }
RECON_INLINE Vf square_root(Vf a) { return (Vf)_mm_sqrt_ps((__m128)a); }
RECON_INLINE uint32_t bits(Mask m) { return static_cast<uint32_t>(_mm_movemask_ps((__m128)m)); }
#else
RECON_INLINE Vf minimum(Vf a, Vf b) { return select(a < b, a, b); }
RECON_INLINE Vf maximum(Vf a, Vf b) { return select(a > b, a, b); }
RECON_INLINE Vf square_root(Vf a) {
  for (int i = 0; i < kLanes; i++) a[i] = std::sqrt(a[i]);
  return a;
}
RECON_INLINE uint32_t bits(Mask m) {
  m &= Mask{1, 2, 4, 8};
  return static_cast<uint32_t>((m[0] | m[1]) | (m[2] | m[3]));
}
#endif
#endif
#endif

RECON_INLINE bool any(Mask m) { return bits(m) != 0; }
RECON_INLINE Vf clamp(Vf x, float low, float high) {
  return minimum(maximum(x, broadcast(low)), broadcast(high));
}
RECON_INLINE Vf absolute(Vf x) { return as_float(as_int(x) & 0x7fffffff); }
RECON_INLINE Vi rounded_up(Vf x) {
  const Vi towards_zero = __builtin_convertvector(x, Vi);
  return towards_zero - (__builtin_convertvector(towards_zero, Vf) < x);  // True is -1.
}
RECON_INLINE Mask finite(Vf x) { return greater(broadcast(INFINITY), absolute(x)); }

// 0, 1, 2, ...
RECON_INLINE Vf lane_numbers() {
  Vf v = {};
  for (int i = 0; i < kLanes; i++) v[i] = static_cast<float>(i);
  return v;
}

// Adds up the lanes of a vector, always in the same order.
RECON_INLINE float sum_lanes(Vf v) {
  float lanes[kLanes], sum = 0;
  store(lanes, v);
  for (float x : lanes) sum += x;
  return sum;
}

// Adds up the lanes of each of twelve vectors.
RECON_INLINE void sum_lanes_of_12(const Vf *v, float *sums) {
#if defined(__AVX512F__)
  // Halves the lanes of two vectors and joins them, until one vector holds all sums.
  const auto join_512 = [](Vf a, Vf b) {
    return (Vf)_mm512_shuffle_f32x4((__m512)a, (__m512)b, 0x44) +
           (Vf)_mm512_shuffle_f32x4((__m512)a, (__m512)b, 0xee);
  };
  const auto join_256 = [](Vf a, Vf b) {
    return (Vf)_mm512_shuffle_f32x4((__m512)a, (__m512)b, 0x88) +
           (Vf)_mm512_shuffle_f32x4((__m512)a, (__m512)b, 0xdd);
  };
  const auto join_128 = [](Vf a, Vf b) {
    return (Vf)_mm512_shuffle_ps((__m512)a, (__m512)b, 0x44) +
           (Vf)_mm512_shuffle_ps((__m512)a, (__m512)b, 0xee);
  };
  const auto join_64 = [](Vf a, Vf b) {
    return (Vf)_mm512_shuffle_ps((__m512)a, (__m512)b, 0x88) +
           (Vf)_mm512_shuffle_ps((__m512)a, (__m512)b, 0xdd);
  };
  Vf q[3];
  for (int k = 0; k < 3; k++)
    q[k] = join_256(join_512(v[4 * k], v[4 * k + 1]), join_512(v[4 * k + 2], v[4 * k + 3]));
  const Vf all = join_64(join_128(q[0], q[1]), join_128(q[2], q[2]));
  const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 3, 3, 3);
  const __m512 sorted = _mm512_permutexvar_ps(order, (__m512)all);
  _mm256_storeu_ps(sums, _mm512_castps512_ps256(sorted));
  _mm_storeu_ps(sums + 8, _mm512_extractf32x4_ps(sorted, 2));
#elif defined(__AVX2__)
  for (int k = 0; k < 12; k += 4) {
    const __m256 ab = _mm256_hadd_ps((__m256)v[k], (__m256)v[k + 1]);
    const __m256 cd = _mm256_hadd_ps((__m256)v[k + 2], (__m256)v[k + 3]);
    const __m256 abcd = _mm256_hadd_ps(ab, cd);
    _mm_storeu_ps(sums + k,
                  _mm_add_ps(_mm256_castps256_ps128(abcd), _mm256_extractf128_ps(abcd, 1)));
  }
#elif defined(RECON_X86)
  for (int k = 0; k < 12; k += 4) {
    __m128 a = (__m128)v[k], b = (__m128)v[k + 1], c = (__m128)v[k + 2], d = (__m128)v[k + 3];
    _MM_TRANSPOSE4_PS(a, b, c, d);
    _mm_storeu_ps(sums + k, _mm_add_ps(_mm_add_ps(a, b), _mm_add_ps(c, d)));
  }
#else
  for (int k = 0; k < 12; k++) sums[k] = (v[k][0] + v[k][1]) + (v[k][2] + v[k][3]);
#endif
}

}  // namespace recon::ISA

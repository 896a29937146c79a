// From arrays with a row for each Gaussian to vectors with a lane for each, and back.
#pragma once
#include "simd.h"

namespace recon::ISA {

typedef float Quad __attribute__((vector_size(16)));

// Turns four rows of four into four columns.
RECON_INLINE void transpose(Quad (&q)[4]) {
#ifdef __clang__
#define RECON_SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define RECON_SHUFFLE(a, b, ...) __builtin_shuffle(a, b, Quad32{__VA_ARGS__})
  typedef int32_t Quad32 __attribute__((vector_size(16)));
#endif
  const Quad a = RECON_SHUFFLE(q[0], q[1], 0, 4, 1, 5), b = RECON_SHUFFLE(q[2], q[3], 0, 4, 1, 5);
  const Quad c = RECON_SHUFFLE(q[0], q[1], 2, 6, 3, 7), d = RECON_SHUFFLE(q[2], q[3], 2, 6, 3, 7);
  q[0] = RECON_SHUFFLE(a, b, 0, 1, 4, 5);
  q[1] = RECON_SHUFFLE(a, b, 2, 3, 6, 7);
  q[2] = RECON_SHUFFLE(c, d, 0, 1, 4, 5);
  q[3] = RECON_SHUFFLE(c, d, 2, 3, 6, 7);
#undef RECON_SHUFFLE
}

// Loads `count` consecutive floats for each lane: out[k][lane] = base[rows[lane] * stride + k].
template <int count>
RECON_INLINE void load_rows(const float *base, int64_t stride, const int32_t *rows, Vf *out) {
  constexpr int quads = count / 4 * 4;
  alignas(64) float columns[count][kLanes];
  for (int lane = 0; lane < kLanes; lane += 4)
    for (int k = 0; k < quads; k += 4) {
      Quad q[4];
      for (int i = 0; i < 4; i++)
        std::memcpy(&q[i], base + rows[lane + i] * stride + k, sizeof(Quad));
      transpose(q);
      for (int i = 0; i < 4; i++) std::memcpy(&columns[k + i][lane], &q[i], sizeof(Quad));
    }
  for (int lane = 0; lane < kLanes; lane++)
    for (int k = quads; k < count; k++) columns[k][lane] = base[rows[lane] * stride + k];
  for (int k = 0; k < count; k++) out[k] = load(columns[k]);
}

// The way back, for the first `lanes` lanes.
template <int count>
RECON_INLINE void store_rows(float *base, int64_t stride, const int32_t *rows, int lanes,
                             const Vf *in) {
  constexpr int quads = count / 4 * 4;
  alignas(64) float columns[count][kLanes];
  for (int k = 0; k < count; k++) store(columns[k], in[k]);
  const int whole = lanes / 4 * 4;
  for (int lane = 0; lane < whole; lane += 4)
    for (int k = 0; k < quads; k += 4) {
      Quad q[4];
      for (int i = 0; i < 4; i++) std::memcpy(&q[i], &columns[k + i][lane], sizeof(Quad));
      transpose(q);
      for (int i = 0; i < 4; i++)
        std::memcpy(base + rows[lane + i] * stride + k, &q[i], sizeof(Quad));
    }
  for (int lane = 0; lane < lanes; lane++)
    for (int k = lane < whole ? quads : 0; k < count; k++)
      base[rows[lane] * stride + k] = columns[k][lane];
}

}  // namespace recon::ISA

// How splats meet pixels; what the forward and the backward kernel must do alike.
//
// A tile is cut into blocks of 4 x 4 pixels, and a block into vectors of one pixel per lane. On a
// block whose first pixel is at (x, y) from the splat's centre,
//
//   log2 alpha(i, j) = base + slope_x i + slope_y j - (sharp_x (i - lean j)² + sharp_y j²)
//
// where base and slopes are the block's and the quadratic term is the same on every block.
#pragma once
#include "raster.h"
#include "simd.h"
#include "simd_math.h"

namespace recon::ISA {

constexpr int kBlockWidth = 4, kBlockHeight = 4;
constexpr int kBlocksAcross = kTile / kBlockWidth;
constexpr int kBlocks = kBlocksAcross * (kTile / kBlockHeight);
constexpr int kVectorsPerBlock = kBlockWidth * kBlockHeight / kLanes;
constexpr int kRowsPerVector = kLanes / kBlockWidth;
constexpr int kVectors = kBlocks * kVectorsPerBlock;

constexpr float kLog2AlphaMin = -7.99435344f;  // log2(1 / 255)

// One number for each pixel of a tile: block after block, vector after vector.
struct alignas(64) Plane {
  float values[kTile * kTile] = {};

  Vf get(int vector) const { return load(values + vector * kLanes); }
  void set(int vector, Vf v) { store(values + vector * kLanes, v); }
  void set_row(int y, const float *row) {
    for (int c = 0; c < kBlocksAcross; c++)
      std::memcpy(values + place(c, y), row + c * kBlockWidth, kBlockWidth * sizeof(float));
  }
  void get_row(int y, float *row) const {
    for (int c = 0; c < kBlocksAcross; c++)
      std::memcpy(row + c * kBlockWidth, values + place(c, y), kBlockWidth * sizeof(float));
  }

 private:
  // Where the pixels of row y stand that are in one column of blocks.
  static int place(int column, int y) {
    const int block = y / kBlockHeight * kBlocksAcross + column;
    return (block * kBlockHeight + y % kBlockHeight) * kBlockWidth;
  }
};

// Pixels of a vector, counted from its block's first.
struct PixelOffsets {
  Vf x, y[kVectorsPerBlock];

  PixelOffsets() {
    for (int i = 0; i < kLanes; i++) {
      x[i] = static_cast<float>(i % kBlockWidth);
      for (int v = 0; v < kVectorsPerBlock; v++)
        y[v][i] = static_cast<float>(v * kRowsPerVector + i / kBlockWidth);
    }
  }
};

// The first pixel of each block of a tile, one block per lane.
struct BlockOrigins {
  Vf x[kBlocks / kLanes], y[kBlocks / kLanes];

  BlockOrigins() {
    for (int b = 0; b < kBlocks; b++) {
      x[b / kLanes][b % kLanes] = static_cast<float>(b % kBlocksAcross * kBlockWidth) + 0.5f;
      y[b / kLanes][b % kLanes] = static_cast<float>(b / kBlocksAcross * kBlockHeight) + 0.5f;
    }
  }
};

// Asks for a tile's pixels ahead of their use: its rows lie too far apart for the processor to
// guess. Inlined, because GCC drops calls of functions that do nothing else.
template <class Float>
RECON_INLINE void prefetch_tile(const Images<Float> &images, int left, int top, const View &view) {
  if (left >= view.width || top >= view.height) return;
  const int bottom = top + kTile < view.height ? top + kTile : view.height;
  for (int y = top; y < bottom; y++) {
    const int64_t pixel = int64_t(y) * view.width + left;
    if (images.color)
      for (int c = 0; c < 3; c++) __builtin_prefetch(images.color + 3 * pixel + c * kTile);
    if (images.alpha) __builtin_prefetch(images.alpha + pixel);
    if (images.expected_depth) __builtin_prefetch(images.expected_depth + pixel);
  }
}

// One splat on all blocks of a tile.
struct BlockTerms {
  alignas(64) float base[kBlocks], slope_x[kBlocks], slope_y[kBlocks];
};

RECON_INLINE void block_terms(const Splat &s, Vf x, Vf y, int group, BlockTerms &out) {
  const Vf lean = broadcast(s.lean), u = fnma(lean, y, x);
  const Vf across = s.sharp_x * u, down = s.sharp_y * y;
  store(out.base + group * kLanes, fnma(down, y, fnma(across, u, broadcast(s.log2_opacity))));
  store(out.slope_x + group * kLanes, -2.f * across);
  store(out.slope_y + group * kLanes, 2.f * fma(lean, across, -down));
}

RECON_INLINE void quadratic_terms(const Splat &s, const PixelOffsets &at, Vf *out) {
  for (int v = 0; v < kVectorsPerBlock; v++) {
    const Vf y = at.y[v], u = fnma(broadcast(s.lean), y, at.x);
    out[v] = fma(s.sharp_x * u, u, (s.sharp_y * y) * y);
  }
}

// Which blocks hold a point, among the hull of their pixel centres, where alpha is large enough:
// the exact least exponent over each hull, which lies on the side that faces the centre.
RECON_INLINE uint32_t blocks_reached(const Splat &s, Vf x0, Vf y0) {
  const Vf x1 = x0 + (kBlockWidth - 1), y1 = y0 + (kBlockHeight - 1), zero = {};
  const Vf x = minimum(x1, maximum(x0, zero)), y = minimum(y1, maximum(y0, zero));
  const Vf best_x = minimum(x1, maximum(x0, s.lean * y));
  const Vf best_y = minimum(y1, maximum(y0, s.slant * x));
  const Vf lean = broadcast(s.lean), sharp_y = broadcast(s.sharp_y);
  const Vf u = fnma(lean, best_y, x), v = fnma(lean, y, best_x);
  const Vf at_x = fma(s.sharp_x * u, u, (sharp_y * best_y) * best_y);
  const Vf at_y = fma(s.sharp_x * v, v, (sharp_y * y) * y);
  return bits(at_least(broadcast(s.log2_opacity - kLog2AlphaMin), minimum(at_x, at_y)));
}

RECON_INLINE Vf log2_alpha(Vf base, Vf slope_x, Vf slope_y, Vf quadratic, Vf x, Vf y) {
  return fma(slope_x, x, fma(slope_y, y, base - quadratic));
}

}  // namespace recon::ISA

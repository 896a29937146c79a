// The stages of drawing Gaussians, and what passes between them:
//
//   project    Gaussians -> Splats, ellipses on the screen, and the tiles that each one touches
//   bin        -> for each tile its splats, nearest first
//   composite  -> images (Kerbl et al. 2023, arXiv 2308.04079)
//
// and back, from the images' gradients to the splats' (differentiate_images) to the Gaussians'
// (differentiate_projection). Nothing is added up in an order that depends on the threads.
#pragma once
#include <cstdint>
#include <vector>

#include "../isa.h"
#include "buffer.h"

namespace recon {

// The constants of recon/raster/interface.py.
constexpr float kNear = 0.01f;
constexpr float kDilation = 0.3f;
constexpr float kAlphaMin = 1.f / 255;
constexpr float kAlphaMax = 0.999f;
constexpr float kTransmittanceMin = 1e-4f;

constexpr int kTile = 16;              // px, width and height of a tile.
constexpr int kChunk = 512;            // Gaussians that are projected together.
constexpr int kSpareEntries = 32;      // Behind the last tile's, for those who look ahead.
constexpr int kRestCoefficients = 15;  // Harmonics of degree 1 to 3.

struct View {
  float world_to_camera[12];  // The upper three rows.
  double fx, fy, cx, cy;
  int width, height;
  int sh_degree;
  float background[3];
  bool has_lens;
  float lens_strength, inverse_focus;

  int tiles_x() const { return (width + kTile - 1) / kTile; }
  int tiles_y() const { return (height + kTile - 1) / kTile; }
};

// Row-major arrays of `count` rows; null where a gradient is not wanted.
template <class Float>
struct GaussianArrays {
  int64_t count;
  Float *means, *quaternions, *log_scales, *opacity_logits, *sh_base, *sh_rest;
};

// A Gaussian on the screen. Its exponent is written as two squares, which do not cancel as the
// three terms of the usual quadratic form do on long thin ellipses:
//
//   log2 alpha(dx, dy) = log2_opacity - sharp_x (dx - lean dy)² - sharp_y dy²
//
// At a given dx, the exponent is greatest at dy = slant dx.
struct alignas(64) Splat {
  double x, y;  // px; a float would move a small splat of a large image visibly.
  float sharp_x, sharp_y, lean, slant, log2_opacity;
  float red, green, blue, depth;
  int32_t gaussian;
};

// The slots of one splat, one for each tile that it touches.
struct SlotRange {
  uint32_t begin, end;
};

struct TileEntry {
  uint32_t splat, slot;
};

struct DepthKey {
  uint32_t key, splat;  // The bits of a positive float order as the float does.
};

// What one tile adds to the gradient of one splat: sums over its pixels, of e = dL/d(ln alpha) and
// of the weight w. u is dx - lean dy, so that nothing cancels here either.
struct Moments {
  float e, e_u, e_y, e_uu, e_uy, e_yy;
  float red, green, blue, depth;
  float unused[2];
};

// Everything between the inputs and the images of one render.
struct Workspace {
  View view;
  int64_t gaussian_count = 0;
  int64_t chunks() const { return (gaussian_count + kChunk - 1) / kChunk; }

  // From project: chunk c owns splats [c * kChunk, c * kChunk + chunk_sizes[c]).
  Buffer<Splat> splats;
  Buffer<SlotRange> slots;  // Counted within their list, until the lists are joined.
  Buffer<DepthKey> chunk_keys;
  Buffer<int32_t> chunk_sizes;
  // The tiles of the splats, slot after slot. Each list covers an equal share of the chunks.
  std::vector<Buffer<uint32_t>> tile_lists;
  std::vector<size_t> list_sizes;

  // From bin.
  int64_t splat_count = 0, slot_count = 0;
  Buffer<uint32_t> slot_tiles;  // The lists, joined.
  Buffer<DepthKey> depth_keys, depth_keys_spare;
  Buffer<uint32_t> histograms;
  Buffer<uint32_t> tile_begins;  // One more than tiles.
  Buffer<TileEntry> entries;

  // From composite: the blocks of its tile that an entry was drawn on, up to where the tile was
  // full.
  Buffer<uint32_t> drawn_blocks;
  Buffer<uint32_t> tile_ends;

  // From differentiate_images: by slot, where `has_moments` says so.
  Buffer<Moments> moments;
  Buffer<uint8_t> has_moments;

  Buffer<float> chunk_sums;  // Of differentiate_projection.
};

template <class Float>
struct Images {
  Float *color, *alpha, *expected_depth, *median_depth;  // The last may be null; gradients all may.
};

struct ViewGradients {
  float world_to_camera[16];
  float lens_strength, inverse_focus;
};

}  // namespace recon

RECON_FOR_EACH_ISA(
    void project(const GaussianArrays<const float> &gaussians, int32_t *radii, Workspace &work);
    void bin(Workspace &work);
    void composite(const Images<float> &images, Workspace &work);
    void differentiate_images(const Images<const float> &images,
                              const Images<const float> &gradients, Workspace &work);
    void differentiate_projection(const GaussianArrays<const float> &gaussians,
                                  const GaussianArrays<float> &gradients, float *offsets,
                                  ViewGradients &view_gradients, Workspace &work);)

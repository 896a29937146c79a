// Splats to images, tile by tile. Splats are taken in batches: first each is tried on all blocks of
// the tile, then each vector of pixels walks through those that reach it, with its sums in registers.
#include "compositing.h"

#include <algorithm>

#include "threads.h"

namespace recon::ISA {
namespace {

constexpr int kBatch = 32;  // One bit of a word each.

struct StagedSplat {
  BlockTerms terms;
  Vf quadratic[kVectorsPerBlock];
  float red, green, blue, depth;
};

struct Pixels {
  // Transmittance; 0 where the pixel is full or outside the image.
  Vf transmittance;
  Vf weight, red, green, blue, depth, median;
};

struct Tile {
  Pixels pixels[kVectors];
  StagedSplat staged[kBatch];
  alignas(64) uint32_t reached[kBatch];  // Blocks, by splat.
  uint32_t splats[kBlocks];              // The same by block: splats of the batch.
  uint32_t drawn[kBlocks];               // Those among them that left a mark.
};

// Turns a matrix of bits: out[block] bit i = in[i] bit block.
RECON_INLINE void blocks_by_splat_to_splats_by_block(const uint32_t *in, uint32_t *out) {
  for (int b = 0; b < kBlocks; b++) out[b] = 0;
  for (int i = 0; i < kBatch; i += kLanes) {
    Vi v;
    std::memcpy(&v, in + i, sizeof v);
    for (int b = 0; b < kBlocks; b++) out[b] |= bits(has_bit(v, 1u << b)) << i;
  }
}

RECON_INLINE void splats_by_block_to_blocks_by_splat(const uint32_t *in, int count, uint32_t *out) {
  for (int i = 0; i < count; i++) out[i] = 0;
  for (int b = 0; b < kBlocks; b++)
    for (uint32_t todo = in[b]; todo; todo &= todo - 1) out[__builtin_ctz(todo)] |= 1u << b;
}

// Draws the splats of `todo` on one vector of pixels; returns those that left a mark.
template <bool median>
RECON_INLINE uint32_t draw(const StagedSplat *staged, uint32_t todo, int block, int v, Vf x, Vf y,
                           Pixels &pixels) {
  Pixels p = pixels;
  uint32_t drawn_splats = 0;
  for (; todo; todo &= todo - 1) {
    const int i = __builtin_ctz(todo);
    const StagedSplat &s = staged[i];
    const Vf q = log2_alpha(broadcast(s.terms.base[block]), broadcast(s.terms.slope_x[block]),
                            broadcast(s.terms.slope_y[block]), s.quadratic[v], x, y);
    const Mask inside = at_least(q, broadcast(kLog2AlphaMin));
    const Vf alpha = keep(inside, minimum(exp2_in_range(q), broadcast(kAlphaMax)));
    const Vf behind = fnma(p.transmittance, alpha, p.transmittance);
    const Mask open = greater(behind, broadcast(kTransmittanceMin));
    const Vf w = keep(open, alpha * p.transmittance);
    p.weight += w;
    p.red = fma(w, broadcast(s.red), p.red);
    p.green = fma(w, broadcast(s.green), p.green);
    p.blue = fma(w, broadcast(s.blue), p.blue);
    p.depth = fma(w, broadcast(s.depth), p.depth);
    if constexpr (median) {
      const Mask crossing = open & greater(p.transmittance, broadcast(0.5f)) &
                            at_least(broadcast(0.5f), behind);
      p.median = select(crossing, broadcast(s.depth), p.median);
    }
    p.transmittance = keep(open, behind);
    drawn_splats |= uint32_t(any(inside & open)) << i;
    if (!any(open)) break;
  }
  pixels = p;
  return drawn_splats;
}

void start(Tile &tile, int width, int height, const PixelOffsets &at) {
  for (int b = 0; b < kBlocks; b++)
    for (int v = 0; v < kVectorsPerBlock; v++) {
      Pixels &p = tile.pixels[b * kVectorsPerBlock + v];
      p = Pixels{};
      const float right = static_cast<float>(width - b % kBlocksAcross * kBlockWidth);
      const float bottom = static_cast<float>(height - b / kBlocksAcross * kBlockHeight);
      p.transmittance = keep(greater(broadcast(right), at.x) & greater(broadcast(bottom), at.y[v]),
                             broadcast(1));
    }
}

// Draws entries [begin, end) of the tile; returns where its last pixel was full.
template <bool median>
uint32_t draw_tile(Tile &tile, uint32_t begin, uint32_t end, int left, int top,
                   const PixelOffsets &at, const BlockOrigins &origins, const Workspace &work) {
  const TileEntry *entries = work.entries.data();
  for (; begin < end; begin += kBatch) {
    const int count = static_cast<int>(std::min<uint32_t>(kBatch, end - begin));
    for (int i = 0; i < count; i++) {
      __builtin_prefetch(&work.splats[entries[std::min(begin + i + 8, end - 1)].splat]);
      const Splat &s = work.splats[entries[begin + i].splat];
      StagedSplat &out = tile.staged[i];
      const float sx = static_cast<float>(s.x - left), sy = static_cast<float>(s.y - top);
      uint32_t reached = 0;
      for (int g = 0; g < kBlocks / kLanes; g++) {
        const Vf x = origins.x[g] - sx, y = origins.y[g] - sy;
        reached |= blocks_reached(s, x, y) << (g * kLanes);
        block_terms(s, x, y, g, out.terms);
      }
      tile.reached[i] = reached;
      quadratic_terms(s, at, out.quadratic);
      out.red = s.red, out.green = s.green, out.blue = s.blue, out.depth = s.depth;
    }
    for (int i = count; i < kBatch; i++) tile.reached[i] = 0;
    blocks_by_splat_to_splats_by_block(tile.reached, tile.splats);
    bool open = false;
    for (int b = 0; b < kBlocks; b++) {
      tile.drawn[b] = 0;
      for (int v = 0; v < kVectorsPerBlock; v++) {
        Pixels &p = tile.pixels[b * kVectorsPerBlock + v];
        if (!any(greater(p.transmittance, Vf{}))) continue;
        tile.drawn[b] |= draw<median>(tile.staged, tile.splats[b], b, v, at.x, at.y[v], p);
        open = true;
      }
    }
    splats_by_block_to_blocks_by_splat(tile.drawn, count, &work.drawn_blocks[begin]);
    if (!open) return begin;
  }
  return end;
}

void write_tile(const Tile &tile, int left, int top, int width, int height, const View &view,
                const Images<float> &images) {
  const float *background = view.background;
  for (int b = 0; b < kBlocks; b++)
    for (int v = 0; v < kVectorsPerBlock; v++) {
      const Pixels &p = tile.pixels[b * kVectorsPerBlock + v];
      const Vf through = 1.f - p.weight;
      const Vf depth = keep(greater(p.weight, Vf{}), p.depth / p.weight);
      const Vf color[3] = {p.red + through * background[0], p.green + through * background[1],
                           p.blue + through * background[2]};
      for (int i = 0; i < kLanes; i++) {
        const int x = b % kBlocksAcross * kBlockWidth + i % kBlockWidth;
        const int y = b / kBlocksAcross * kBlockHeight + v * kRowsPerVector + i / kBlockWidth;
        if (x >= width || y >= height) continue;
        const int64_t pixel = int64_t(top + y) * view.width + left + x;
        for (int c = 0; c < 3; c++) images.color[3 * pixel + c] = color[c][i];
        images.alpha[pixel] = p.weight[i];
        images.expected_depth[pixel] = depth[i];
        if (images.median_depth) images.median_depth[pixel] = p.median[i];
      }
    }
}

}  // namespace

void composite(const Images<float> &images, Workspace &work) {
  const View &view = work.view;
  const int tiles_x = view.tiles_x(), tiles = tiles_x * view.tiles_y();
  work.drawn_blocks.reserve(work.slot_count);
  work.tile_ends.reserve(tiles);
  const PixelOffsets at;
  const BlockOrigins origins;
#pragma omp parallel num_threads(thread_count())
  {
    Tile tile;
#pragma omp for schedule(dynamic, 4)
    for (int t = 0; t < tiles; t++) {
      const int left = t % tiles_x * kTile, top = t / tiles_x * kTile;
      const int width = std::min(kTile, view.width - left);
      const int height = std::min(kTile, view.height - top);
      start(tile, width, height, at);
      const auto draw = images.median_depth ? draw_tile<true> : draw_tile<false>;
      work.tile_ends[t] = draw(tile, work.tile_begins[t], work.tile_begins[t + 1], left, top, at,
                               origins, work);
      write_tile(tile, left, top, width, height, view, images);
    }
  }
}

}  // namespace recon::ISA

// Splats to images, tile by tile. Splats are taken in batches: first each is tried on all blocks of
// the tile, then each vector of pixels walks through those that reach it, its sums in registers.
#include "compositing.h"

#include <algorithm>

#include "threads.h"

namespace recon::ISA {
namespace {

constexpr int kBatch = 32;  // One bit of a word each.
constexpr int kAhead = 16;  // Entries between the asking for a splat and its use.

struct StagedSplat {
  BlockTerms terms;
  Vf quadratic[kVectorsPerBlock];
  float red, green, blue, depth;
};

struct Tile {
  // Transmittance is 0 where the pixel is full, or outside the image.
  Plane transmittance, weight, red, green, blue, depth, median;
  StagedSplat staged[kBatch];
  alignas(64) uint32_t blocks[kBatch];  // That each splat of the batch reaches.
  uint32_t splats[kBlocks];             // That reach each block;
  uint32_t drawn[kBlocks];              // those among them that leave a mark.
};

// Turns a matrix of bits: from the blocks of each splat to the splats of each block.
RECON_INLINE void splats_of_blocks(const uint32_t *blocks, uint32_t *splats) {
  Vi rows[kBatch / kLanes];
  std::memcpy(rows, blocks, sizeof rows);
  for (int b = 0; b < kBlocks; b++) {
    uint32_t word = 0;
    for (int i = 0; i < kBatch / kLanes; i++)
      word |= bits(has_bit(rows[i], 1u << b)) << (i * kLanes);
    splats[b] = word;
  }
}

// The way back.
RECON_INLINE void blocks_of_splats(const uint32_t *splats, uint32_t *blocks) {
  for (int i = 0; i < kBatch / kLanes; i++) {
    Vi row = {};
    for (int b = 0; b < kBlocks; b++)
      row |= keep(mask_of_bits(splats[b] >> (i * kLanes)), static_cast<int32_t>(1u << b));
    std::memcpy(blocks + i * kLanes, &row, sizeof row);
  }
}

// alpha of a splat on one vector of pixels, 0 where it is too small.
RECON_INLINE Vf alpha_of(const StagedSplat &s, int block, int v, Vf x, Vf y) {
  const Vf q = log2_alpha(broadcast(s.terms.base[block]), broadcast(s.terms.slope_x[block]),
                          broadcast(s.terms.slope_y[block]), s.quadratic[v], x, y);
  const Mask inside = at_least(q, broadcast(kLog2AlphaMin));
  return keep(inside, minimum(exp2_in_range(q), broadcast(kAlphaMax)));
}

// Draws the splats of `todo` on one vector of pixels; returns those that leave a mark.
template <bool median>
RECON_INLINE uint32_t draw(Tile &tile, uint32_t todo, int block, int v, Vf x, Vf y) {
  const int at = block * kVectorsPerBlock + v;
  Vf transmittance = tile.transmittance.get(at), weight = tile.weight.get(at);
  Vf red = tile.red.get(at), green = tile.green.get(at), blue = tile.blue.get(at);
  Vf depth = tile.depth.get(at), middle = median ? tile.median.get(at) : Vf{};
  uint32_t drawn = 0;
  for (; todo; todo &= todo - 1) {
    const int i = __builtin_ctz(todo);
    const StagedSplat &s = tile.staged[i];
    const Vf alpha = alpha_of(s, block, v, x, y);
    const Vf behind = fnma(transmittance, alpha, transmittance);
    const Mask open = greater(behind, broadcast(kTransmittanceMin));
    const Vf w = keep(open, alpha * transmittance);
    weight += w;
    red = fma(w, broadcast(s.red), red);
    green = fma(w, broadcast(s.green), green);
    blue = fma(w, broadcast(s.blue), blue);
    depth = fma(w, broadcast(s.depth), depth);
    if constexpr (median) {
      const Mask crossing = open & greater(transmittance, broadcast(0.5f)) &
                            at_least(broadcast(0.5f), behind);
      middle = select(crossing, broadcast(s.depth), middle);
    }
    transmittance = keep(open, behind);
    drawn |= uint32_t(any(greater(w, Vf{}))) << i;
    if (!any(open)) break;
  }
  tile.transmittance.set(at, transmittance);
  tile.weight.set(at, weight);
  tile.red.set(at, red);
  tile.green.set(at, green);
  tile.blue.set(at, blue);
  tile.depth.set(at, depth);
  if constexpr (median) tile.median.set(at, middle);
  return drawn;
}

// Tries `count` splats on all blocks of the tile.
void stage(Tile &tile, const TileEntry *entries, int count, int left, int top,
           const PixelOffsets &at, const BlockOrigins &origins, const Workspace &work) {
  for (int i = 0; i < count; i++) {
    // Reads past the tile into the next one, and at the very end into spare entries.
    __builtin_prefetch(&work.splats[entries[i + kAhead].splat]);
    const Splat &s = work.splats[entries[i].splat];
    StagedSplat &out = tile.staged[i];
    const float sx = static_cast<float>(s.x - left), sy = static_cast<float>(s.y - top);
    uint32_t reached = 0;
    for (int g = 0; g < kBlocks / kLanes; g++) {
      const Vf x = origins.x[g] - sx, y = origins.y[g] - sy;
      reached |= blocks_reached(s, x, y) << (g * kLanes);
      block_terms(s, x, y, g, out.terms);
    }
    tile.blocks[i] = reached;
    quadratic_terms(s, at, out.quadratic);
    out.red = s.red, out.green = s.green, out.blue = s.blue, out.depth = s.depth;
  }
  for (int i = count; i < kBatch; i++) tile.blocks[i] = 0;
  splats_of_blocks(tile.blocks, tile.splats);
}

// Draws entries [begin, end) of the tile; returns where its last pixel was full.
template <bool median>
uint32_t draw_tile(Tile &tile, uint32_t begin, uint32_t end, int left, int top,
                   const PixelOffsets &at, const BlockOrigins &origins, const Workspace &work) {
  for (; begin < end; begin += kBatch) {
    const int count = static_cast<int>(std::min<uint32_t>(kBatch, end - begin));
    stage(tile, &work.entries[begin], count, left, top, at, origins, work);
    bool open = false;
    for (int b = 0; b < kBlocks; b++) {
      tile.drawn[b] = 0;
      for (int v = 0; v < kVectorsPerBlock; v++) {
        if (!any(greater(tile.transmittance.get(b * kVectorsPerBlock + v), Vf{}))) continue;
        open = true;
        if (tile.splats[b])
          tile.drawn[b] |= draw<median>(tile, tile.splats[b], b, v, at.x, at.y[v]);
      }
    }
    blocks_of_splats(tile.drawn, tile.blocks);
    std::memcpy(&work.drawn_blocks[begin], tile.blocks, count * sizeof(uint32_t));
    if (!open) return begin;
  }
  return end;
}

void start(Tile &tile, int width, int height) {
  tile.weight = tile.red = tile.green = tile.blue = tile.depth = tile.median = Plane();
  for (int y = 0; y < kTile; y++) {
    float row[kTile];
    for (int x = 0; x < kTile; x++) row[x] = x < width && y < height ? 1.f : 0.f;
    tile.transmittance.set_row(y, row);
  }
}

void write_tile(const Tile &tile, int left, int top, int width, int height, const View &view,
                const Images<float> &images) {
  const float *background = view.background;
  for (int y = 0; y < height; y++) {
    float color[kTile * 3], channel[3][kTile], weight[kTile], depth[kTile];
    tile.weight.get_row(y, weight);
    tile.depth.get_row(y, depth);
    tile.red.get_row(y, channel[0]);
    tile.green.get_row(y, channel[1]);
    tile.blue.get_row(y, channel[2]);
    for (int x = 0; x < kTile; x++) {
      for (int c = 0; c < 3; c++)
        color[3 * x + c] = channel[c][x] + (1 - weight[x]) * background[c];
      depth[x] = weight[x] > 0 ? depth[x] / weight[x] : 0.f;
    }
    const int64_t pixel = int64_t(top + y) * view.width + left;
    std::copy_n(color, 3 * width, images.color + 3 * pixel);
    std::copy_n(weight, width, images.alpha + pixel);
    std::copy_n(depth, width, images.expected_depth + pixel);
    if (!images.median_depth) continue;
    tile.median.get_row(y, depth);
    std::copy_n(depth, width, images.median_depth + pixel);
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
      prefetch_tile(images, left + kTile, top, view);
      start(tile, width, height);
      const auto draw = images.median_depth ? draw_tile<true> : draw_tile<false>;
      work.tile_ends[t] = draw(tile, work.tile_begins[t], work.tile_begins[t + 1], left, top, at,
                               origins, work);
      write_tile(tile, left, top, width, height, view, images);
    }
  }
}

}  // namespace recon::ISA

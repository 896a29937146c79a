// The images' gradients to the splats' moments. Each tile draws its splats once more, front to back,
// which repeats every transmittance exactly; what lies behind a splat is the pixel's total less what
// has been drawn. The moments of a splat on a tile have their own slot: nothing is added atomically.
#include <algorithm>

#include "compositing.h"
#include "threads.h"

namespace recon::ISA {
namespace {

struct Pixels {
  Vf transmittance;
  Vf behind;  // Sum over what is not yet drawn, background included, of weight times `value` below.
  Vf red, green, blue, depth, alpha;  // Gradients; that of depth is with respect to sum(w z).
  Vf median;
};

struct Tile {
  Pixels pixels[kVectors];
};

struct Sums {
  Vf e{}, e_x{}, e_y{}, e_xx{}, e_xy{}, e_yy{};  // About the block's first pixel.
  Vf red{}, green{}, blue{}, depth{};
};

// One splat on one vector of pixels, whose block begins at (x, y) from the splat's centre.
template <bool median>
RECON_INLINE void differentiate_block(const Splat &s, Vf log2_alpha, Mask inside, Vf x, Vf y,
                                      Pixels &p, Sums &sums) {
  const Vf power = exp2_in_range(log2_alpha);
  const Vf alpha = keep(inside, minimum(power, broadcast(kAlphaMax)));
  const Vf before = p.transmittance;
  const Vf after = fnma(before, alpha, before);
  const Mask open = greater(after, broadcast(kTransmittanceMin));
  const Vf w = keep(open, alpha * before);
  Vf value = fma(broadcast(s.red), p.red, p.alpha);
  value = fma(broadcast(s.green), p.green, value);
  value = fma(broadcast(s.blue), p.blue, value);
  value = fma(broadcast(s.depth), p.depth, value);
  p.behind = fnma(w, value, p.behind);
  p.transmittance = keep(open, after);
  // dL/d alpha = T value - behind / (1 - alpha)
  const Vf d_alpha = fnma(p.behind, reciprocal(1.f - alpha), before * value);
  const Mask free = open & greater(broadcast(kAlphaMax), power);
  const Vf e = keep(free, alpha * d_alpha);
  const Vf ex = e * x, ey = e * y;
  sums.e += e;
  sums.e_x += ex;
  sums.e_y += ey;
  sums.e_xx = fma(ex, x, sums.e_xx);
  sums.e_xy = fma(ex, y, sums.e_xy);
  sums.e_yy = fma(ey, y, sums.e_yy);
  sums.red = fma(w, p.red, sums.red);
  sums.green = fma(w, p.green, sums.green);
  sums.blue = fma(w, p.blue, sums.blue);
  sums.depth = fma(w, p.depth, sums.depth);
  if constexpr (median) {
    const Mask crossing = open & greater(before, broadcast(0.5f)) & at_least(broadcast(0.5f), after);
    sums.depth += keep(crossing, p.median);
  }
}

// From sums about each block's first pixel to moments about the splat's centre.
RECON_INLINE void store_moments(const Sums &s, const PixelOffsets &at, Moments &out) {
  // On several vectors per block, `at.y` of the first is right: the rest is in the block's y.
  const Vf x = at.x, y = at.y[0];
  Vf v[12];
  v[0] = s.e;
  v[1] = fma(x, s.e, s.e_x);
  v[2] = fma(y, s.e, s.e_y);
  v[3] = fma(x, s.e_x + v[1], s.e_xx);
  v[4] = fma(y, v[1], fma(x, s.e_y, s.e_xy));
  v[5] = fma(y, s.e_y + v[2], s.e_yy);
  v[6] = s.red, v[7] = s.green, v[8] = s.blue, v[9] = s.depth;
  v[10] = v[11] = s.depth;
  float sums[12];
  sum_lanes_of_12(v, sums);
  std::memcpy(&out, sums, sizeof out);
}

void start(Tile &tile, int left, int top, int width, int height, const View &view,
           const Images<const float> &images, const Images<const float> &gradients) {
  for (Pixels &p : tile.pixels) p = Pixels{};
  for (int y = 0; y < height; y++)
    for (int x = 0; x < width; x++) {
      const int block = y / kBlockHeight * kBlocksAcross + x / kBlockWidth;
      const int inside = y % kBlockHeight * kBlockWidth + x % kBlockWidth;
      Pixels &p = tile.pixels[block * kVectorsPerBlock + inside / kLanes];
      const int lane = inside % kLanes;
      const int64_t pixel = int64_t(top + y) * view.width + left + x;
      float behind = 0;
      p.transmittance[lane] = 1;
      if (gradients.color) {
        const float *c = images.color + 3 * pixel, *g = gradients.color + 3 * pixel;
        p.red[lane] = g[0], p.green[lane] = g[1], p.blue[lane] = g[2];
        behind = c[0] * g[0] + c[1] * g[1] + c[2] * g[2];
      }
      const float alpha = images.alpha[pixel];
      float alpha_gradient = gradients.alpha ? gradients.alpha[pixel] : 0.f;
      behind += alpha * alpha_gradient;
      if (gradients.expected_depth && alpha > 0) {
        // expected = sum(w z) / alpha. Its two parts cancel in `behind`.
        const float g = gradients.expected_depth[pixel] / alpha;
        p.depth[lane] = g;
        alpha_gradient -= g * images.expected_depth[pixel];
      }
      p.alpha[lane] = alpha_gradient;
      p.behind[lane] = behind;
      if (gradients.median_depth) p.median[lane] = gradients.median_depth[pixel];
    }
}

template <bool median>
void differentiate_tile(Tile &tile, uint32_t begin, uint32_t end, int left, int top,
                        const PixelOffsets &at, const BlockOrigins &origins, Workspace &work) {
  const TileEntry *entries = work.entries.data();
  for (uint32_t e = begin; e < end; e++) {
    const TileEntry ahead = entries[std::min(e + 6, end - 1)];
    __builtin_prefetch(&work.splats[ahead.splat]);
    __builtin_prefetch(&work.moments[ahead.slot], 1);
    uint32_t drawn = work.drawn_blocks[e];
    work.has_moments[entries[e].slot] = drawn != 0;
    if (!drawn) continue;
    const Splat &s = work.splats[entries[e].splat];
    const float sx = static_cast<float>(s.x - left), sy = static_cast<float>(s.y - top);
    alignas(64) float x[kBlocks], y[kBlocks];
    BlockTerms terms;
    for (int g = 0; g < kBlocks / kLanes; g++) {
      const Vf bx = origins.x[g] - sx, by = origins.y[g] - sy;
      store(x + g * kLanes, bx);
      store(y + g * kLanes, by);
      block_terms(s, bx, by, g, terms);
    }
    Vf quadratic[kVectorsPerBlock];
    quadratic_terms(s, at, quadratic);
    Sums sums;
    for (; drawn; drawn &= drawn - 1) {
      const int b = __builtin_ctz(drawn);
      for (int v = 0; v < kVectorsPerBlock; v++) {
        const Vf q = log2_alpha(broadcast(terms.base[b]), broadcast(terms.slope_x[b]),
                                broadcast(terms.slope_y[b]), quadratic[v], at.x, at.y[v]);
        const float row = y[b] + static_cast<float>(v * kRowsPerVector);
        differentiate_block<median>(s, q, at_least(q, broadcast(kLog2AlphaMin)), broadcast(x[b]),
                                    broadcast(row), tile.pixels[b * kVectorsPerBlock + v], sums);
      }
    }
    store_moments(sums, at, work.moments[entries[e].slot]);
  }
}

}  // namespace

void differentiate_images(const Images<const float> &images, const Images<const float> &gradients,
                          Workspace &work) {
  const View &view = work.view;
  const int tiles_x = view.tiles_x(), tiles = tiles_x * view.tiles_y();
  work.moments.reserve(work.slot_count);
  work.has_moments.reserve(work.slot_count);
  const PixelOffsets at;
  const BlockOrigins origins;
#pragma omp parallel num_threads(thread_count())
  {
    Tile tile;
#pragma omp for schedule(dynamic, 4)
    for (int t = 0; t < tiles; t++) {
      const int left = t % tiles_x * kTile, top = t / tiles_x * kTile;
      const uint32_t begin = work.tile_begins[t], end = work.tile_ends[t];
      start(tile, left, top, std::min(kTile, view.width - left), std::min(kTile, view.height - top),
            view, images, gradients);
      if (gradients.median_depth)
        differentiate_tile<true>(tile, begin, end, left, top, at, origins, work);
      else
        differentiate_tile<false>(tile, begin, end, left, top, at, origins, work);
      for (uint32_t e = end; e < work.tile_begins[t + 1]; e++)
        work.has_moments[work.entries[e].slot] = 0;
    }
  }
}

}  // namespace recon::ISA

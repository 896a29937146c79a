// The images' gradients to the splats' moments. Each tile draws its splats once more, front to
// back, which repeats every transmittance exactly; what lies behind a splat is the pixel's total
// less what has been drawn. A splat's moments on a tile have their own slot: nothing is added
// atomically.
#include <algorithm>

#include "compositing.h"
#include "threads.h"

namespace recon::ISA {
namespace {

constexpr int kAhead = 8;  // Entries between the asking for memory and its use.
// Above this opacity a splat's alpha may reach kAlphaMax, where no gradient flows to its shape.
constexpr float kLog2Capped = -0.0029f;  // log2(0.998)

struct Tile {
  Plane transmittance;
  Plane behind;  // Sum over what is not yet drawn, background included, of weight times `value`.
  Plane red, green, blue, depth, alpha;  // Gradients; that of depth is with respect to sum(w z).
  Plane median;
};

struct Sums {
  Vf e{}, e_u{}, e_y{}, e_uu{}, e_uy{}, e_yy{};  // Each block's first pixel stands for all.
  Vf red{}, green{}, blue{}, depth{};
};

// One splat on one vector of pixels, the first of them at (u, y) from the splat's centre.
template <bool capped, bool median>
RECON_INLINE void differentiate(const Splat &s, Vf log2_alpha, Vf u, Vf y, int at, Tile &tile,
                                Sums &sums) {
  const Mask inside = at_least(log2_alpha, broadcast(kLog2AlphaMin));
  const Vf power = exp2_in_range(log2_alpha);
  const Vf alpha = keep(inside, capped ? minimum(power, broadcast(kAlphaMax)) : power);
  const Vf before = tile.transmittance.get(at);
  const Vf after = fnma(before, alpha, before);
  const Mask open = greater(after, broadcast(kTransmittanceMin));
  tile.transmittance.set(at, keep(open, after));
  const Vf shown = keep(open, alpha), w = shown * before;

  const Vf red = tile.red.get(at), green = tile.green.get(at), blue = tile.blue.get(at);
  const Vf depth = tile.depth.get(at);
  Vf value = fma(broadcast(s.red), red, tile.alpha.get(at));
  value = fma(broadcast(s.green), green, value);
  value = fma(broadcast(s.blue), blue, value);
  value = w * fma(broadcast(s.depth), depth, value);
  const Vf behind = tile.behind.get(at) - value;
  tile.behind.set(at, behind);
  // e = alpha dL/dalpha = w value - alpha / (1 - alpha) * behind
  Vf e = fnma(behind, quotient(shown, 1.f - alpha), value);
  if constexpr (capped) e = keep(greater(broadcast(kAlphaMax), power), e);

  const Vf eu = e * u, ey = e * y;
  sums.e += e;
  sums.e_u += eu;
  sums.e_y += ey;
  sums.e_uu = fma(eu, u, sums.e_uu);
  sums.e_uy = fma(eu, y, sums.e_uy);
  sums.e_yy = fma(ey, y, sums.e_yy);
  sums.red = fma(w, red, sums.red);
  sums.green = fma(w, green, sums.green);
  sums.blue = fma(w, blue, sums.blue);
  sums.depth = fma(w, depth, sums.depth);
  if constexpr (median) {
    const Mask crossing =
        open & greater(before, broadcast(0.5f)) & at_least(broadcast(0.5f), after);
    sums.depth += keep(crossing, tile.median.get(at));
  }
}

// From sums about the vectors' first pixels to moments about the splat's centre.
RECON_INLINE void store_moments(const Splat &splat, const Sums &s, const PixelOffsets &at,
                                Moments &out) {
  const Vf y = at.y[0], u = fnma(broadcast(splat.lean), y, at.x);
  Vf v[12];
  v[0] = s.e;
  v[1] = fma(u, s.e, s.e_u);
  v[2] = fma(y, s.e, s.e_y);
  v[3] = fma(u, s.e_u + v[1], s.e_uu);
  v[4] = fma(y, v[1], fma(u, s.e_y, s.e_uy));
  v[5] = fma(y, s.e_y + v[2], s.e_yy);
  v[6] = s.red, v[7] = s.green, v[8] = s.blue, v[9] = s.depth;
  v[10] = v[11] = Vf{};
  sum_lanes_of_12(v, &out.e);
}

template <bool capped, bool median>
RECON_INLINE void differentiate_splat(const Splat &s, uint32_t blocks, int left, int top,
                                      const PixelOffsets &at, const BlockOrigins &origins,
                                      Tile &tile, Moments &out) {
  const float sx = static_cast<float>(s.x - left), sy = static_cast<float>(s.y - top);
  alignas(64) float u[kBlocks], y[kBlocks];
  BlockTerms terms;
  for (int g = 0; g < kBlocks / kLanes; g++) {
    const Vf bx = origins.x[g] - sx, by = origins.y[g] - sy;
    store(u + g * kLanes, fnma(broadcast(s.lean), by, bx));
    store(y + g * kLanes, by);
    block_terms(s, bx, by, g, terms);
  }
  Vf quadratic[kVectorsPerBlock];
  quadratic_terms(s, at, quadratic);
  Sums sums;
  for (; blocks; blocks &= blocks - 1) {
    const int b = __builtin_ctz(blocks);
    for (int v = 0; v < kVectorsPerBlock; v++) {
      const Vf q = log2_alpha(broadcast(terms.base[b]), broadcast(terms.slope_x[b]),
                              broadcast(terms.slope_y[b]), quadratic[v], at.x, at.y[v]);
      const auto below = static_cast<float>(v * kRowsPerVector);
      const float first_u = v == 0 ? u[b] : u[b] - s.lean * below;
      const float first_y = v == 0 ? y[b] : y[b] + below;
      differentiate<capped, median>(s, q, broadcast(first_u), broadcast(first_y),
                                    b * kVectorsPerBlock + v, tile, sums);
    }
  }
  store_moments(s, sums, at, out);
}

template <bool median>
void differentiate_tile(Tile &tile, uint32_t begin, uint32_t end, int left, int top,
                        const PixelOffsets &at, const BlockOrigins &origins, Workspace &work) {
  for (uint32_t e = begin; e < end; e++) {
    const TileEntry entry = work.entries[e], ahead = work.entries[e + kAhead];
    __builtin_prefetch(&work.splats[ahead.splat]);
    __builtin_prefetch(&work.moments[ahead.slot], 1);
    const uint32_t blocks = work.drawn_blocks[e];
    work.has_moments[entry.slot] = blocks != 0;
    if (!blocks) continue;
    const Splat &s = work.splats[entry.splat];
    Moments &out = work.moments[entry.slot];
    if (s.log2_opacity > kLog2Capped)
      differentiate_splat<true, median>(s, blocks, left, top, at, origins, tile, out);
    else
      differentiate_splat<false, median>(s, blocks, left, top, at, origins, tile, out);
  }
}

// Fills the planes from the images and their gradients; zeros outside the image.
void start(Tile &tile, int left, int top, int width, int height, const View &view,
           const Images<const float> &images, const Images<const float> &gradients) {
  const auto row_of = [&](const float *image, int y, float *row) {
    std::fill_n(row, kTile, 0.f);
    if (image && y < height)
      std::copy_n(image + int64_t(top + y) * view.width + left, width, row);
  };
  for (int y = 0; y < kTile; y++) {
    float color[3 * kTile] = {}, d_color[3 * kTile] = {}, channels[3][kTile];
    float alpha[kTile], d_alpha[kTile], expected[kTile], d_expected[kTile], median[kTile];
    float open[kTile], behind[kTile];
    if (gradients.color && y < height) {
      const int64_t pixel = int64_t(top + y) * view.width + left;
      std::copy_n(images.color + 3 * pixel, 3 * width, color);
      std::copy_n(gradients.color + 3 * pixel, 3 * width, d_color);
    }
    row_of(images.alpha, y, alpha);
    row_of(gradients.alpha, y, d_alpha);
    row_of(images.expected_depth, y, expected);
    row_of(gradients.expected_depth, y, d_expected);
    row_of(gradients.median_depth, y, median);
    for (int x = 0; x < kTile; x++) {
      behind[x] = alpha[x] * d_alpha[x];
      for (int c = 0; c < 3; c++) {
        channels[c][x] = d_color[3 * x + c];
        behind[x] += color[3 * x + c] * d_color[3 * x + c];
      }
      open[x] = x < width && y < height ? 1.f : 0.f;
      // expected = sum(w z) / alpha; in `behind` its two parts cancel.
      d_expected[x] = alpha[x] > 0 ? d_expected[x] / alpha[x] : 0.f;
      d_alpha[x] -= d_expected[x] * expected[x];
    }
    tile.transmittance.set_row(y, open);
    tile.behind.set_row(y, behind);
    tile.red.set_row(y, channels[0]);
    tile.green.set_row(y, channels[1]);
    tile.blue.set_row(y, channels[2]);
    tile.depth.set_row(y, d_expected);
    tile.alpha.set_row(y, d_alpha);
    tile.median.set_row(y, median);
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
      prefetch_tile(images, left + kTile, top, view);
      prefetch_tile(gradients, left + kTile, top, view);
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

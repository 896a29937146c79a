#include "projection.h"

#include <algorithm>
#include <memory>

#include "colors.h"
#include "threads.h"
#include "tiles.h"

namespace recon::ISA {
namespace {

// What is known of a chunk's splats before they are kept; room for whole vectors.
struct Candidates {
  int count = 0;
  int32_t gaussian[kChunk + kLanes];
  alignas(64) float offset[3][kChunk + kLanes];  // From the camera, in world axes.
  alignas(64) float color[3][kChunk + kLanes];
  Outline<float[kChunk + kLanes]> outline;

  Outline<Vf> outlines(int i) const {
    return {load(outline.x + i),           load(outline.y + i),     load(outline.half_width + i),
            load(outline.half_height + i), load(outline.waist + i), load(outline.lean + i),
            load(outline.tip + i)};
  }
  Outline<float> outline_of(int i) const {
    return {outline.x[i],     outline.y[i],    outline.half_width[i], outline.half_height[i],
            outline.waist[i], outline.lean[i], outline.tip[i]};
  }
};

// Appends the lanes that are set in `visible` and whose ellipse touches the image.
RECON_INLINE void append(uint32_t visible, const int32_t *rows, const GaussianLanes &g,
                         const Optics &o, const Projection &p, const double *x, const double *y,
                         Candidates &found, Splat *splats) {
  constexpr float log2e = 1.44269504f;
  const Vf log_opacity = logarithm(p.opacity);
  const Vf reach = 2.f * (log_opacity + 5.54126355f);  // 2 ln(255 opacity)
  const Vf half_width = square_root(reach * p.xx), half_height = square_root(reach * p.yy);
  alignas(64) float screen[2][kLanes];
  for (int i = 0; i < kLanes; i++) {
    screen[0][i] = static_cast<float>(x[i]);
    screen[1][i] = static_cast<float>(y[i]);
  }
  const Vf sx = load(screen[0]), sy = load(screen[1]);
  visible &= bits(greater(sx + half_width, Vf{}) & greater(sy + half_height, Vf{}) &
                  greater(broadcast(o.width), sx - half_width) &
                  greater(broadcast(o.height), sy - half_height) & finite(half_width) &
                  finite(half_height));
  enum { SHARP_X, SHARP_Y, LEAN, SLANT, LOG, DEPTH, WIDTH, HEIGHT, WAIST, TIP, OFFSET };
  alignas(64) float f[OFFSET + 3][kLanes];
  const Vf lean = p.xy / p.yy, slant = p.xy / p.xx;
  store(f[SHARP_X], 0.5f * log2e * p.yy / p.determinant);
  store(f[SHARP_Y], 0.5f * log2e / p.yy);
  store(f[LEAN], lean);
  store(f[SLANT], slant);
  store(f[LOG], log2e * log_opacity);
  store(f[DEPTH], p.camera[2]);
  store(f[WIDTH], half_width);
  store(f[HEIGHT], half_height);
  store(f[WAIST], square_root(reach * p.determinant / p.yy));
  store(f[TIP], slant * half_width);
  for (int k = 0; k < 3; k++) store(f[OFFSET + k], g.mean[k] - o.position[k]);
  for (; visible; visible &= visible - 1) {
    const int i = __builtin_ctz(visible), n = found.count++;
    splats[n] = {x[i],      y[i],    f[SHARP_X][i], f[SHARP_Y][i], f[LEAN][i], f[SLANT][i],
                 f[LOG][i], 0, 0, 0, f[DEPTH][i],   rows[i]};
    found.gaussian[n] = rows[i];
    for (int k = 0; k < 3; k++) found.offset[k][n] = f[OFFSET + k][i];
    found.outline.x[n] = screen[0][i];
    found.outline.y[n] = screen[1][i];
    found.outline.half_width[n] = f[WIDTH][i];
    found.outline.half_height[n] = f[HEIGHT][i];
    found.outline.waist[n] = f[WAIST][i];
    found.outline.lean[n] = f[LEAN][i];
    found.outline.tip[n] = f[TIP][i];
  }
}

void find_visible(const GaussianArrays<const float> &gaussians, Share part, const View &view,
                  const Optics &optics, Candidates &found, Splat *splats) {
  found.count = 0;
  for (int64_t begin = part.begin; begin < part.end; begin += kLanes) {
    int32_t rows[kLanes];
    for (int i = 0; i < kLanes; i++)
      rows[i] = static_cast<int32_t>(std::min(begin + i, part.end - 1));
    const GaussianLanes g(gaussians, rows);
    alignas(64) double x[kLanes], y[kLanes];
    const Projection p = project_lanes(g, view, optics, x, y);
    // Not a number anywhere makes one of these false.
    Mask visible = greater(p.camera[2], broadcast(kNear)) & finite(p.determinant) &
                   at_least(p.opacity, broadcast(kAlphaMin)) & finite(g.opacity_logit);
    for (int k = 0; k < 3; k++) visible = visible & finite(g.log_scale[k]);
    uint32_t chosen = bits(visible);
    if (part.end - begin < kLanes) chosen &= (1u << (part.end - begin)) - 1;
    if (chosen) append(chosen, rows, g, optics, p, x, y, found, splats);
  }
}

template <int degree>
void shade_all(const GaussianArrays<const float> &gaussians, Candidates &found) {
  if (found.count == 0) return;
  std::fill_n(found.gaussian + found.count, kLanes, found.gaussian[found.count - 1]);
  for (int begin = 0; begin < found.count; begin += kLanes) {
    Vf offset[3], color[3];
    for (int k = 0; k < 3; k++) offset[k] = load(found.offset[k] + begin);
    shade<degree>(gaussians, found.gaussian + begin, offset, color);
    for (int c = 0; c < 3; c++) store(found.color[c] + begin, color[c]);
  }
}

void shade_all(int degree, const GaussianArrays<const float> &gaussians, Candidates &found) {
  switch (degree) {
    case 0: return shade_all<0>(gaussians, found);
    case 1: return shade_all<1>(gaussians, found);
    case 2: return shade_all<2>(gaussians, found);
    default: return shade_all<3>(gaussians, found);
  }
}

// The tiles that the splats of one thread touch, splat after splat.
struct TileList {
  Buffer<uint32_t> &tiles;
  size_t count = 0;

  uint32_t *with_room_for(size_t more) {
    if (count + more > tiles.capacity()) tiles.reserve(count + more, count);
    return tiles.data() + count;
  }
};

// Appends the tiles of candidate i, which is in `lane` of `tiles`; returns how many there are.
size_t append_tiles(const Candidates &found, int i, const TilesOfLanes &tiles, int lane,
                    int tiles_x, TileList &list) {
  if (tiles.large >> lane & 1) {
    const int first = tiles.first_row[lane], last = tiles.last_row[lane];
    const auto rows = static_cast<size_t>(std::max(last - first + 1, 0));
    uint32_t *const begin = list.with_room_for(rows * static_cast<size_t>(tiles_x));
    const uint32_t *end = list_tiles(found.outline_of(i), first, last, tiles_x, begin);
    return static_cast<size_t>(end - begin);
  }
  // Two are written of each row, and counted as they are: no branch to guess wrong.
  uint32_t *const begin = list.with_room_for(4), *end = begin;
  for (int row = 0; row < 2; row++) {
    end[0] = static_cast<uint32_t>(tiles.begin[row][lane]);
    end[1] = static_cast<uint32_t>(tiles.begin[row][lane] + 1);
    end += tiles.count[row][lane];
  }
  return static_cast<size_t>(end - begin);
}

// Keeps the candidates that have a colour and touch a tile.
void keep_drawable(int64_t chunk, const Candidates &found, Workspace &work, TileList &list,
                   int32_t *radii) {
  const int64_t base = chunk * kChunk;
  const int tiles_x = work.view.tiles_x(), tiles_y = work.view.tiles_y();
  int kept = 0;
  for (int begin = 0; begin < found.count; begin += kLanes) {
    const Outline<Vf> outlines = found.outlines(begin);
    TilesOfLanes tiles;
    find_tiles(outlines, tiles_x, tiles_y, tiles);
    const Vi radius = rounded_up(minimum(maximum(outlines.half_width, outlines.half_height),
                                         broadcast(1e9f)));  // An int holds no more.
    uint32_t colored = bits(finite(load(found.color[0] + begin)) &
                            finite(load(found.color[1] + begin)) &
                            finite(load(found.color[2] + begin)));
    if (found.count - begin < kLanes) colored &= (1u << (found.count - begin)) - 1;
    for (; colored; colored &= colored - 1) {
      const int lane = __builtin_ctz(colored), i = begin + lane;
      radii[found.gaussian[i]] = radius[lane];
      const size_t end = list.count + append_tiles(found, i, tiles, lane, tiles_x, list);
      if (end == list.count) continue;
      Splat &splat = work.splats[base + kept];
      if (kept != i) splat = work.splats[base + i];
      splat.red = found.color[0][i], splat.green = found.color[1][i];
      splat.blue = found.color[2][i];
      work.slots[base + kept] = {static_cast<uint32_t>(list.count), static_cast<uint32_t>(end)};
      DepthKey &key = work.chunk_keys[base + kept];
      key.splat = static_cast<uint32_t>(base + kept);
      std::memcpy(&key.key, &splat.depth, sizeof key.key);
      list.count = end;
      kept++;
    }
  }
  work.chunk_sizes[chunk] = kept;
}

}  // namespace

void project(const GaussianArrays<const float> &gaussians, int32_t *radii, Workspace &work) {
  const int64_t count = gaussians.count, chunks = work.chunks();
  const Optics optics(work.view);
  const int threads = thread_count();
  work.splats.reserve(count);
  work.slots.reserve(count);
  work.chunk_keys.reserve(count);
  work.chunk_sizes.reserve(chunks);
  if (work.tile_lists.size() < size_t(threads)) work.tile_lists.resize(threads);
  work.list_sizes.assign(threads, 0);

  in_parallel(threads, [&](int thread) {
    const auto found = std::make_unique<Candidates>();
    const Share mine = share_of(chunks, thread, threads);
    TileList list{work.tile_lists[thread]};
    for (int64_t chunk = mine.begin; chunk < mine.end; chunk++) {
      const Share part{chunk * kChunk, std::min(count, (chunk + 1) * kChunk)};
      std::fill(radii + part.begin, radii + part.end, 0);
      find_visible(gaussians, part, work.view, optics, *found, &work.splats[part.begin]);
      shade_all(work.view.sh_degree, gaussians, *found);
      keep_drawable(chunk, *found, work, list, radii);
    }
    work.list_sizes[thread] = list.count;
  });
}

}  // namespace recon::ISA

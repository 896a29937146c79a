// Which tiles hold a pixel that a splat reaches.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>

#include "raster.h"

namespace recon::ISA {

// The ellipse on which a splat's alpha falls to kAlphaMin. At height dy above the centre it spans
// lean * dy ± waist * sqrt(1 - (dy / half_height)²); its rightmost point is at dy = tip.
struct Outline {
  float x, y, half_width, half_height, waist, lean, tip;
};

struct TileBox {
  int x0, x1, y0, y1;  // Inclusive; empty where x1 < x0 or y1 < y0.
  bool empty() const { return x1 < x0 || y1 < y0; }
};

// Tiles that hold a pixel centre between `low` and `high`, within [0, tiles).
static inline void tile_range(float low, float high, int tiles, int &first, int &last) {
  // Far more than rounding errors, far less than a pixel.
  constexpr float margin = 0.01f;
  const float most = static_cast<float>(tiles);
  // Compared as floats, because an int cannot hold where huge Gaussians end.
  const float from = std::floor((low + 0.5f - margin) * (1.f / kTile));
  const float to = std::floor((high - 0.5f + margin) * (1.f / kTile));
  first = static_cast<int>(std::max(0.f, std::min(most, from)));
  last = static_cast<int>(std::max(-1.f, std::min(most - 1, to)));
}

static inline TileBox tile_box(const Outline &o, int tiles_x, int tiles_y) {
  TileBox box;
  tile_range(o.x - o.half_width, o.x + o.half_width, tiles_x, box.x0, box.x1);
  tile_range(o.y - o.half_height, o.y + o.half_height, tiles_y, box.y0, box.y1);
  return box;
}

// Writes the tiles' numbers and returns the end of what was written; never more than the box holds.
static inline uint32_t *list_tiles(const Outline &o, const TileBox &box, int tiles_x,
                                   uint32_t *out) {
  const bool one_row = box.y0 == box.y1, one_column = box.x0 == box.x1;
  for (int row = box.y0; row <= box.y1; row++) {
    int first = box.x0, last = box.x1;
    if (!one_row && !one_column) {
      const float low = static_cast<float>(row * kTile) + 0.5f - o.y, high = low + (kTile - 1);
      const auto reach = [&](float side) {
        const float dy = std::min(high, std::max(low, side * o.tip));
        const float part = dy / o.half_height;
        return o.lean * dy + side * o.waist * std::sqrt(std::max(0.f, 1 - part * part));
      };
      int from, to;
      tile_range(o.x + reach(-1), o.x + reach(1), tiles_x, from, to);
      first = std::max(first, from);
      last = std::min(last, to);
    }
    for (int column = first; column <= last; column++)
      *out++ = static_cast<uint32_t>(row * tiles_x + column);
  }
  return out;
}

}  // namespace recon::ISA

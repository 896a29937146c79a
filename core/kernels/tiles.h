// Which tiles hold a pixel that a splat reaches.
#pragma once
#include "raster.h"
#include "simd.h"

namespace recon::ISA {

// The ellipse on which a splat's alpha falls to kAlphaMin. At height dy above the centre it spans
// lean * dy ± waist * sqrt(1 - (dy / half_height)²); its rightmost point is at dy = tip. `Number`
// is a float, or a vector with one splat per lane.
template <class Number>
struct Outline {
  Number x, y, half_width, half_height, waist, lean, tip;
};

struct TileRange {
  Vi first, last;  // Inclusive.
};

// The tiles that hold a pixel centre between `low` and `high`, within [0, tiles).
RECON_INLINE TileRange tile_range(Vf low, Vf high, int tiles) {
  // Far more than rounding errors, far less than a pixel.
  constexpr float margin = 0.01f;
  const Vf from = (low + (0.5f - margin)) * (1.f / kTile);
  const Vf to = (high + (kTile - 0.5f + margin)) * (1.f / kTile);
  // Limited as floats, because an int cannot hold where huge Gaussians end; and kept positive,
  // because conversion rounds towards zero.
  const auto most = static_cast<float>(tiles);
  return {__builtin_convertvector(clamp(from, 0, most), Vi),
          __builtin_convertvector(clamp(to, 0, most), Vi) - 1};
}

// The tiles of one row of tiles, `low` its first pixel centre below the splat's.
RECON_INLINE TileRange tiles_of_row(const Outline<Vf> &o, Vf low, int tiles_x) {
  const Vf high = low + (kTile - 1.f);
  const auto reach = [&](float side) {
    const Vf dy = minimum(high, maximum(low, side * o.tip));
    const Vf part = dy / o.half_height;
    return o.lean * dy + side * o.waist * square_root(maximum(1.f - part * part, Vf{}));
  };
  return tile_range(o.x + reach(-1), o.x + reach(1), tiles_x);
}

// The tiles of one splat per lane, written down for those that touch two rows and two columns at
// most: row 0 has tiles [begin0, begin0 + count0). The others have `large` set, and those that
// touch none have counts of 0.
struct TilesOfLanes {
  alignas(64) int32_t begin[2][kLanes], count[2][kLanes], first_row[kLanes], last_row[kLanes];
  uint32_t large;
};

RECON_INLINE void find_tiles(const Outline<Vf> &o, int tiles_x, int tiles_y, TilesOfLanes &out) {
  const TileRange columns = tile_range(o.x - o.half_width, o.x + o.half_width, tiles_x);
  const TileRange rows = tile_range(o.y - o.half_height, o.y + o.half_height, tiles_y);
  const Vf first_low = __builtin_convertvector(rows.first * kTile, Vf) + 0.5f - o.y;
  for (int i = 0; i < 2; i++) {
    const TileRange range = tiles_of_row(o, first_low + static_cast<float>(i * kTile), tiles_x);
    const Vi first = range.first > columns.first ? range.first : columns.first;
    const Vi last = range.last < columns.last ? range.last : columns.last;
    const Vi row = rows.first + i, begin = row * tiles_x + first;
    const Vi count = (row <= rows.last) & (first <= last) & (last - first + 1);
    std::memcpy(out.begin[i], &begin, sizeof begin);
    std::memcpy(out.count[i], &count, sizeof count);
  }
  std::memcpy(out.first_row, &rows.first, sizeof rows.first);
  std::memcpy(out.last_row, &rows.last, sizeof rows.last);
  const Vi large = (columns.last - columns.first > 1) | (rows.last - rows.first > 1);
  out.large = bits(has_bit(large, 1));
}

// Writes the tiles of a large splat, at most `room` of them.
static uint32_t *list_tiles(const Outline<float> &o, int first_row, int last_row, int tiles_x,
                            uint32_t *out) {
  const Outline<Vf> all = {broadcast(o.x),           broadcast(o.y),     broadcast(o.half_width),
                           broadcast(o.half_height), broadcast(o.waist), broadcast(o.lean),
                           broadcast(o.tip)};
  for (int begin = first_row; begin <= last_row; begin += kLanes) {
    const Vf rows = lane_numbers() + static_cast<float>(begin);
    const TileRange range = tiles_of_row(all, rows * float(kTile) + 0.5f - o.y, tiles_x);
    const int end = last_row + 1 < begin + kLanes ? last_row + 1 : begin + kLanes;
    for (int row = begin; row < end; row++)
      for (int column = range.first[row - begin]; column <= range.last[row - begin]; column++)
        *out++ = static_cast<uint32_t>(row * tiles_x + column);
  }
  return out;
}

}  // namespace recon::ISA

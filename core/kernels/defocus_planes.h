// What the forward and the backward pass of the blur share: the layout of the workspace, which
// neighbours matter to a block of pixels, and the weight of one neighbour.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <type_traits>

#include "defocus.h"
#include "simd_math.h"
#include "threads.h"

namespace recon::ISA {

constexpr int kRows = kDefocusRows;
constexpr int kBlock = 16;  // Pixels a side.
static_assert(kBlock % kLanes == 0 && kBlock % kRows == 0);
constexpr float kOutside = -1e30f;  // The circle of confusion of pixels beyond the image.

enum PixelPlane { kRed, kGreen, kBlue, kCoc, kFirst, kSecond, kScale, kPixelPlanes };
enum SlopePlane { kFirstSlope, kSecondSlope, kScaleSlope, kSlopePlanes };
enum GradientPlane { kCocGradient = 3, kGradientPlanes };  // After red, green and blue.
// Light comes from in front of a pixel, from its own surface, from behind it. Of each there are
// red, green, blue, and the share of the lens.
enum Class { kFront, kSame, kBehind, kClasses };
constexpr int kLightPlanes = 4 * kClasses;

enum class Profile { disc, polygon, bell };

// Calls f with the profile of an aperture as a constant.
template <class F>
void with_profile(const Aperture &aperture, const F &f) {
  if (aperture.bell)
    f(std::integral_constant<Profile, Profile::bell>());
  else if (aperture.even)
    f(std::integral_constant<Profile, Profile::disc>());
  else
    f(std::integral_constant<Profile, Profile::polygon>());
}

// Where things lie in the workspace. The image is filled up to whole blocks.
struct Layout {
  int64_t height, width, radius, blocks_x, blocks_y, stride;

  Layout(const DefocusImages &images, const Aperture &aperture)
      : height(images.height),
        width(images.width),
        radius(aperture.radius),
        blocks_x((width + kBlock - 1) / kBlock),
        blocks_y((height + kBlock - 1) / kBlock) {
    // An odd number of cache lines, so that the planes of a pixel do not crowd one cache set.
    stride = (blocks_x * kBlock + 2 * radius + 15) / 16;
    stride = (stride + 1 - stride % 2) * 16;
  }
  int64_t blocks() const { return blocks_x * blocks_y; }
  int64_t rows() const { return blocks_y * kBlock + 2 * radius; }
  int64_t pitch(int planes) const { return planes * stride; }
  // The first plane at pixel (x, y) of the image, which may lie in its margin.
  int64_t at(int planes, int64_t x, int64_t y) const {
    return (y + radius) * pitch(planes) + x + radius;
  }
  // What kLanes pixels collected: kLightPlanes vectors.
  int64_t light_at(int64_t x, int64_t y) const {
    const int64_t rows_of_lanes = blocks_x * (kBlock / kLanes) * kLanes;
    return (y / kRows * rows_of_lanes * kRows + x * kRows + y % kRows * kLanes) * kLightPlanes;
  }
};

// Calls f(x, y) for all kLanes x kRows pixels of a block.
template <class F>
void for_groups_of_block(const Layout &layout, int64_t block, const F &f) {
  const int64_t left = block % layout.blocks_x * kBlock, top = block / layout.blocks_x * kBlock;
  for (int64_t y = top; y < std::min(top + kBlock, layout.height); y += kRows)
    for (int64_t x = left; x < std::min(left + kBlock, layout.width); x += kLanes) f(x, y);
}

// The neighbours in one row that may matter to a group of pixels; `dy` counts from its first row.
struct Span {
  int64_t dy, first, last;
};

// Finds the neighbours that matter: those whose kernels reach a pixel, or that its own reaches.
class Neighbourhood {
 public:
  Neighbourhood(const Layout &layout, const Aperture &aperture, const DefocusWorkspace &work)
      : layout_(layout), aperture_(aperture), work_(work) {}

  // Turns to the groups of a block. Says whether all they look at lies on one surface.
  bool enter(int64_t block) {
    const int64_t x = block % layout_.blocks_x, y = block / layout_.blocks_x;
    float support = 0;
    for_blocks_within(x, y, layout_.radius, [&](int64_t distance, const Block &other) {
      if (distance <= pixels(other.support)) support = std::max(support, other.support);
    });
    radius_ = std::min(pixels(support), layout_.radius);
    float nearest = INFINITY, farthest = -INFINITY;
    for_blocks_within(x, y, radius_, [&](int64_t distance, const Block &other) {
      if (distance > radius_) return;
      nearest = std::min(nearest, other.nearest), farthest = std::max(farthest, other.farthest);
    });
    return farthest - nearest <= aperture_.same;
  }

  // Lists what matters to the kLanes x kRows pixels at (x, y) of that block.
  const std::vector<Span> &spans(int64_t x, int64_t y) {
    spans_.clear();
    float own = 0;
    for (int64_t row = y; row < std::min(y + kRows, layout_.height); row++)
      own = std::max(own, work_.supports[row * layout_.blocks_x + x / kBlock]);
    const int64_t far = (radius_ + kBlock - 1) / kBlock;
    const int64_t first_x = std::max<int64_t>(0, x / kBlock - far);
    const int64_t last_x = std::min(layout_.blocks_x - 1, x / kBlock + far);
    for (int64_t dy = std::max(-radius_, -y);
         dy < std::min(radius_ + kRows, layout_.height - y); dy++) {
      float support = own;
      for (int64_t u = first_x; u <= last_x; u++)
        support = std::max(support, work_.supports[(y + dy) * layout_.blocks_x + u]);
      const float *lowest = lowest_at(layout_, work_, dy);
      int64_t first = -radius_, last = radius_;
      while (first <= last && !(lowest[first] < support)) first++;
      while (last > first && !(lowest[last] < support)) last--;
      if (first <= last) spans_.push_back({dy, first, last});
    }
    return spans_;
  }

  // Prepares the lowest gauge that any row of a group has at a neighbour, for light either way.
  static void prepare(const Layout &layout, const Aperture &aperture, DefocusWorkspace &work) {
    const int64_t side = 2 * layout.radius + 1, gauge_side = 2 * aperture.margin + 1;
    work.lowest_gauges.reserve((side + kRows - 1) * side);
    const float *middle = aperture.gauge + aperture.margin * (gauge_side + 1);
    for (int64_t dy = -layout.radius; dy < layout.radius + kRows; dy++)
      for (int64_t dx = -layout.radius; dx <= layout.radius; dx++) {
        float lowest = INFINITY;
        for (int64_t row = 0; row < kRows; row++) {
          const int64_t step = (dy - row) * gauge_side + dx;
          lowest = std::min({lowest, middle[step], middle[-step]});
        }
        lowest_at(layout, work, dy)[dx] = lowest;
      }
  }

 private:
  using Block = DefocusWorkspace::Block;

  static float *lowest_at(const Layout &layout, const DefocusWorkspace &work, int64_t dy) {
    const int64_t side = 2 * layout.radius + 1;
    return work.lowest_gauges.data() + (dy + layout.radius) * side + layout.radius;
  }
  int64_t pixels(float support) const {
    return static_cast<int64_t>(aperture_.reach * std::sqrt(support));
  }
  static int64_t pixels_between(int64_t a, int64_t b) {
    return a == b ? 0 : (std::abs(a - b) - 1) * kBlock + 1;
  }
  // Calls f(distance in px, block) for the blocks around one.
  template <class F>
  void for_blocks_within(int64_t x, int64_t y, int64_t radius, const F &f) const {
    const int64_t far = (radius + kBlock - 1) / kBlock;
    for (int64_t v = std::max<int64_t>(0, y - far); v <= std::min(layout_.blocks_y - 1, y + far);
         v++)
      for (int64_t u = std::max<int64_t>(0, x - far);
           u <= std::min(layout_.blocks_x - 1, x + far); u++)
        f(std::max(pixels_between(u, x), pixels_between(v, y)),
          work_.blocks[v * layout_.blocks_x + u]);
  }

  const Layout &layout_;
  const Aperture &aperture_;
  const DefocusWorkspace &work_;
  int64_t radius_ = 0;
  std::vector<Span> spans_;
};

// The gauges of the light that travels from a neighbour.
class Gauges {
 public:
  explicit Gauges(const Aperture &aperture)
      : side_(2 * aperture.margin + 1), middle_(aperture.gauge + aperture.margin * (side_ + 1)) {}
  // For a kernel of a signed size: upright behind the focus, turned before it.
  template <Profile profile>
  __attribute__((always_inline)) Vf at(int64_t dx, int64_t dy, Vf coc) const {
    const int64_t step = dy * side_ + dx;
    if (profile != Profile::polygon) return broadcast(middle_[step]);
    return select(greater(coc, broadcast(0)), broadcast(middle_[-step]), broadcast(middle_[step]));
  }

 private:
  int64_t side_;
  const float *middle_;
};

// The three numbers of a kernel, and their slopes by the signed size.
struct Kernel {
  Vf first, second, scale;
};

RECON_INLINE Kernel load_kernel(const float *first, int64_t stride) {
  return {load(first), load(first + stride), load(first + 2 * stride)};
}

RECON_INLINE Vf falling(Vf first, Vf gauge) {
  return exp2_in_range(maximum(gauge * first, broadcast(-126)));
}

// A kernel's weight at a gauge.
template <Profile profile>
RECON_INLINE Vf weight(const Kernel &k, Vf gauge) {
  if (profile == Profile::bell)
    return k.scale * maximum(falling(k.first, gauge) - k.second, broadcast(0));
  return minimum(maximum(fnma(k.second, gauge, k.first), broadcast(0)), k.scale);
}

// The same, and its derivative by the signed size.
struct Weight {
  Vf value, slope;
};

template <Profile profile>
RECON_INLINE Weight weight_and_slope(const Kernel &k, const Kernel &slope, Vf gauge) {
  if (profile == Profile::bell) {
    const Vf bell = falling(k.first, gauge), above = bell - k.second;
    const Mask inside = greater(above, broadcast(0));
    const Vf bend = k.scale * fma(gauge * slope.first, bell, -slope.second);
    return {keep(inside, k.scale * above), keep(inside, fma(slope.scale, above, bend))};
  }
  const Vf ramp = fnma(k.second, gauge, k.first);
  const Mask flat = at_least(ramp, k.scale), inside = greater(ramp, broadcast(0));
  const Vf bend = select(flat, slope.scale, fnma(slope.second, gauge, slope.first));
  return {minimum(maximum(ramp, broadcast(0)), k.scale), keep(inside, bend)};
}

}  // namespace recon::ISA

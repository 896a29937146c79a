#include "defocus.h"
#include "defocus_planes.h"
#include "interleaved.h"
#include "srgb.h"

namespace recon::ISA {
namespace {

using ByLight = Vf[kLightPlanes];  // The gradients of what kLanes pixels collected.

// Turns the gradient of kLanes pixels into that of linear light, given that light.
RECON_INLINE void decode_gradient(bool encoded, const Vf (&blurred)[3], const Vf (&linear)[3],
                                  Vf (&by_color)[3]) {
  if (!encoded) return;
  for (int c = 0; c < 3; c++) by_color[c] = by_color[c] / to_linear_slope(blurred[c], linear[c]);
}

// Goes back through the normalisation of pixels with a single class.
void differentiate_mean(bool encoded, const Vf (&blurred)[3], const float *light,
                        Vf (&by_color)[3], Vf *by) {
  const float *same = light + 4 * kSame * kLanes;
  const Vf share = load(same + 3 * kLanes);
  // Nothing is collected beyond the image's right edge.
  const Vf inverse = keep(greater(share, broadcast(0)), 1.f / share);
  Vf mean[3];
  for (int c = 0; c < 3; c++) mean[c] = load(same + c * kLanes) * inverse;
  decode_gradient(encoded, blurred, mean, by_color);
  by[3] = Vf{};
  for (int c = 0; c < 3; c++) {
    by[c] = by_color[c] * inverse;
    by[3] = fnma(by[c], mean[c], by[3]);
  }
}

// Goes back through `fill` of the forward pass.
void differentiate_fill(bool encoded, const Vf (&blurred)[3], const float *light,
                        Vf (&by_color)[3], ByLight &by_light) {
  Vf colors[kClasses][3], shares[kClasses], parts[kClasses];
  Vf room = broadcast(1), filled = {}, mean[3] = {};
  Mask over[kClasses];
  for (int kind = 0; kind < kClasses; kind++) {
    const float *of = light + 4 * kind * kLanes;
    shares[kind] = load(of + 3 * kLanes);
    over[kind] = greater(shares[kind], room);
    parts[kind] = select(over[kind], room / select(over[kind], shares[kind], broadcast(1)),
                         broadcast(1));
    for (int c = 0; c < 3; c++) {
      colors[kind][c] = load(of + c * kLanes);
      mean[c] = fma(parts[kind], colors[kind][c], mean[c]);
    }
    const Vf taken = minimum(shares[kind], room);
    filled = filled + taken, room = room - taken;
  }
  const Vf inverse = keep(greater(filled, broadcast(0)), 1.f / filled);
  for (Vf &m : mean) m = m * inverse;
  decode_gradient(encoded, blurred, mean, by_color);
  Vf by_filled = {}, by_room = {};
  for (int c = 0; c < 3; c++) {
    by_color[c] = by_color[c] * inverse;
    by_filled = fnma(by_color[c], mean[c], by_filled);
  }
  for (int kind = kClasses - 1; kind >= 0; kind--) {
    Vf *by = by_light + 4 * kind, by_part = {};
    for (int c = 0; c < 3; c++) {
      by_part = fma(by_color[c], colors[kind][c], by_part);
      by[c] = by_color[c] * parts[kind];
    }
    // What a class takes fills the lens, and leaves so much less room to the next.
    const Vf by_taken = by_filled - by_room;
    const Vf per_share = by_part / select(over[kind], shares[kind], broadcast(1));
    by[3] = select(over[kind], -per_share * parts[kind], by_taken);
    by_room = select(over[kind], by_room + by_taken + per_share, by_room);
  }
}

RECON_INLINE Vf by_share(const Vf *by, const Vf (&color)[3]) {
  return fma(by[0], color[0], fma(by[1], color[1], fma(by[2], color[2], by[3])));
}

// The first planes of a group of pixels.
struct Place {
  const float *pixels, *slopes;
  float *gradients;
};

// Adds the gradients of kLanes x kRows pixels to those of all their neighbours and to their own.
template <Profile profile, bool alone>
void scatter(const Aperture &aperture, const Layout &layout, const std::vector<Span> &spans,
             const ByLight (&by)[kRows], const Place &at) {
  const int64_t stride = layout.stride, pitch = layout.pitch(kPixelPlanes);
  const int64_t slope_pitch = layout.pitch(kSlopePlanes);
  const int64_t gradient_pitch = layout.pitch(kGradientPlanes);
  const Gauges gauges(aperture);
  const float per_px = 1 / (aperture.apart - aperture.same);
  Vf coc[kRows], by_coc[kRows] = {};
  for (int r = 0; r < kRows; r++) coc[r] = load(at.pixels + r * pitch + kCoc * stride);
  for (const Span &span : spans)
    for (int64_t dx = span.first; dx <= span.last; dx++) {
      const float *p = at.pixels + span.dy * pitch + dx;
      const Vf color[3] = {load(p), load(p + stride), load(p + 2 * stride)};
      const Vf theirs = load(p + kCoc * stride);
      const Kernel kernel = load_kernel(p + kFirst * stride, stride);
      const Kernel slope = load_kernel(at.slopes + span.dy * slope_pitch + dx, stride);
      Vf sums[kGradientPlanes] = {};
      for (int r = 0; r < kRows; r++) {
        const int64_t dy = span.dy - r;
        const Weight share =
            weight_and_slope<profile>(kernel, slope, gauges.at<profile>(dx, dy, theirs));
        const Vf farther = theirs - coc[r], excess = absolute(farther) - aperture.same;
        const Vf *by_same = by[r] + 4 * kSame;
        const Vf by_same_share = by_share(by_same, color);
        if (alone || !any(greater(excess, broadcast(0)))) {
          for (int c = 0; c < 3; c++) sums[c] = fma(share.value, by_same[c], sums[c]);
          sums[3] = fma(by_same_share, share.slope, sums[3]);
          continue;
        }
        const Mask is_behind = greater(farther, broadcast(0));
        const Kernel own = load_kernel(at.pixels + r * pitch + kFirst * stride, stride);
        const Kernel own_slope = load_kernel(at.slopes + r * slope_pitch, stride);
        const Weight own_share =
            weight_and_slope<profile>(own, own_slope, gauges.at<profile>(dx, dy, coc[r]));
        const Vf hidden = keep(is_behind, own_share.value);
        if (!any(greater(share.value + hidden, broadcast(0)))) continue;
        const Vf apart = clamp(excess * per_px, 0, 1), front = apart - keep(is_behind, apart);
        const Vf *by_front = by[r] + 4 * kFront, *by_behind = by[r] + 4 * kBehind;
        for (int c = 0; c < 3; c++)
          sums[c] = fma(front * share.value, by_front[c],
                        fma(fnma(apart, share.value, share.value), by_same[c],
                            fma(apart * hidden, by_behind[c], sums[c])));
        const Vf by_front_share = by_share(by_front, color);
        const Vf by_behind_share = by_share(by_behind, color);
        const Vf by_weight = fma(front, by_front_share, fnma(apart, by_same_share, by_same_share));
        // Where pixels are partly apart, how much they are depends on both.
        const Mask partly = greater(apart * (1 - apart), broadcast(0));
        const Vf gained =
            select(is_behind, hidden * by_behind_share, share.value * by_front_share);
        const Vf by_apart = per_px * fnma(share.value, by_same_share, gained);
        const Vf by_farther = keep(partly, select(is_behind, by_apart, -by_apart));
        sums[3] = sums[3] + fma(by_weight, share.slope, by_farther);
        const Vf by_hidden = keep(is_behind, apart * by_behind_share);
        by_coc[r] = by_coc[r] + fma(by_hidden, own_share.slope, -by_farther);
      }
      float *g = at.gradients + span.dy * gradient_pitch + dx;
      for (int c = 0; c < kGradientPlanes; c++)
        store(g + c * stride, load(g + c * stride) + sums[c]);
    }
  if (alone) return;
  for (int r = 0; r < kRows; r++) {
    float *own = at.gradients + r * gradient_pitch + kCocGradient * stride;
    store(own, load(own) + by_coc[r]);
  }
}

// What the backward pass is given.
struct Given {
  const DefocusImages &images;
  const Aperture &aperture;
  const float *blurred, *gradient;
};

template <Profile profile, bool alone>
void scatter_group(const Given &given, const Layout &layout, const std::vector<Span> &spans,
                  int64_t x, int64_t y, DefocusWorkspace &work) {
  ByLight by[kRows] = {};
  const auto count = std::min<int64_t>(kLanes, layout.width - x);
  for (int r = 0; r < kRows && y + r < layout.height; r++) {
    const int64_t at = 3 * ((y + r) * layout.width + x);
    const float *light = work.light.data() + layout.light_at(x, y + r);
    Vf blurred[3], by_color[3];
    split(given.blurred + at, count, blurred);
    split(given.gradient + at, count, by_color);
    if (alone)
      differentiate_mean(given.images.encoded, blurred, light, by_color, by[r] + 4 * kSame);
    else
      differentiate_fill(given.images.encoded, blurred, light, by_color, by[r]);
  }
  scatter<profile, alone>(given.aperture, layout, spans, by,
                          {work.pixels.data() + layout.at(kPixelPlanes, x, y),
                           work.slopes.data() + layout.at(kSlopePlanes, x, y),
                           work.gradients.data() + layout.at(kGradientPlanes, x, y)});
}

template <Profile profile>
void scatter_block(const Given &given, const Layout &layout, int64_t block,
                   DefocusWorkspace &work, Neighbourhood &around) {
  const bool alone = around.enter(block);
  for_groups_of_block(layout, block, [&](int64_t x, int64_t y) {
    (alone ? scatter_group<profile, true> : scatter_group<profile, false>)(
        given, layout, around.spans(x, y), x, y, work);
  });
}

// Tiles of blocks are at least two radii wide. Those of one colour of a board of two by two are
// then too far apart to add to one pixel, and the order of all sums is the same for any number of
// threads.
template <Profile profile>
void scatter_all(const Given &given, const Layout &layout, DefocusWorkspace &work) {
  const int64_t least = (2 * layout.radius + kBlock - 1) / kBlock;
  const int64_t side_x = std::max<int64_t>(4, least), side_y = std::max<int64_t>(2, least);
  const int64_t tiles_x = (layout.blocks_x + side_x - 1) / side_x;
  const int64_t tiles_y = (layout.blocks_y + side_y - 1) / side_y;
  for (int color = 0; color < 4; color++) {
    std::atomic<int64_t> next{0};
    in_parallel(thread_count(), [&](int) {
      Neighbourhood around(layout, given.aperture, work);
      for (int64_t tile; (tile = next++) < tiles_x * tiles_y;) {
        const int64_t u = tile % tiles_x, v = tile / tiles_x;
        if (u % 2 + 2 * (v % 2) != color) continue;
        for (int64_t y = v * side_y; y < std::min((v + 1) * side_y, layout.blocks_y); y++)
          for (int64_t x = u * side_x; x < std::min((u + 1) * side_x, layout.blocks_x); x++)
            scatter_block<profile>(given, layout, y * layout.blocks_x + x, work, around);
      }
    });
  }
}

void clear(const Layout &layout, DefocusWorkspace &work) {
  const int64_t pitch = layout.pitch(kGradientPlanes);
  work.gradients.reserve(layout.rows() * pitch);
#pragma omp parallel for schedule(static) num_threads(thread_count())
  for (int64_t row = 0; row < layout.rows(); row++)
    std::fill_n(work.gradients.data() + row * pitch, pitch, 0.f);
}

void write(const DefocusImages &images, const Layout &layout, const DefocusWorkspace &work,
           float *image_gradient, float *coc_gradient) {
#pragma omp parallel for schedule(static) num_threads(thread_count())
  for (int64_t y = 0; y < layout.height; y++) {
    const float *row = work.gradients.data() + layout.at(kGradientPlanes, 0, y);
    if (coc_gradient)
      std::copy_n(row + kCocGradient * layout.stride, layout.width,
                  coc_gradient + y * layout.width);
    if (!image_gradient) continue;
    const float *pixels = work.pixels.data() + layout.at(kPixelPlanes, 0, y);
    for (int64_t x = 0; x < layout.width; x += kLanes) {
      const auto count = std::min<int64_t>(kLanes, layout.width - x);
      const int64_t at = 3 * (y * layout.width + x);
      Vf values[3], results[3];
      split(images.image + at, count, values);
      for (int c = 0; c < 3; c++) {
        results[c] = load(row + c * layout.stride + x);
        if (images.encoded)
          results[c] = results[c] * to_linear_slope(values[c],
                                                    load(pixels + c * layout.stride + x));
      }
      join(results, count, image_gradient + at);
    }
  }
}

}  // namespace

void differentiate_defocus(const DefocusImages &images, const Aperture &aperture,
                           const float *blurred, const float *gradient, float *image_gradient,
                           float *coc_gradient, DefocusWorkspace &work) {
  const Layout layout(images, aperture);
  clear(layout, work);
  with_profile(aperture, [&](auto profile) {
    scatter_all<decltype(profile)::value>({images, aperture, blurred, gradient}, layout, work);
  });
  write(images, layout, work, image_gradient, coc_gradient);
}

}  // namespace recon::ISA

#include "defocus.h"

#include "defocus_planes.h"
#include "interleaved.h"
#include "rows.h"
#include "srgb.h"

namespace recon::ISA {
namespace {

// Interpolates the kernels' numbers at the circles of confusion of kLanes pixels. The numbers come
// out as first, second, scale, support; their slopes are by the signed size.
void look_up(const Aperture &aperture, Vf coc, Vf (&numbers)[4], Vf (&slopes)[4]) {
  alignas(64) float sizes[kLanes], signs[kLanes], value[kLanes][4], slope[kLanes][4];
  const float per_px = 1 / aperture.spacing;
  store(sizes, absolute(coc) * per_px);
  store(signs, select(greater(coc, broadcast(0)), broadcast(per_px), broadcast(-per_px)));
  int32_t rows[kLanes];
  for (int lane = 0; lane < kLanes; lane++) {
    const auto index = std::min(static_cast<int64_t>(sizes[lane]), aperture.intervals - 1);
    const float x = sizes[lane] - static_cast<float>(index);
    Quad c[4];
    std::memcpy(c, aperture.cubics + 16 * index, sizeof c);
    const Quad v = c[0] + x * (c[1] + x * (c[2] + x * c[3]));
    const Quad s = (c[1] + x * (2 * c[2] + 3 * x * c[3])) * signs[lane];
    std::memcpy(value[lane], &v, sizeof v);
    std::memcpy(slope[lane], &s, sizeof s);
    rows[lane] = lane;
  }
  load_rows<4>(value[0], 4, rows, numbers);
  load_rows<4>(slope[0], 4, rows, slopes);
  if (!aperture.bell) return;
  // The first number is the weight of the next pixel; what is wanted is its logarithm.
  const Vf next = maximum(numbers[0], broadcast(1e-30f));
  slopes[0] = slopes[0] / next;
  numbers[0] = 1.44269504f * logarithm(next);
}

// Splits kLanes pixels into planes of linear light, looks up their kernels, and widens the block.
void prepare_pixels(const DefocusImages &images, const Aperture &aperture, const Layout &layout,
                    int64_t x, int64_t y, float *pixels, float *slopes, Vf (&widest)[3]) {
  const auto count = std::min<int64_t>(kLanes, layout.width - x);
  const int64_t first = y * layout.width + x;
  Vf colors[3], numbers[4], steps[4];
  split(images.image + 3 * first, count, colors);
  const Vf coc = load_some(images.coc + first, count);
  look_up(aperture, coc, numbers, steps);
  for (int c = 0; c < 3; c++) {
    store(pixels + c * layout.stride, images.encoded ? to_linear(colors[c]) : colors[c]);
    store(pixels + (kFirst + c) * layout.stride, numbers[c]);
    if (slopes) store(slopes + c * layout.stride, steps[c]);
  }
  store(pixels + kCoc * layout.stride, coc);
  // Lanes beyond the image hold 0, which widens its last block a little at most.
  widest[0] = maximum(widest[0], numbers[3]);
  widest[1] = minimum(widest[1], coc), widest[2] = maximum(widest[2], coc);
}

float largest(Vf v) {
  float lanes[kLanes];
  store(lanes, v);
  return *std::max_element(lanes, lanes + kLanes);
}

void prepare_block(const DefocusImages &images, const Aperture &aperture, const Layout &layout,
                   int64_t block, bool differentiable, DefocusWorkspace &work) {
  Vf nearest = broadcast(INFINITY), farthest = broadcast(-INFINITY);
  float block_support = 0;
  const int64_t left = block % layout.blocks_x * kBlock, top = block / layout.blocks_x * kBlock;
  for (int64_t y = top; y < std::min(top + kBlock, layout.height); y++) {
    Vf widest[3] = {{}, nearest, farthest};
    for (int64_t x = left; x < std::min(left + kBlock, layout.width); x += kLanes)
      prepare_pixels(images, aperture, layout, x, y,
                     work.pixels.data() + layout.at(kPixelPlanes, x, y),
                     differentiable ? work.slopes.data() + layout.at(kSlopePlanes, x, y) : nullptr,
                     widest);
    const float support = largest(widest[0]);
    work.supports[y * layout.blocks_x + left / kBlock] = support;
    block_support = std::max(block_support, support);
    nearest = widest[1], farthest = widest[2];
  }
  work.blocks[block] = {block_support, -largest(-nearest), largest(farthest)};
}

// Makes the pixels beyond the image in one row count for nothing.
void clear_margin(const Layout &layout, int64_t row, DefocusWorkspace &work) {
  const int64_t y = row - layout.radius;
  const bool inside = y >= 0 && y < layout.height;
  const int64_t before = inside ? layout.radius : layout.stride;
  for (int plane = 0; plane < kPixelPlanes; plane++) {
    const float nothing = plane == kCoc ? kOutside : 0;
    float *values = work.pixels.data() + row * layout.pitch(kPixelPlanes) + plane * layout.stride;
    std::fill_n(values, before, nothing);
    if (inside) std::fill(values + before + layout.width, values + layout.stride, nothing);
  }
}

void prepare(const DefocusImages &images, const Aperture &aperture, const Layout &layout,
             bool differentiable, DefocusWorkspace &work) {
  work.pixels.reserve(layout.rows() * layout.pitch(kPixelPlanes));
  work.light.reserve(layout.light_at(0, layout.blocks_y * kBlock));
  if (differentiable) work.slopes.reserve(layout.rows() * layout.pitch(kSlopePlanes));
  work.blocks.resize(layout.blocks());
  work.supports.reserve(layout.height * layout.blocks_x);
  Neighbourhood::prepare(layout, aperture, work);
#pragma omp parallel num_threads(thread_count())
  {
#pragma omp for schedule(static)
    for (int64_t block = 0; block < layout.blocks(); block++)
      prepare_block(images, aperture, layout, block, differentiable, work);
#pragma omp for schedule(static)
    for (int64_t row = 0; row < layout.rows(); row++) clear_margin(layout, row, work);
  }
}

// Of one class: red, green, blue, and the share of the lens.
struct Sums {
  Vf color[3] = {}, share = {};
};

RECON_INLINE void add(Sums &sums, Vf share, const Vf (&color)[3]) {
  for (int c = 0; c < 3; c++) sums.color[c] = fma(share, color[c], sums.color[c]);
  sums.share = sums.share + share;
}

struct Neighbour {
  Vf color[3], coc;
  Kernel kernel;

  Neighbour(const float *p, int64_t stride)
      : color{load(p), load(p + stride), load(p + 2 * stride)},
        coc(load(p + kCoc * stride)),
        kernel(load_kernel(p + kFirst * stride, stride)) {}
};

// Collects the light of neighbours that all lie on the pixels' own surface.
template <Profile profile, int rows>
void collect(const Aperture &aperture, const Layout &layout, const std::vector<Span> &spans,
             const float *pixels, Sums (&light)[rows]) {
  const Gauges gauges(aperture);
  for (const Span &span : spans)
    for (int64_t dx = span.first; dx <= span.last; dx++) {
      const Neighbour they(pixels + span.dy * layout.pitch(kPixelPlanes) + dx, layout.stride);
      for (int r = 0; r < rows; r++)
        add(light[r],
            weight<profile>(they.kernel, gauges.at<profile>(dx, span.dy - r, they.coc)),
            they.color);
    }
}

// The same for any neighbours, and for some of the group's rows, from the `top`-th on.
template <Profile profile, int rows>
void collect(const Aperture &aperture, const Layout &layout, const std::vector<Span> &spans,
             const float *pixels, int top, Sums (&light)[rows][kClasses]) {
  const Gauges gauges(aperture);
  const float per_px = 1 / (aperture.apart - aperture.same);
  const int64_t pitch = layout.pitch(kPixelPlanes);
  Vf coc[rows];
  Kernel own[rows];
  for (int r = 0; r < rows; r++) {
    coc[r] = load(pixels + (top + r) * pitch + kCoc * layout.stride);
    own[r] = load_kernel(pixels + (top + r) * pitch + kFirst * layout.stride, layout.stride);
  }
  for (const Span &span : spans)
    for (int64_t dx = span.first; dx <= span.last; dx++) {
      const Neighbour they(pixels + span.dy * pitch + dx, layout.stride);
      for (int r = 0; r < rows; r++) {
        const int64_t dy = span.dy - top - r;
        const Vf share = weight<profile>(they.kernel, gauges.at<profile>(dx, dy, they.coc));
        const Vf farther = they.coc - coc[r], excess = absolute(farther) - aperture.same;
        if (!any(greater(excess, broadcast(0)))) {
          add(light[r][kSame], share, they.color);
          continue;
        }
        const Mask is_behind = greater(farther, broadcast(0));
        const Vf own_share =
            keep(is_behind, weight<profile>(own[r], gauges.at<profile>(dx, dy, coc[r])));
        if (!any(greater(share + own_share, broadcast(0)))) continue;
        const Vf apart = clamp(excess * per_px, 0, 1);
        add(light[r][kSame], fnma(apart, share, share), they.color);
        add(light[r][kFront], apart * (share - keep(is_behind, share)), they.color);
        add(light[r][kBehind], apart * own_share, they.color);
      }
    }
}

// Fills the lens from front to back and normalises.
RECON_INLINE void fill(const Sums (&light)[kClasses], Vf (&color)[3]) {
  Vf room = broadcast(1), filled = {};
  for (Vf &c : color) c = Vf{};
  for (const Sums &of : light) {
    const Mask over = greater(of.share, room);
    const Vf part = select(over, room / select(over, of.share, broadcast(1)), broadcast(1));
    for (int c = 0; c < 3; c++) color[c] = fma(part, of.color[c], color[c]);
    const Vf taken = minimum(of.share, room);
    filled = filled + taken, room = room - taken;
  }
  for (Vf &c : color) c = c / filled;
}

// What is drawn, and where to.
struct Drawing {
  const DefocusImages &images;
  const Aperture &aperture;
  const Layout &layout;
  bool differentiable;
  float *blurred;
  DefocusWorkspace &work;

  void write(int64_t x, int64_t y, Vf (&color)[3]) const {
    if (images.encoded)
      for (Vf &c : color) c = to_srgb(c);
    join(color, std::min<int64_t>(kLanes, layout.width - x), blurred + 3 * (y * layout.width + x));
  }
  void keep(int64_t x, int64_t y, Class kind, const Sums &sums) const {
    if (!differentiable) return;
    float *to = work.light.data() + layout.light_at(x, y) + 4 * kind * kLanes;
    for (int c = 0; c < 3; c++) store(to + c * kLanes, sums.color[c]);
    store(to + 3 * kLanes, sums.share);
  }
};

template <Profile profile>
void draw_alone(const Drawing &to, const std::vector<Span> &spans, int64_t x, int64_t y) {
  const Layout &layout = to.layout;
  Sums light[kRows];
  collect<profile>(to.aperture, layout, spans,
                   to.work.pixels.data() + layout.at(kPixelPlanes, x, y), light);
  for (int r = 0; r < kRows && y + r < layout.height; r++) {
    to.keep(x, y + r, kSame, light[r]);
    for (Vf &c : light[r].color) c = c / light[r].share;
    to.write(x, y + r, light[r].color);
  }
}

template <Profile profile, int rows>
void draw_apart(const Drawing &to, const std::vector<Span> &spans, int64_t x, int64_t y,
                int top) {
  const Layout &layout = to.layout;
  Sums light[rows][kClasses];
  collect<profile>(to.aperture, layout, spans,
                   to.work.pixels.data() + layout.at(kPixelPlanes, x, y), top, light);
  for (int r = 0; r < rows && y + top + r < layout.height; r++) {
    const int64_t row = y + top + r;
    for (const Class kind : {kFront, kSame, kBehind}) to.keep(x, row, kind, light[r][kind]);
    Vf color[3];
    fill(light[r], color);
    to.write(x, row, color);
  }
}

template <Profile profile>
void draw(const Drawing &to) {
  const Layout &layout = to.layout;
  std::atomic<int64_t> next{0};
  in_parallel(thread_count(), [&](int) {
    Neighbourhood around(layout, to.aperture, to.work);
    for (int64_t block; (block = next++) < layout.blocks();) {
      const bool alone = around.enter(block);
      for_groups_of_block(layout, block, [&](int64_t x, int64_t y) {
        const std::vector<Span> &spans = around.spans(x, y);
        if (alone) return draw_alone<profile>(to, spans, x, y);
        // Fewer rows, because three classes of them must stay in registers.
        constexpr int rows = 2;
        for (int top = 0; top < kRows; top += rows)
          draw_apart<profile, rows>(to, spans, x, y, top);
      });
    }
  });
}

}  // namespace

void defocus(const DefocusImages &images, const Aperture &aperture, bool differentiable,
             float *blurred, DefocusWorkspace &work) {
  const Layout layout(images, aperture);
  prepare(images, aperture, layout, differentiable, work);
  with_profile(aperture, [&](auto profile) {
    draw<decltype(profile)::value>({images, aperture, layout, differentiable, blurred, work});
  });
}

}  // namespace recon::ISA

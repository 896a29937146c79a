#include "photometric.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <memory>
#include <vector>

#include "threads.h"

// The image is cut into tiles of a fixed size, so that the tiles, the arithmetic of each pixel and
// the order of the sums are the same for any number of threads. A tile is swept from top to bottom,
// four rows at a time, and all that a sweep touches stays in the processor's L2 cache.
//
// Colours stay interleaved, as they are in memory: a row is 3 * width numbers, and the neighbours
// of a number in its channel are 3 apart.
//
// The sums p = x + y and q = x - y stand for the images x and y. Four blurs are enough with them:
//   4 mu_x mu_y = p̄² - q̄²            2 (mu_x² + mu_y²) = p̄² + q̄²
//   4 cov(x, y) = var p - var q       2 (var x + var y) = var p + var q
// and q, which is small, loses nothing to cancellation. p is kept less 1 for the same reason.

namespace recon::ISA {
namespace {

constexpr int kReach = 5;         // The window reaches this many pixels to each side,
constexpr int kSide = 3 * kReach;  // which are this many numbers.
constexpr int kTileWidth = 256, kTileHeight = 128;  // Pixels, at most.
constexpr int kStep = 4;     // Rows per step of the sweep.
constexpr int kRing = 16;    // Rows kept, as many as a step looks back on.
constexpr int kLanes = 16;   // Loops over columns run in multiples of this,
constexpr int kPitch = 896;  // and a row has room for the last of them.
static_assert(kPitch % kLanes == 0 && kPitch >= 3 * (kTileWidth + 4 * kReach) + 2 * kSide + kLanes);

constexpr float kWindow[kReach + 1] = {0.26601172486179f, 0.21300553771125f, 0.10936068950970f,
                                       0.03600077212843f, 0.00759875813524f, 0.00102838008448f};
constexpr float kC1 = 0.01f * 0.01f, kC2 = 0.03f * 0.03f;

enum ImagePlane { kSum, kDifference, kSumSquared, kDifferenceSquared, kImagePlanes };
// d SSIM / d x at a pixel is the blur of the first, plus p times the blur of the second, plus q
// times that of the third, because p² and q² are among the blurred images.
enum SlopePlane { kConstant, kTimesSum, kTimesDifference, kSlopePlanes };

template <int planes>
using Row = float[planes][kPitch];

struct Workspace {
  // Column 0 of images and counts lies 2 * kReach pixels left of the tile, that of slopes kReach.
  Row<kImagePlanes> images[kRing];
  Row<kSlopePlanes> slopes[kRing];
  float counts[kRing][kPitch];  // 1 where a pixel counts, 0 elsewhere and beyond the image.
  // The next step's rows, blurred down the columns only.
  Row<kImagePlanes> blurred_images[kStep];
  Row<kSlopePlanes> blurred_slopes[kStep];
  float ssim[kPitch];
};

struct Tile {
  int64_t left, right, top, bottom;
  int64_t width() const { return right - left; }
};

int slot(int64_t row) { return static_cast<int>((row + 2 * kRing) % kRing); }

// How many lanes a loop over the columns of the tile takes, with a margin of pixels on both sides.
int64_t lanes(const Tile &tile, int64_t margin) {
  return (3 * (tile.width() + 2 * margin) + kLanes - 1) / kLanes * kLanes;
}

// Weighs the neighbours of *v, `stride` numbers apart, with the window.
inline float window(const float *v, int stride) {
  return kWindow[0] * v[0] + kWindow[1] * (v[-stride] + v[stride]) +
         kWindow[2] * (v[-2 * stride] + v[2 * stride]) +
         kWindow[3] * (v[-3 * stride] + v[3 * stride]) +
         kWindow[4] * (v[-4 * stride] + v[4 * stride]) +
         kWindow[5] * (v[-5 * stride] + v[5 * stride]);
}

void load_row(const ImagePair &images, const Tile &tile, int64_t row, Workspace &work) {
  float *p = work.images[slot(row)][kSum], *q = work.images[slot(row)][kDifference];
  float *pp = work.images[slot(row)][kSumSquared], *qq = work.images[slot(row)][kDifferenceSquared];
  float *counts = work.counts[slot(row)];
  const int64_t begin = tile.left - 2 * kReach, size = lanes(tile, 2 * kReach);
  int64_t from = 0, to = 0;  // The part of this row that lies in the image.
  if (row >= 0 && row < images.height) {
    from = 3 * (std::max<int64_t>(begin, 0) - begin);
    to = 3 * (std::min(tile.right + 2 * kReach, images.width) - begin);
  }
  const auto beyond = [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; i++) p[i] = -1, q[i] = 0, pp[i] = 1, qq[i] = 0, counts[i] = 0;
  };
  beyond(0, from);
  beyond(to, size);
  const int64_t start = 3 * (row * images.width + begin);
  const float *x = images.rendered + start;
  const uint8_t *y = images.photo + start;
  if (images.mask) {
    const uint8_t *mask = images.mask + row * images.width + begin;
    for (int64_t i = from; i < to; i++) counts[i] = mask[i / 3] ? 1.f : 0.f;
  } else {
    std::fill(counts + from, counts + to, 1.f);
  }
#pragma omp simd
  for (int64_t i = from; i < to; i++) {
    const float render = x[i], photo = y[i] / 255.f;
    const float sum = counts[i] > 0 ? render + photo : render + render;
    const float difference = counts[i] > 0 ? render - photo : 0;
    p[i] = sum - 1;
    q[i] = difference;
    pp[i] = (sum - 1) * (sum - 1);
    qq[i] = difference * difference;
  }
}

// Blurs kStep rows of a ring, from `row` on, down the columns.
template <int planes>
void blur_columns(const Row<planes> (&ring)[kRing], int64_t row, int64_t size,
                  Row<planes> (&out)[kStep]) {
  for (int plane = 0; plane < planes; plane++) {
    const float *in[kStep + 2 * kReach];
    for (int i = 0; i < kStep + 2 * kReach; i++) in[i] = ring[slot(row - kReach + i)][plane];
    float *out0 = out[0][plane], *out1 = out[1][plane], *out2 = out[2][plane],
          *out3 = out[3][plane];
#pragma omp simd
    for (int64_t i = 0; i < size; i++) {
      const float v0 = in[0][i], v1 = in[1][i], v2 = in[2][i], v3 = in[3][i], v4 = in[4][i],
                  v5 = in[5][i], v6 = in[6][i], v7 = in[7][i], v8 = in[8][i], v9 = in[9][i],
                  v10 = in[10][i], v11 = in[11][i], v12 = in[12][i], v13 = in[13][i];
      const float *k = kWindow;
      out0[i] = k[0] * v5 + k[1] * (v4 + v6) + k[2] * (v3 + v7) + k[3] * (v2 + v8) +
                k[4] * (v1 + v9) + k[5] * (v0 + v10);
      out1[i] = k[0] * v6 + k[1] * (v5 + v7) + k[2] * (v4 + v8) + k[3] * (v3 + v9) +
                k[4] * (v2 + v10) + k[5] * (v1 + v11);
      out2[i] = k[0] * v7 + k[1] * (v6 + v8) + k[2] * (v5 + v9) + k[3] * (v4 + v10) +
                k[4] * (v3 + v11) + k[5] * (v2 + v12);
      out3[i] = k[0] * v8 + k[1] * (v7 + v9) + k[2] * (v6 + v10) + k[3] * (v5 + v11) +
                k[4] * (v4 + v12) + k[5] * (v3 + v13);
    }
  }
}

// SSIM of one row, and its slopes, from the images blurred down the columns.
void compare_row(const Row<kImagePlanes> &blurred, const float *counts, int64_t size, float *ssim,
                 Row<kSlopePlanes> &slopes) {
  const float *sum = blurred[kSum] + kSide, *difference = blurred[kDifference] + kSide;
  const float *sum_squared = blurred[kSumSquared] + kSide;
  const float *difference_squared = blurred[kDifferenceSquared] + kSide;
  float *constant = slopes[kConstant], *times_sum = slopes[kTimesSum];
  float *times_difference = slopes[kTimesDifference];
#pragma omp simd
  for (int64_t i = 0; i < size; i++) {
    const float p = window(sum + i, 3), q = window(difference + i, 3), p1 = p + 1;
    // SSIM = (a - b) / (a + b) * (c - d) / (c + d).
    const float a = p1 * p1 + 2 * kC1, b = q * q;
    const float c = window(sum_squared + i, 3) - p * p + 2 * kC2;
    const float d = window(difference_squared + i, 3) - q * q;
    const float inverse = 1 / ((a + b) * (c + d));
    const float means = (a - b) * (c + d) * inverse, spreads = (c - d) * (a + b) * inverse;
    const float means_slope = 2 * (c + d) * inverse * (c + d) * inverse * spreads;
    const float spreads_slope = 2 * (a + b) * inverse * (a + b) * inverse * means;
    const float da = means_slope * b, db = -means_slope * a;
    const float dc = spreads_slope * d, dd = -spreads_slope * c;
    ssim[i] = counts[i] > 0 ? means * spreads : 0;
    constant[i] = counts[i] > 0 ? 2 * (da * p1 - dc * p + (db - dd) * q) : 0;
    times_sum[i] = counts[i] > 0 ? 2 * dc : 0;
    times_difference[i] = counts[i] > 0 ? 2 * dd : 0;
  }
}

void add_row(const float *difference, const float *counts, const float *ssim, int64_t size,
             Agreement &total) {
  float l1_sum = 0, ssim_sum = 0;
#pragma omp simd reduction(+ : l1_sum, ssim_sum)
  for (int64_t i = 0; i < size; i++) {
    l1_sum += counts[i] > 0 ? std::fabs(difference[i]) : 0;
    ssim_sum += ssim[i];
  }
  total.l1 += l1_sum, total.ssim += ssim_sum;
}

void write_gradient(const Row<kSlopePlanes> &slopes, const Row<kImagePlanes> &images,
                    const float *counts, int64_t size, float l1_scale, float ssim_scale,
                    float *gradient) {
  const float *constant = slopes[kConstant] + kSide, *times_sum = slopes[kTimesSum] + kSide;
  const float *times_difference = slopes[kTimesDifference] + kSide;
  const float *p = images[kSum] + 2 * kSide, *q = images[kDifference] + 2 * kSide;
#pragma omp simd
  for (int64_t i = 0; i < size; i++) {
    const float l1 = q[i] > 0 ? l1_scale : q[i] < 0 ? -l1_scale : 0;
    const float ssim = window(constant + i, 3) + p[i] * window(times_sum + i, 3) +
                       q[i] * window(times_difference + i, 3);
    gradient[i] = counts[i] > 0 ? l1 - ssim_scale * ssim : 0;
  }
}

// Adds up one tile, and writes its part of the gradient.
Agreement sweep(const ImagePair &images, const Tile &tile, float l1_scale, float ssim_scale,
                float *gradient, Workspace &work) {
  const int64_t size = 3 * tile.width();
  const int64_t inner = lanes(tile, kReach), outer = lanes(tile, 2 * kReach);
  // The gradient's rows lie behind those compared, so far that the window finds its slopes there:
  // behind + kStep - 1 + kReach < row + kStep. With 7, `behind` meets the tile's top exactly.
  constexpr int64_t kLag = 7;
  static_assert(kLag >= kReach && (kReach + kLag) % kStep == 0);
  static_assert(kLag + kReach + kStep <= kRing);
  const int64_t end = tile.bottom + (gradient ? kLag : 0);
  Agreement total{0, 0};
  for (int64_t row = tile.top - 2 * kReach; row < tile.top; row++)
    load_row(images, tile, row, work);
  for (int64_t row = tile.top - kReach; row < end; row += kStep) {
    for (int i = 0; i < kStep; i++) load_row(images, tile, row + kReach + i, work);
    blur_columns(work.images, row, outer, work.blurred_images);
    for (int i = 0; i < kStep; i++) {
      const int at = slot(row + i);
      const float *counts = work.counts[at];
      compare_row(work.blurred_images[i], counts + kSide, inner, work.ssim, work.slopes[at]);
      if (tile.top <= row + i && row + i < tile.bottom)
        add_row(work.images[at][kDifference] + 2 * kSide, counts + 2 * kSide, work.ssim + kSide,
                size, total);
    }
    const int64_t behind = row - kLag;
    if (!gradient || behind < tile.top) continue;
    blur_columns(work.slopes, behind, inner, work.blurred_slopes);
    for (int i = 0; i < kStep && behind + i < tile.bottom; i++) {
      const int at = slot(behind + i);
      write_gradient(work.blurred_slopes[i], work.images[at], work.counts[at] + 2 * kSide, size,
                     l1_scale, ssim_scale,
                     gradient + 3 * ((behind + i) * images.width + tile.left));
    }
  }
  return total;
}

int64_t count_pixels(const ImagePair &images) {
  const int64_t size = images.height * images.width;
  if (!images.mask) return size;
  int64_t count = 0;
  for (int64_t i = 0; i < size; i++) count += images.mask[i] != 0;
  return count;
}

std::vector<Tile> cut(int64_t height, int64_t width) {
  const int64_t rows = (height + kTileHeight - 1) / kTileHeight;
  const int64_t columns = (width + kTileWidth - 1) / kTileWidth;
  std::vector<Tile> tiles;
  for (int64_t r = 0; r < rows; r++)
    for (int64_t c = 0; c < columns; c++)
      tiles.push_back({width * c / columns, width * (c + 1) / columns, height * r / rows,
                       height * (r + 1) / rows});
  return tiles;
}

}  // namespace

Agreement photometric(const ImagePair &images, float ssim_weight, float *gradient) {
  const double values = 3. * static_cast<double>(count_pixels(images));
  if (values == 0) {
    if (gradient) std::fill_n(gradient, 3 * images.height * images.width, 0.f);
    return {0, 1};
  }
  const auto l1_scale = static_cast<float>((1 - ssim_weight) / values);
  const auto ssim_scale = static_cast<float>(ssim_weight / values);
  const std::vector<Tile> tiles = cut(images.height, images.width);
  std::vector<Agreement> parts(tiles.size());
  const auto threads = std::min<size_t>(thread_count(), tiles.size());
  std::atomic<size_t> next{0};
  in_parallel(static_cast<int>(threads), [&](int) {
    const auto work = std::make_unique<Workspace>();
    for (size_t i; (i = next++) < tiles.size();)
      parts[i] = sweep(images, tiles[i], l1_scale, ssim_scale, gradient, *work);
  });
  Agreement total{0, 0};
  for (const Agreement &part : parts) total.l1 += part.l1, total.ssim += part.ssim;
  return {total.l1 / values, total.ssim / values};
}

}  // namespace recon::ISA

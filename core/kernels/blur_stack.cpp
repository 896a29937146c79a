#include "blur_stack.h"

#include <algorithm>

namespace recon::ISA {
namespace {

// Where a circle of confusion lies in the stack.
struct Place {
  int64_t below;     // The blur before it.
  float part;        // The share of the next.
  float part_slope;  // Its derivative by the signed diameter.
};

inline Place find(const BlurStack &stack, float coc) {
  const float *squares = stack.squares.data();
  const auto last = static_cast<int64_t>(stack.squares.size()) - 1;
  const float square = coc * coc;
  int64_t below = 0;
  for (int64_t i = 1; i < last; i++) below += square >= squares[i];
  const float per_square = 1 / (squares[below + 1] - squares[below]);
  // NaN compares false: it is taken for 0, and beyond the ends nothing changes.
  if (!(square >= squares[0])) return {below, 0, 0};
  if (square > squares[last]) return {below, 1, 0};
  return {below, (square - squares[below]) * per_square, 2 * coc * per_square};
}

// Calls f(i, place, the two blurs of pixel i around it) for every pixel.
template <class Value, class F>
void for_pixels(const BlurStack &stack, const Value *images, const float *coc, const F &f) {
  const auto count = static_cast<int64_t>(stack.squares.size());
#pragma omp parallel for schedule(static) num_threads(thread_count())
  for (int64_t i = 0; i < stack.pixels; i++) {
    const Place place = find(stack, coc[i]);
    const Value *values = images + 3 * (i * count + place.below);
    constexpr float unit = sizeof(Value) == 1 ? 1 / 255.f : 1.f;
    float less[3], rise[3];
    for (int c = 0; c < 3; c++) {
      less[c] = static_cast<float>(values[c]) * unit;
      rise[c] = static_cast<float>(values[3 + c]) * unit - less[c];
    }
    f(i, place, less, rise);
  }
}

template <class F>
void for_pixels(const BlurStack &stack, const float *coc, const F &f) {
  if (stack.bytes)
    for_pixels(stack, stack.bytes, coc, f);
  else
    for_pixels(stack, stack.images, coc, f);
}

}  // namespace

void from_stack(const BlurStack &stack, const float *coc, float *result) {
  for_pixels(stack, coc, [&](int64_t i, const Place &place, const float *less, const float *rise) {
    for (int c = 0; c < 3; c++) result[3 * i + c] = less[c] + place.part * rise[c];
  });
}

void differentiate_from_stack(const BlurStack &stack, const float *coc, const float *gradient,
                              float *coc_gradient) {
  for_pixels(stack, coc, [&](int64_t i, const Place &place, const float *, const float *rise) {
    const float *g = gradient + 3 * i;
    const float by_part = g[0] * rise[0] + g[1] * rise[1] + g[2] * rise[2];
    coc_gradient[i] = by_part * place.part_slope;
  });
}

}  // namespace recon::ISA

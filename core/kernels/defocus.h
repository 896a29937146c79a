// Blur by a thin lens: recon/defocus/reference.py is the definition.
#pragma once
#include <cstdint>
#include <vector>

#include "buffer.h"

#include "../isa.h"

namespace recon {

// The kernels of an aperture's shape for all sizes; see recon/defocus/table.py.
struct Aperture {
  bool bell;            // A Gaussian; else flat with a soft edge.
  bool even;            // Equal to itself turned by half a turn.
  float reach;          // Pixels to the farthest point at which the gauge is 1.
  float spacing;        // px of circle of confusion per interval.
  int64_t intervals;
  const float *cubics;  // intervals x 4 powers x (first, second, scale, support).
  int64_t radius;       // Farthest pixel that any kernel of the image reaches.
  const float *gauge;   // (2 margin + 1)², of light that travels by (x, y) from -margin on.
  int64_t margin;       // At least radius + kDefocusRows - 1.
  float same, apart;    // px between circles of confusion, on one surface or on two.
};

// Pixels below one another that share what they load of their neighbours.
constexpr int kDefocusRows = 4;

struct DefocusImages {
  int64_t height, width;
  const float *image;  // height x width x 3.
  const float *coc;    // height x width, signed, in px.
  bool encoded;        // The image is sRGB; else linear light.
};

// All that backward needs of forward. Planes follow one another row by row.
struct DefocusWorkspace {
  struct Block {
    float support;            // Of the largest kernel in it.
    float nearest, farthest;  // Its signed circles of confusion.
  };
  Buffer<float> pixels;     // What neighbours look at, with a margin around the image.
  Buffer<float> slopes;     // Of the kernels' numbers by the circle of confusion, likewise.
  Buffer<float> gradients;  // Of red, green, blue and circles of confusion, likewise.
  Buffer<float> light;      // What was collected, without a margin.
  std::vector<Block> blocks;
  Buffer<float> supports;       // Of the largest kernel in each row of a block.
  Buffer<float> lowest_gauges;  // Of the rows of a group of pixels, at each neighbour.
};

}  // namespace recon

// Forward writes the blurred image, height x width x 3. Backward may follow a differentiable
// forward; it writes the gradients of image and circles of confusion, unless they are null.
RECON_FOR_EACH_ISA(
  void defocus(const DefocusImages &images, const Aperture &aperture, bool differentiable,
               float *blurred, DefocusWorkspace &work);
  void differentiate_defocus(const DefocusImages &images, const Aperture &aperture,
                             const float *blurred, const float *gradient, float *image_gradient,
                             float *coc_gradient, DefocusWorkspace &work);)

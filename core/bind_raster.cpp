#include <nanobind/stl/array.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <array>
#include <optional>
#include <stdexcept>
#include <string>

#include "bind.h"
#include "kernels/raster.h"
#include "recycled.h"

namespace nb = nanobind;

namespace {

using recon::GaussianArrays;
using recon::Images;
using recon::Workspace;
using Ints = nb::ndarray<int32_t, nb::c_contig, nb::device::cpu>;
// In the order of recon.gaussians.Gaussians, and of recon.raster.interface.Render.
using Parameters = std::array<recon::ConstFloats, 6>;
using ParameterGradients = std::array<std::optional<recon::Floats>, 6>;
using Outputs = std::array<std::optional<recon::Floats>, 4>;
using ConstOutputs = std::array<std::optional<recon::ConstFloats>, 4>;

template <class Array>
auto *elements(const Array &array, int64_t count, const char *name) {
  if (static_cast<int64_t>(array.size()) != count)
    throw std::invalid_argument(std::string("rasterizer: ") + name + " has " +
                                std::to_string(array.size()) + " elements instead of " +
                                std::to_string(count));
  return array.data();
}

template <class Array>
auto elements(const std::optional<Array> &array, int64_t count, const char *name)
    -> decltype(array->data()) {
  return array ? elements(*array, count, name) : nullptr;
}

template <class Float, class Arrays>
GaussianArrays<Float> gaussian_arrays(const Arrays &arrays, int64_t n) {
  return {n,
          elements(arrays[0], 3 * n, "means"),
          elements(arrays[1], 4 * n, "quaternions"),
          elements(arrays[2], 3 * n, "log_scales"),
          elements(arrays[3], n, "opacity_logits"),
          elements(arrays[4], 3 * n, "sh_base"),
          elements(arrays[5], 3 * recon::kRestCoefficients * n, "sh_rest")};
}

template <class Float, class Arrays>
Images<Float> image_arrays(const Arrays &arrays, const recon::View &view) {
  const int64_t pixels = int64_t(view.width) * view.height;
  return {elements(arrays[0], 3 * pixels, "color"), elements(arrays[1], pixels, "alpha"),
          elements(arrays[2], pixels, "expected_depth"),
          elements(arrays[3], pixels, "median_depth")};
}

void forward(Workspace &work, const Parameters &parameters,
             const recon::ConstFloats &world_to_camera, std::array<double, 4> intrinsics,
             std::array<int, 2> size, int sh_degree, std::array<float, 3> background,
             std::optional<std::array<float, 2>> lens, const Outputs &outputs, const Ints &radii) {
  const auto count = static_cast<int64_t>(parameters[3].size());
  if (count > INT32_MAX) throw std::invalid_argument("rasterizer: more than 2^31 - 1 Gaussians");
  if (size[0] < 1 || size[1] < 1 || int64_t(size[0]) * size[1] > INT32_MAX)
    throw std::invalid_argument("rasterizer: cannot draw an image of this size");
  if (sh_degree < 0 || sh_degree > 3)
    throw std::invalid_argument("rasterizer: the degree of the harmonics is 0 to 3");
  recon::View &view = work.view;
  std::copy_n(elements(world_to_camera, 16, "world_to_camera"), 12, view.world_to_camera);
  view.fx = intrinsics[0], view.fy = intrinsics[1];
  view.cx = intrinsics[2], view.cy = intrinsics[3];
  view.width = size[0], view.height = size[1];
  view.sh_degree = sh_degree;
  std::copy_n(background.data(), 3, view.background);
  view.has_lens = lens.has_value();
  view.lens_strength = lens ? (*lens)[0] : 0;
  view.inverse_focus = lens ? (*lens)[1] : 0;
  const auto gaussians = gaussian_arrays<const float>(parameters, count);
  const auto images = image_arrays<float>(outputs, view);
  if (!images.color || !images.alpha || !images.expected_depth)
    throw std::invalid_argument("rasterizer: only the median depth may be left out");
  int32_t *radii_data = elements(radii, count, "radii");

  nb::gil_scoped_release release;
  work.gaussian_count = count;
  RECON_CALL(project, gaussians, radii_data, work);
  RECON_CALL(bin, work);
  RECON_CALL(composite, images, work);
}

using PoseAndLens = std::pair<std::array<float, 16>, std::array<float, 2>>;

PoseAndLens backward(Workspace &work, const Parameters &parameters, const ConstOutputs &outputs,
                     const ConstOutputs &output_gradients,
                     const ParameterGradients &parameter_gradients,
                     const std::optional<recon::Floats> &offsets) {
  const int64_t count = work.gaussian_count;
  const auto gaussians = gaussian_arrays<const float>(parameters, count);
  const auto gradients = gaussian_arrays<float>(parameter_gradients, count);
  const auto images = image_arrays<const float>(outputs, work.view);
  const auto image_gradients = image_arrays<const float>(output_gradients, work.view);
  if (!images.color || !images.alpha || !images.expected_depth)
    throw std::invalid_argument("rasterizer: only the median depth may be left out");
  float *offsets_data = elements(offsets, 2 * count, "offsets");

  nb::gil_scoped_release release;
  recon::ViewGradients view;
  RECON_CALL(differentiate_images, images, image_gradients, work);
  RECON_CALL(differentiate_projection, gaussians, gradients, offsets_data, view, work);
  PoseAndLens out;
  std::copy_n(view.world_to_camera, 16, out.first.data());
  out.second = {view.lens_strength, view.inverse_focus};
  return out;
}

}  // namespace

void recon::bind_raster(nb::module_ &m) {
  // A rasterizer held by a global variable is still there when Python exits; that is no leak.
  nb::set_leak_warnings(false);
  nb::class_<Workspace>(m, "RasterWorkspace", "What one render leaves for its gradients.")
      .def(nb::init<>());
  m.def("recycled", &recycled, nb::arg("shape"), "Make a tensor with memory of earlier ones.");
  m.def("raster_forward", &forward, nb::arg("workspace"), nb::arg("gaussians").noconvert(),
        nb::arg("world_to_camera").noconvert(), nb::arg("intrinsics"), nb::arg("size"),
        nb::arg("sh_degree"), nb::arg("background"), nb::arg("lens").none(),
        nb::arg("images").noconvert(), nb::arg("radii").noconvert(),
        "Draw Gaussians into the given arrays.");
  m.def("raster_backward", &backward, nb::arg("workspace"), nb::arg("gaussians").noconvert(),
        nb::arg("images").noconvert(), nb::arg("image_gradients").noconvert(),
        nb::arg("gradients").noconvert(), nb::arg("offsets_gradient").noconvert().none(),
        "Write the gradients of a render; return those of the pose and the lens.");
}

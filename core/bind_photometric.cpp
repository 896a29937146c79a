#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>

#include <optional>
#include <stdexcept>

#include "bind.h"
#include "kernels/photometric.h"

namespace nb = nanobind;

namespace {

std::pair<double, double> photometric(recon::ConstFloats rendered, recon::ConstBytes photo,
                                      std::optional<recon::ConstBytes> mask, float ssim_weight,
                                      std::optional<recon::Floats> gradient) {
  if (rendered.ndim() != 3 || rendered.shape(2) != 3)
    throw std::invalid_argument("photometric: rendered is not h w 3");
  const size_t height = rendered.shape(0), width = rendered.shape(1);
  const auto fits = [&](const auto &array, size_t dimensions) {
    return array.ndim() == dimensions && array.shape(0) == height && array.shape(1) == width &&
           (dimensions == 2 || array.shape(2) == 3);
  };
  if (!fits(photo, 3)) throw std::invalid_argument("photometric: photo is not shaped as rendered");
  if (mask && !fits(*mask, 2)) throw std::invalid_argument("photometric: mask is not h w");
  if (gradient && !fits(*gradient, 3))
    throw std::invalid_argument("photometric: gradient is not shaped as rendered");
  const recon::ImagePair images{static_cast<int64_t>(height), static_cast<int64_t>(width),
                                rendered.data(), photo.data(), mask ? mask->data() : nullptr};
  nb::gil_scoped_release release;
  const recon::Agreement agreement =
      RECON_CALL(photometric, images, ssim_weight, gradient ? gradient->data() : nullptr);
  return {agreement.l1, agreement.ssim};
}

}  // namespace

void recon::bind_photometric(nb::module_ &m) {
  m.def("photometric", &photometric, nb::arg("rendered").noconvert(), nb::arg("photo").noconvert(),
        nb::arg("mask").noconvert().none(), nb::arg("ssim_weight"),
        nb::arg("gradient").noconvert().none(),
        "Return mean L1 and mean SSIM; write the gradient of the loss to `gradient`.");
}

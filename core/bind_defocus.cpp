#include <nanobind/stl/optional.h>

#include <optional>
#include <stdexcept>
#include <string>

#include "bind.h"
#include "kernels/defocus.h"

namespace nb = nanobind;

namespace {

using recon::Aperture;
using recon::ConstFloats;
using recon::DefocusImages;
using recon::DefocusWorkspace;
using recon::Floats;

void expect(bool fits, const char *what) {
  if (!fits) throw std::invalid_argument(std::string("defocus: ") + what);
}

// A shape's kernels, with the arrays that hold them.
struct Kernels {
  ConstFloats cubics, gauge;
  Aperture aperture;

  Kernels(ConstFloats cubics_in, ConstFloats gauge_in, int64_t radius, bool bell, bool even,
          float reach, float spacing, float same, float apart)
      : cubics(std::move(cubics_in)), gauge(std::move(gauge_in)) {
    expect(cubics.ndim() == 3 && cubics.shape(0) > 0 && cubics.shape(1) == 4 &&
               cubics.shape(2) == 4,
           "cubics are not n 4 4");
    const size_t side = gauge.ndim() == 2 ? gauge.shape(0) : 0;
    expect(side % 2 == 1 && gauge.shape(1) == side, "the gauge is not square, of an odd side");
    const auto margin = static_cast<int64_t>(side / 2);
    expect(radius >= 0 && margin >= radius + recon::kDefocusRows - 1, "the gauge is too small");
    expect(reach > 0 && spacing > 0 && same >= 0 && apart > same, "a number is out of range");
    aperture = {bell, even, reach, spacing, static_cast<int64_t>(cubics.shape(0)), cubics.data(),
                radius, gauge.data(), margin, same, apart};
  }
};

template <class Array>
auto *elements(const Array &array, size_t height, size_t width, size_t dimensions,
               const char *message) {
  expect(array.ndim() == dimensions && array.shape(0) == height && array.shape(1) == width &&
             (dimensions == 2 || array.shape(2) == 3),
         message);
  return array.data();
}

DefocusImages images_of(const ConstFloats &image, const ConstFloats &coc, bool encoded) {
  expect(coc.ndim() == 2, "coc is not h w");
  const size_t height = coc.shape(0), width = coc.shape(1);
  return {static_cast<int64_t>(height), static_cast<int64_t>(width),
          elements(image, height, width, 3, "image is not h w 3"), coc.data(), encoded};
}

void forward(DefocusWorkspace &work, const Kernels &kernels, const ConstFloats &image,
             const ConstFloats &coc, bool encoded, bool differentiable, const Floats &blurred) {
  const DefocusImages images = images_of(image, coc, encoded);
  float *out = elements(blurred, coc.shape(0), coc.shape(1), 3, "blurred is not h w 3");
  nb::gil_scoped_release release;
  RECON_CALL(defocus, images, kernels.aperture, differentiable, out, work);
}

void backward(DefocusWorkspace &work, const Kernels &kernels, const ConstFloats &image,
              const ConstFloats &coc, bool encoded, const ConstFloats &blurred,
              const ConstFloats &gradient, const std::optional<Floats> &image_gradient,
              const std::optional<Floats> &coc_gradient) {
  const DefocusImages images = images_of(image, coc, encoded);
  const size_t height = coc.shape(0), width = coc.shape(1);
  const float *by = elements(gradient, height, width, 3, "gradient is not h w 3");
  const float *out = elements(blurred, height, width, 3, "blurred is not h w 3");
  float *by_image = image_gradient ? elements(*image_gradient, height, width, 3,
                                              "the image's gradient is not h w 3")
                                   : nullptr;
  float *by_coc =
      coc_gradient ? elements(*coc_gradient, height, width, 2, "coc's gradient is not h w")
                   : nullptr;
  nb::gil_scoped_release release;
  RECON_CALL(differentiate_defocus, images, kernels.aperture, out, by, by_image, by_coc, work);
}

}  // namespace

void recon::bind_defocus(nb::module_ &m) {
  m.attr("DEFOCUS_ROWS") = recon::kDefocusRows;
  nb::class_<DefocusWorkspace>(m, "DefocusWorkspace", "What one blur leaves for its gradients.")
      .def(nb::init<>());
  nb::class_<Kernels>(m, "DefocusKernels", "The kernels of an aperture's shape, for all sizes.")
      .def(nb::init<ConstFloats, ConstFloats, int64_t, bool, bool, float, float, float, float>(),
           nb::arg("cubics").noconvert(), nb::arg("gauge").noconvert(), nb::arg("radius"), nb::arg("bell"),
           nb::arg("even"), nb::arg("reach"), nb::arg("spacing"), nb::arg("same"),
           nb::arg("apart"));
  m.def("defocus_forward", &forward, nb::arg("workspace"), nb::arg("kernels"),
        nb::arg("image").noconvert(), nb::arg("coc").noconvert(), nb::arg("encoded"),
        nb::arg("differentiable"), nb::arg("blurred").noconvert(),
        "Blur an image by signed circles of confusion into the given array.");
  m.def("defocus_backward", &backward, nb::arg("workspace"), nb::arg("kernels"),
        nb::arg("image").noconvert(), nb::arg("coc").noconvert(), nb::arg("encoded"),
        nb::arg("blurred").noconvert(), nb::arg("gradient").noconvert(),
        nb::arg("image_gradient").noconvert().none(), nb::arg("coc_gradient").noconvert().none(),
        "Write the gradients of the blur that last used the workspace.");
}

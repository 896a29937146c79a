#include <nanobind/stl/variant.h>
#include <nanobind/stl/vector.h>

#include <stdexcept>
#include <string>
#include <variant>

#include "bind.h"
#include "kernels/blur_stack.h"

namespace nb = nanobind;

namespace {

using recon::BlurStack;
using recon::ConstBytes;
using recon::ConstFloats;
using recon::Floats;

void expect(bool fits, const char *what) {
  if (!fits) throw std::invalid_argument(std::string("from_stack: ") + what);
}

using Images = std::variant<ConstFloats, ConstBytes>;

BlurStack stack_of(const Images &images, const std::vector<float> &cocs, const ConstFloats &coc) {
  expect(coc.ndim() == 2, "coc is not h w");
  expect(cocs.size() >= 2, "there are fewer than two blurs");
  std::visit(
      [&](const auto &array) {
        expect(array.ndim() == 4 && array.shape(0) == coc.shape(0) &&
                   array.shape(1) == coc.shape(1) && array.shape(2) == cocs.size() &&
                   array.shape(3) == 3,
               "images are not h w n 3");
      },
      images);
  const auto *floats = std::get_if<ConstFloats>(&images);
  const auto *bytes = std::get_if<ConstBytes>(&images);
  BlurStack stack{static_cast<int64_t>(coc.size()), floats ? floats->data() : nullptr,
                  bytes ? bytes->data() : nullptr, {}};
  for (const float c : cocs) stack.squares.push_back(c * c);
  return stack;
}

void forward(const Images &images, const std::vector<float> &cocs, const ConstFloats &coc,
             const Floats &result) {
  const BlurStack stack = stack_of(images, cocs, coc);
  expect(result.size() == 3 * coc.size(), "result is not h w 3");
  nb::gil_scoped_release release;
  RECON_CALL(from_stack, stack, coc.data(), result.data());
}

void backward(const Images &images, const std::vector<float> &cocs, const ConstFloats &coc,
              const ConstFloats &gradient, const Floats &coc_gradient) {
  const BlurStack stack = stack_of(images, cocs, coc);
  expect(gradient.size() == 3 * coc.size(), "gradient is not h w 3");
  expect(coc_gradient.size() == coc.size(), "coc's gradient is not h w");
  nb::gil_scoped_release release;
  RECON_CALL(differentiate_from_stack, stack, coc.data(), gradient.data(), coc_gradient.data());
}

}  // namespace

void recon::bind_blur_stack(nb::module_ &m) {
  m.def("from_stack", &forward, nb::arg("images").noconvert(), nb::arg("cocs"),
        nb::arg("coc").noconvert(), nb::arg("result").noconvert(),
        "Write every pixel as blurred by its circle of confusion.");
  m.def("from_stack_backward", &backward, nb::arg("images").noconvert(), nb::arg("cocs"),
        nb::arg("coc").noconvert(), nb::arg("gradient").noconvert(),
        nb::arg("coc_gradient").noconvert(), "Write the gradient of the circles of confusion.");
}

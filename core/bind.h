// What the bind_*.cpp files share: array types that are never converted, and their checks.
#pragma once
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

namespace recon {

// Pass these with nb::arg(...).noconvert(): nanobind would copy another dtype silently.
using Floats = nanobind::ndarray<float, nanobind::c_contig, nanobind::device::cpu>;
using ConstFloats = nanobind::ndarray<const float, nanobind::c_contig, nanobind::device::cpu>;
using ConstBytes = nanobind::ndarray<const uint8_t, nanobind::c_contig, nanobind::device::cpu>;

void bind_adam(nanobind::module_ &m);
void bind_blur_stack(nanobind::module_ &m);
void bind_defocus(nanobind::module_ &m);
void bind_photometric(nanobind::module_ &m);
void bind_raster(nanobind::module_ &m);

}  // namespace recon

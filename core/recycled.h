// Tensors whose memory comes back to be used again.
#pragma once
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <vector>

namespace recon {

using TorchFloats = nanobind::ndarray<nanobind::pytorch, float, nanobind::c_contig>;

// Makes a tensor that is not cleared. The gradients of a large scene are too large for malloc to
// keep: without this, every step would pay for fresh pages, which costs more than filling them.
TorchFloats recycled(const std::vector<size_t> &shape);

}  // namespace recon

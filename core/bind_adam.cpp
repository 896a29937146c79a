#include <stdexcept>

#include "bind.h"
#include "kernels/adam.h"

namespace nb = nanobind;

void recon::bind_adam(nb::module_ &m) {
  m.def("adam_step",
        [](Floats values, ConstFloats gradients, Floats mean, Floats mean_square,
           double learning_rate, double beta1, double beta2, double epsilon, int64_t step) {
          const size_t count = values.size();
          if (gradients.size() != count || mean.size() != count || mean_square.size() != count)
            throw std::invalid_argument("adam_step: arrays differ in size");
          if (step < 1) throw std::invalid_argument("adam_step: steps are counted from 1");
          nb::gil_scoped_release release;
          RECON_CALL(adam_step, static_cast<int64_t>(count), values.data(), gradients.data(),
                     mean.data(), mean_square.data(),
                     AdamRates{learning_rate, beta1, beta2, epsilon, step});
        },
        nb::arg("values").noconvert(), nb::arg("gradients").noconvert(),
        nb::arg("mean").noconvert(), nb::arg("mean_square").noconvert(), nb::arg("learning_rate"),
        nb::arg("beta1"), nb::arg("beta2"), nb::arg("epsilon"), nb::arg("step"),
        "Take one Adam step in place.");
}

// The Python face of the core, and the choice of instruction set.
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>

#include <stdexcept>
#include <string>

#include "bind.h"
#include "isa.h"

#ifdef _OPENMP
#include <omp.h>
#endif

namespace nb = nanobind;

namespace {

const char *name(recon::Isa isa) {
  switch (isa) {
    case recon::Isa::x86_64_v4: return "x86-64-v4";
    case recon::Isa::x86_64_v3: return "x86-64-v3";
    default: return "baseline";
  }
}

recon::Isa choose(const std::string &wish) {
#ifdef RECON_X86_64_LEVELS
  __builtin_cpu_init();
  // Features that GCC and clang have long known by name; "x86-64-v3" they learned late.
  const bool has_v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                      __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
  const bool has_v4 = has_v3 && __builtin_cpu_supports("avx512f") &&
                      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512cd") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  if (has_v4 && (wish == "best" || wish == name(recon::Isa::x86_64_v4)))
    return recon::Isa::x86_64_v4;
  if (has_v3 && (wish == "best" || wish == name(recon::Isa::x86_64_v3)))
    return recon::Isa::x86_64_v3;
#endif
  if (wish == "best" || wish == name(recon::Isa::baseline)) return recon::Isa::baseline;
  throw std::invalid_argument("this machine cannot run instruction set '" + wish + "'");
}

recon::Isa in_use = choose("best");

int default_threads() {
#ifdef _OPENMP
  return omp_get_max_threads();
#else
  return 1;
#endif
}

int threads_in_use = default_threads();

}  // namespace

namespace recon {
Isa isa() { return in_use; }
int thread_count() { return threads_in_use; }
}  // namespace recon

NB_MODULE(_core, m) {
  m.doc() = "Native kernels.";
  m.def("isa", [] { return name(in_use); }, "Name the instruction set in use.");
  m.def("use_isa", [](const std::string &wish) { in_use = choose(wish); }, nb::arg("name"),
        "Use this instruction set, or 'best'.");
  m.def("threads", recon::thread_count, "Count the threads the kernels use.");
  m.def("use_threads", [](int count) {
    if (count < 1) throw std::invalid_argument("expected at least one thread");
#ifdef _OPENMP
    threads_in_use = count;
#endif
  }, nb::arg("count"), "Use this many threads, where OpenMP is there to run them.");
  recon::bind_adam(m);
  recon::bind_blur_stack(m);
  recon::bind_defocus(m);
  recon::bind_photometric(m);
  recon::bind_raster(m);
}

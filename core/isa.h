// Every file in core/kernels is compiled once per instruction set, with -DISA=<its namespace>.
#pragma once

#ifndef ISA
#define ISA baseline
#endif

// Declares the same functions once per instruction set.
#define RECON_FOR_EACH_ISA(declarations) \
  namespace recon::baseline {            \
  declarations                           \
  }                                      \
  namespace recon::x86_64_v3 {           \
  declarations                           \
  }                                      \
  namespace recon::x86_64_v4 {           \
  declarations                           \
  }

namespace recon {

enum class Isa { baseline, x86_64_v3, x86_64_v4 };

// The instruction set in use, chosen when the module is loaded.
Isa isa();

// How many threads the kernels use. It is their own number, not OpenMP's: a fit keeps torch to one
// thread, because torch's last bits depend on how it shares out work, and ours do not.
int thread_count();

}  // namespace recon

// Calls recon::<isa in use>::function.
#ifdef RECON_X86_64_LEVELS
#define RECON_CALL(function, ...)                              \
  (recon::isa() == recon::Isa::x86_64_v4   ? recon::x86_64_v4::function(__VA_ARGS__) \
   : recon::isa() == recon::Isa::x86_64_v3 ? recon::x86_64_v3::function(__VA_ARGS__) \
                                           : recon::baseline::function(__VA_ARGS__))
#else
#define RECON_CALL(function, ...) recon::baseline::function(__VA_ARGS__)
#endif

// Sharing work between threads.
#pragma once
#include <atomic>
#include <cstdint>
#include <new>

#include "../isa.h"

namespace recon::ISA {

struct Share {
  int64_t begin, end;
};

// The consecutive part of [0, count) that is one thread's.
static inline Share share_of(int64_t count, int thread, int threads) {
  return {count * thread / threads, count * (thread + 1) / threads};
}

// Calls work(thread) on each of `threads` threads. Memory that runs out in one of them is reported
// by all, as an exception must not leave a thread.
template <class Work>
static void in_parallel(int threads, const Work &work) {
  std::atomic<bool> failed{false};
#pragma omp parallel for num_threads(threads) schedule(static, 1)
  for (int thread = 0; thread < threads; thread++) {
    try {
      work(thread);
    } catch (const std::bad_alloc &) {
      failed = true;
    }
  }
  if (failed) throw std::bad_alloc();
}

}  // namespace recon::ISA

#include "kernels/buffer.h"

void recon::RawBuffer::reserve(size_t bytes, size_t kept) {
  if (bytes <= bytes_) return;
  constexpr size_t line = 64, large_page = size_t{1} << 21;
  // A quarter more than asked for, so that a growing scene does not move its buffers every step.
  bytes += bytes / 4;
  const size_t alignment = bytes >= 2 * large_page ? large_page : line;
  bytes = (bytes + alignment - 1) / alignment * alignment;
  if (kept == 0) {
    std::free(std::exchange(data_, nullptr));
    bytes_ = 0;
  }
  void *fresh = nullptr;
  if (posix_memalign(&fresh, alignment, bytes) != 0) throw std::bad_alloc();
#if defined(__linux__) && defined(MADV_HUGEPAGE)
  if (alignment == large_page) madvise(fresh, bytes, MADV_HUGEPAGE);
#endif
  if (kept) std::memcpy(fresh, data_, kept);
  std::free(data_);
  data_ = fresh;
  bytes_ = bytes;
}

// Memory that is kept from call to call, and never cleared.
#pragma once
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace recon {

// Fresh pages cost more than the work on them, so a buffer only ever grows. Large ones ask for
// large pages: their random access would otherwise miss the address cache.
class RawBuffer {
 public:
  RawBuffer() = default;
  RawBuffer(RawBuffer &&other) noexcept
      : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  RawBuffer &operator=(RawBuffer &&) = delete;
  ~RawBuffer() { std::free(data_); }

  void *data() const { return data_; }
  size_t bytes() const { return bytes_; }

  // Makes room for this many bytes. The first `kept` of the old contents survive.
  void reserve(size_t bytes, size_t kept = 0);

 private:
  void *data_ = nullptr;
  size_t bytes_ = 0;
};

template <class T>
class Buffer {
 public:
  T *data() const { return static_cast<T *>(raw_.data()); }
  T &operator[](size_t i) const { return data()[i]; }
  size_t capacity() const { return raw_.bytes() / sizeof(T); }
  void reserve(size_t count, size_t kept = 0) { raw_.reserve(count * sizeof(T), kept * sizeof(T)); }

 private:
  RawBuffer raw_;
};

}  // namespace recon

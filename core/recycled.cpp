#include "recycled.h"

#include <algorithm>
#include <memory>
#include <mutex>

#include "kernels/buffer.h"

namespace nb = nanobind;

namespace recon {
namespace {

using Memory = std::unique_ptr<RawBuffer>;

// What was given back, oldest first.
class Pool {
 public:
  Memory take(size_t bytes) {
    Memory memory = find(bytes);
    if (!memory) memory = std::make_unique<RawBuffer>();
    memory->reserve(bytes);
    return memory;
  }

  void give(Memory memory) {
    constexpr size_t most = 16;  // More than one render's gradients, should nobody want these.
    const std::lock_guard<std::mutex> lock(mutex_);
    free_.push_back(std::move(memory));
    if (free_.size() > most) free_.erase(free_.begin());
  }

 private:
  // The smallest that is large enough, but not one that is much larger: another will want it. Else
  // the largest that is too small, which will grow.
  Memory find(size_t bytes) {
    const std::lock_guard<std::mutex> lock(mutex_);
    auto best = free_.end();
    for (auto i = free_.begin(); i != free_.end(); ++i) {
      const size_t size = (*i)->bytes();
      if (size > 2 * bytes) continue;
      const size_t other = best == free_.end() ? 0 : (*best)->bytes();
      if (other >= bytes ? size >= bytes && size < other : size > other) best = i;
    }
    if (best == free_.end()) return nullptr;
    Memory memory = std::move(*best);
    free_.erase(best);
    return memory;
  }

  std::mutex mutex_;
  std::vector<Memory> free_;
};

// Never destroyed: tensors may outlive everything else.
Pool &pool() {
  static Pool *const pool = new Pool;
  return *pool;
}

}  // namespace

TorchFloats recycled(const std::vector<size_t> &shape) {
  size_t count = 1;
  for (const size_t extent : shape) count *= extent;
  Memory memory = pool().take(std::max<size_t>(count, 1) * sizeof(float));
  auto *data = static_cast<float *>(memory->data());
  nb::capsule owner(memory.release(), [](void *buffer) noexcept {
    pool().give(Memory(static_cast<RawBuffer *>(buffer)));
  });
  return TorchFloats(data, shape.size(), shape.data(), owner);
}

}  // namespace recon

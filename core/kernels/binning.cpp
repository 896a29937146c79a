// Sorts the splats by depth, then deals them to their tiles in that order: each tile's list comes
// out sorted, and the sort moves splats instead of (splat, tile) pairs.
#include <algorithm>
#include <cstring>

#include "raster.h"
#include "threads.h"

namespace recon::ISA {
namespace {

constexpr int kDigitBits = 11, kDigits = 1 << kDigitBits, kPasses = 3;

void gather_keys(Workspace &work, int64_t chunks, int threads) {
  std::vector<int64_t> begins(chunks + 1, 0);
  for (int64_t c = 0; c < chunks; c++) begins[c + 1] = begins[c] + work.chunk_sizes[c];
  const int64_t count = work.splat_count = begins[chunks];
  work.depth_keys.reserve(count);
  work.depth_keys_spare.reserve(count);
  in_parallel(threads, [&](int thread) {
    const Share mine = share_of(chunks, thread, threads);
    for (int64_t c = mine.begin; c < mine.end; c++)
      for (int64_t i = 0; i < work.chunk_sizes[c]; i++) {
        DepthKey &out = work.depth_keys[begins[c] + i];
        out.splat = static_cast<uint32_t>(c * kChunk + i);
        std::memcpy(&out.key, &work.splats[out.splat].depth, sizeof out.key);
      }
  });
}

// Makes each thread's counts of `bins` bins into the places where its first item of each bin goes.
uint32_t places_from_counts(uint32_t *counts, int64_t bins, int threads, uint32_t *begins) {
  uint32_t place = 0;
  for (int64_t b = 0; b < bins; b++) {
    if (begins) begins[b] = place;
    for (int t = 0; t < threads; t++) {
      const uint32_t n = counts[t * bins + b];
      counts[t * bins + b] = place;
      place += n;
    }
  }
  return place;
}

// Least significant digit first; stable, so that equal depths stay in the order of the Gaussians.
void sort_by_depth(Workspace &work, int threads) {
  DepthKey *from = work.depth_keys.data(), *to = work.depth_keys_spare.data();
  work.histograms.reserve(size_t(threads) * kDigits);
  uint32_t *counts = work.histograms.data();
  for (int pass = 0; pass < kPasses; pass++) {
    const auto digit = [&](const DepthKey &k) { return k.key >> (pass * kDigitBits) & (kDigits - 1); };
    in_parallel(threads, [&](int thread) {
      uint32_t *mine = counts + size_t(thread) * kDigits;
      std::fill(mine, mine + kDigits, 0);
      const Share part = share_of(work.splat_count, thread, threads);
      for (int64_t i = part.begin; i < part.end; i++) mine[digit(from[i])]++;
    });
    places_from_counts(counts, kDigits, threads, nullptr);
    in_parallel(threads, [&](int thread) {
      uint32_t *mine = counts + size_t(thread) * kDigits;
      const Share part = share_of(work.splat_count, thread, threads);
      for (int64_t i = part.begin; i < part.end; i++) to[mine[digit(from[i])]++] = from[i];
    });
    std::swap(from, to);
  }
  static_assert(kPasses % 2 == 1, "the sorted keys end in the spare buffer");
}

void deal_to_tiles(Workspace &work, int threads) {
  const int64_t tiles = int64_t(work.view.tiles_x()) * work.view.tiles_y();
  const DepthKey *sorted = work.depth_keys_spare.data();
  work.histograms.reserve(size_t(threads) * tiles);
  work.tile_begins.reserve(tiles + 1);
  work.entries.reserve(work.slot_count);
  uint32_t *counts = work.histograms.data();
  in_parallel(threads, [&](int thread) {
    uint32_t *mine = counts + thread * tiles;
    std::fill(mine, mine + tiles, 0);
    const Share part = share_of(work.splat_count, thread, threads);
    for (int64_t i = part.begin; i < part.end; i++) {
      const SlotRange slots = work.slots[sorted[i].splat];
      for (uint32_t s = slots.begin; s < slots.end; s++) mine[work.slot_tiles[s]]++;
    }
  });
  work.tile_begins[tiles] = places_from_counts(counts, tiles, threads, work.tile_begins.data());
  in_parallel(threads, [&](int thread) {
    uint32_t *mine = counts + thread * tiles;
    const Share part = share_of(work.splat_count, thread, threads);
    for (int64_t i = part.begin; i < part.end; i++) {
      const uint32_t splat = sorted[i].splat;
      const SlotRange slots = work.slots[splat];
      for (uint32_t s = slots.begin; s < slots.end; s++)
        work.entries[mine[work.slot_tiles[s]]++] = {splat, s};
    }
  });
}

}  // namespace

void bin(Workspace &work) {
  const int64_t gaussians = work.gaussian_count;
  // Waking a thread costs more than sorting a few thousand keys.
  const int threads = gaussians < 1 << 14 ? 1 : thread_count();
  gather_keys(work, (gaussians + kChunk - 1) / kChunk, threads);
  sort_by_depth(work, threads);
  deal_to_tiles(work, threads);
}

}  // namespace recon::ISA

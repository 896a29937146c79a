// Sorts the splats by depth, then deals them to their tiles in that order: each tile's list comes
// out sorted, and the sort moves splats instead of (splat, tile) pairs.
#include <algorithm>
#include <cstring>

#include "raster.h"
#include "threads.h"

namespace recon::ISA {
namespace {

constexpr int kPasses = 3, kMostDigitBits = 11;
static_assert(kPasses * kMostDigitBits >= 32, "all bits of a key are sorted");
constexpr int kAhead = 24;  // Splats between the asking for memory and its use.

struct KeyRange {
  uint32_t least = UINT32_MAX, most = 0;
};

// Joins the lists of tiles and the chunks' keys, and finds how far the keys spread.
KeyRange join_lists(Workspace &work, int threads) {
  const int64_t chunks = work.chunks(), lists = static_cast<int64_t>(work.list_sizes.size());
  std::vector<int64_t> keys(chunks + 1, 0), slots(lists + 1, 0);
  for (int64_t c = 0; c < chunks; c++) keys[c + 1] = keys[c] + work.chunk_sizes[c];
  for (int64_t i = 0; i < lists; i++) slots[i + 1] = slots[i] + int64_t(work.list_sizes[i]);
  work.splat_count = keys[chunks];
  work.slot_count = slots[lists];
  if (work.slot_count > UINT32_MAX - kSpareEntries) throw std::bad_alloc();
  work.depth_keys.reserve(work.splat_count);
  work.depth_keys_spare.reserve(work.splat_count);
  work.slot_tiles.reserve(work.slot_count);

  std::vector<KeyRange> ranges(threads);
  in_parallel(threads, [&](int thread) {
    KeyRange range;
    const Share mine = share_of(lists, thread, threads);
    for (int64_t list = mine.begin; list < mine.end; list++) {
      if (work.list_sizes[list])
        std::memcpy(&work.slot_tiles[slots[list]], work.tile_lists[list].data(),
                    work.list_sizes[list] * sizeof(uint32_t));
      const auto shift = static_cast<uint32_t>(slots[list]);
      const Share part = share_of(chunks, static_cast<int>(list), static_cast<int>(lists));
      for (int64_t c = part.begin; c < part.end; c++)
        for (int64_t i = 0; i < work.chunk_sizes[c]; i++) {
          SlotRange &slot = work.slots[c * kChunk + i];
          slot = {slot.begin + shift, slot.end + shift};
          const DepthKey key = work.depth_keys[keys[c] + i] = work.chunk_keys[c * kChunk + i];
          range = {std::min(range.least, key.key), std::max(range.most, key.key)};
        }
    }
    ranges[thread] = range;
  });
  KeyRange all;
  for (const KeyRange &r : ranges)
    all = {std::min(all.least, r.least), std::max(all.most, r.most)};
  return all;
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
void sort_by_depth(Workspace &work, KeyRange range, int threads) {
  DepthKey *from = work.depth_keys.data(), *to = work.depth_keys_spare.data();
  int digit_bits = 1;  // No more than needed: the fewer digits, the better they fit the cache.
  // In 64 bits, because shifting 32 by 33 is undefined: depths can lie 2^128 apart.
  const uint64_t spread = range.most > range.least ? range.most - range.least : 0;
  while (spread >> (kPasses * digit_bits)) digit_bits++;
  const int64_t digits = int64_t{1} << digit_bits;
  work.histograms.reserve(size_t(threads) << kMostDigitBits);
  uint32_t *counts = work.histograms.data();
  for (int pass = 0; pass < kPasses; pass++) {
    const auto digit = [&](const DepthKey &k) {
      return (k.key - range.least) >> (pass * digit_bits) & (digits - 1);
    };
    in_parallel(threads, [&](int thread) {
      uint32_t *mine = counts + thread * digits;
      std::fill(mine, mine + digits, 0);
      const Share part = share_of(work.splat_count, thread, threads);
      for (int64_t i = part.begin; i < part.end; i++) mine[digit(from[i])]++;
    });
    places_from_counts(counts, digits, threads, nullptr);
    in_parallel(threads, [&](int thread) {
      uint32_t *mine = counts + thread * digits;
      const Share part = share_of(work.splat_count, thread, threads);
      for (int64_t i = part.begin; i < part.end; i++) to[mine[digit(from[i])]++] = from[i];
    });
    std::swap(from, to);
  }
  static_assert(kPasses % 2 == 1, "the sorted keys end in the spare buffer");
}

// Calls visit(splat, slot, tile) for some splats, nearest first, and for each the tiles it touches.
template <class Visit>
void visit_slots(const Workspace &work, Share part, const Visit &visit) {
  const DepthKey *sorted = work.depth_keys_spare.data();
  for (int64_t i = part.begin; i < part.end; i++) {
    const int64_t last = part.end - 1;
    __builtin_prefetch(&work.slots[sorted[std::min(i + 2 * kAhead, last)].splat]);
    const uint32_t ahead = work.slots[sorted[std::min(i + kAhead, last)].splat].begin;
    __builtin_prefetch(&work.slot_tiles[ahead]);
    const uint32_t splat = sorted[i].splat;
    const SlotRange slots = work.slots[splat];
    for (uint32_t s = slots.begin; s < slots.end; s++) visit(splat, s, work.slot_tiles[s]);
  }
}

void deal_to_tiles(Workspace &work, int threads) {
  const int64_t tiles = int64_t(work.view.tiles_x()) * work.view.tiles_y();
  work.histograms.reserve(size_t(threads) * tiles);
  work.tile_begins.reserve(tiles + 1);
  work.entries.reserve(work.slot_count + kSpareEntries);
  std::fill_n(&work.entries[work.slot_count], kSpareEntries, TileEntry{0, 0});
  uint32_t *counts = work.histograms.data();
  in_parallel(threads, [&](int thread) {
    uint32_t *mine = counts + thread * tiles;
    std::fill(mine, mine + tiles, 0);
    visit_slots(work, share_of(work.splat_count, thread, threads),
                [&](uint32_t, uint32_t, uint32_t tile) { mine[tile]++; });
  });
  work.tile_begins[tiles] = places_from_counts(counts, tiles, threads, work.tile_begins.data());
  TileEntry *entries = work.entries.data();
  in_parallel(threads, [&](int thread) {
    uint32_t *mine = counts + thread * tiles;
    visit_slots(work, share_of(work.splat_count, thread, threads),
                [&](uint32_t splat, uint32_t slot, uint32_t tile) {
                  entries[mine[tile]++] = {splat, slot};
                });
  });
}

}  // namespace

void bin(Workspace &work) {
  // Waking threads eleven times costs more than they would save on a few splats.
  const int threads = work.gaussian_count < 1 << 15 ? 1 : thread_count();
  const KeyRange range = join_lists(work, threads);
  sort_by_depth(work, range, threads);
  deal_to_tiles(work, threads);
}

}  // namespace recon::ISA

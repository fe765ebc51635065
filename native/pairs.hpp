// Products in bfloat16 with sums of float, where the processor has an instruction for them: numbers that are
// neighbours along a sum stand together, as a Pair, and one instruction multiplies and adds both.
//
//   Pair  two bfloat16 numbers, the first in the low half; each is a float rounded to 8 bits, to the nearest
//   depth  the length of the sums in numbers, of which there are (depth + 1) / 2 pairs
//
// Such products are made in one of two ways, whose sums differ in their last digits: by vectors (AVX512-BF16,
// pairs.cpp), or by tiles (AMX, tile_pairs.cpp). Both files are compiled for their instructions, and nothing
// of them runs where has_pairs() or has_tiles() says no.
#pragma once

#include <type_traits>

#include "panels.hpp"
#include "processor.hpp"

namespace hornbook {
inline namespace HORNBOOK_LEVEL {

using Pair = uint32_t;

// Whether products are mixed, and in which way.
struct Mixed {
    bool on = false, by_tiles = false;
    operator bool() const { return on; }
};

#if defined(HORNBOOK_PAIRS)
template <class Real> inline constexpr bool Mixable = std::is_same_v<Real, float>;
inline bool has_pairs() { return processor_has_pairs(); }
#else
template <class Real> inline constexpr bool Mixable = false;
inline bool has_pairs() { return false; }
#endif
#if defined(HORNBOOK_TILES)
inline constexpr bool Tileable = true;
inline bool has_tiles() { return has_pairs() && processor_has_tiles(); }
inline bool holds_tiles() { return has_tiles() && processor_holds_tiles(); }
void release_tiles();
#else
inline constexpr bool Tileable = false;
inline bool has_tiles() { return false; }
inline bool holds_tiles() { return false; }
inline void release_tiles() {}
#endif

// The tiles of a thread are its own, and they are many: whoever may have used them gives them back.
struct TilesOfCall {
    TilesOfCall() = default;
    TilesOfCall(const TilesOfCall&) = delete;
    TilesOfCall& operator=(const TilesOfCall&) = delete;
    ~TilesOfCall() { release_tiles(); }
};

// The length of sums that is packed, in pairs: a whole number of tiles.
constexpr Size pairs_of(Size depth) { return (depth + 31) / 32 * 16; }

// The row length of rows that were rounded: whole vectors, and an odd number of cache lines where rows are
// long.
constexpr Size pairs_row(Size depth) {
    const Size lines = pairs_of(depth) / 16;
    return (lines >= 8 ? lines | 1 : lines) * 16;
}

// Rows of a room for so many rows that are rounded: tiles read their last ones whole.
constexpr Size room_rows(Size rows) { return rows <= 16 ? rows : (rows + 15) / 16 * 16; }

template <class Real> struct Target;
template <class Real> struct Packed;
template <class Real> struct TurnedRoom;

void pack_pairs(Packed<float>& w, Size p, const float* from, Size row);
void pack_pairs_turned(Packed<float>& w, Size p, const float* from, Size row);
void multiply_pairs(Target<float> out, const float* a, Size a_row, const Packed<float>& w, Size first,
                    Size last, Size rows, Size depth, Pair* room);
void multiply_pairs_turned(Target<float> g, const float* a, Size a_row, const float* d, Size d_row, Size rows,
                           Size columns, Size depth, TurnedRoom<float>& room);
void multiply_by_tiles(Target<float> out, const float* a, Size a_row, const Packed<float>& w, Size first,
                       Size last, Size rows, Size depth, Pair* room);
void multiply_by_tiles_turned(Target<float> g, const float* a, Size a_row, const float* d, Size d_row,
                              Size rows, Size columns, Size depth, TurnedRoom<float>& room);

}  // namespace HORNBOOK_LEVEL
}  // namespace hornbook

// Products in bfloat16 with sums of float, where the processor has an instruction for them: numbers that are
// neighbours along a sum stand together, as a Pair, and one instruction multiplies and adds both.
//
//   Pair  two bfloat16 numbers, the first in the low half; each is a float rounded to 8 bits, to the nearest
//   depth  the length of the sums in numbers, of which there are (depth + 1) / 2 pairs
//
// pairs.cpp is compiled for that instruction, and nothing of it runs where has_pairs() says no.
#pragma once

#include <type_traits>

#include "panels.hpp"
#include "processor.hpp"

namespace hornbook {
inline namespace HORNBOOK_LEVEL {

using Pair = uint32_t;

#if defined(HORNBOOK_PAIRS)
template <class Real> inline constexpr bool Mixable = std::is_same_v<Real, float>;
inline bool has_pairs() { return processor_has_pairs(); }
#else
template <class Real> inline constexpr bool Mixable = false;
inline bool has_pairs() { return false; }
#endif

// The row length of rows that were rounded: whole vectors, and an odd number of cache lines where rows are
// long.
constexpr Size pairs_row(Size depth) {
    const Size lines = (depth + 31) / 32;
    return (lines >= 8 ? lines | 1 : lines) * 16;
}

template <class Real> struct Target;
template <class Real> struct Packed;
template <class Real> struct TurnedRoom;

void pack_pairs(Packed<float>& w, Size p, const float* from, Size row);
void pack_pairs_turned(Packed<float>& w, Size p, const float* from, Size row);
void multiply_pairs(Target<float> out, const float* a, Size a_row, const Packed<float>& w, Size first,
                    Size last, Size rows, Size depth, Pair* room);
void multiply_pairs_turned(Target<float> g, const float* a, Size a_row, const float* d, Size d_row, Size rows,
                           Size columns, Size depth, TurnedRoom<float>& room);

}  // namespace HORNBOOK_LEVEL
}  // namespace hornbook

// Matrix products at the speed of the processor's multipliers: out = start + a @ w, where w lies packed in
// panels, as wide as the accumulators of one tile, so that every product reads it straight through.
//
//   rows     of out and a      depth   the length of the sums      vectors   columns of out over Lanes
//   panel    all of w's rows, TileVectors vectors wide or fewer: one contiguous stretch
//   tile     R rows x C vectors of out, in registers through the whole depth
//
// Where products are `mixed`, a and w are rounded to bfloat16 on the way, two neighbours of a sum to a Pair,
// and the sums are float's: see pairs.hpp.
//
// Every entry of out is one sum in the order of depth, beginning with its start: its bits depend neither on
// how many rows are multiplied at once nor on where its row stands among them.
#pragma once

#include "layout.hpp"
#include "pairs.hpp"

namespace hornbook {
inline namespace HORNBOOK_LEVEL {

inline constexpr int TileVectors = Registers == 32 ? 4 : 2;
inline constexpr int RowVectors = 8;    // of the panels of a matrix that only single rows are multiplied with
inline constexpr Size DepthMost = 256;  // of one pass of a turned product: a panel of it stays in L2

// A matrix that is read by rows: element (r, k) stands at at[r * row + k * step].
template <class Real> struct Operand {
    const Real* at;
    Size row, step;
};

// What is written, and what its sums begin with: `start` (null: zero) has a row stride of its own, 0 for a
// bias.
template <class Real> struct Target {
    Real* at;
    Size row;
    const Real* start;
    Size start_row;
    static Target onto(Real* at, Size row) { return {at, row, at, row}; }
    static Target fresh(Real* at, Size row) { return {at, row, nullptr, 0}; }
    Target shifted(Size rows, Size columns) const {
        return {at + rows * row + columns, row, start ? start + rows * start_row + columns : nullptr,
                start_row};
    }
};

// A packed matrix (depth, columns), depth and columns multiples of Lanes.
template <class Real> struct Packed {
    Size depth;
    Division in;  // of a row into panels
    Mixed mixed;
    Buffer<Real> panels;  // (in.parts, depth, in.width * Lanes), where products are not mixed
    Buffer<Pair> pairs;   // (in.parts, pairs_of(depth), in.width * Lanes), where they are; zeros fill it up
    Packed(Size depth_, Size columns, Mixed mixed_, Size widest = TileVectors)
        : depth(depth_), in(columns / Lanes<Real>, widest), mixed(mixed_), panels(!mixed * depth_ * columns),
          pairs(mixed * pairs_of(depth_) * columns) {}
    Size offset(Size p) const { return in.first(p) * Lanes<Real> * (mixed ? pairs_of(depth) : depth); }

    void pack(Size p, const Real* from, Size row);         // panel p of the matrix `from`
    void pack_turned(Size p, const Real* from, Size row);  // panel p of from.T
};

// A turned product's room: for a panel of d, and of a mixed one for pairs of a as well.
template <class Real> struct TurnedRoom {
    Buffer<Real> panel;
    Buffer<Pair> pairs, pairs_panel;
    TurnedRoom(Size rows, Mixed mixed)
        : panel(!mixed * DepthMost * TileVectors * Lanes<Real>), pairs(mixed * pairs_row(DepthMost) * rows),
          pairs_panel(mixed * DepthMost / 2 * TileVectors * Lanes<Real>) {}
};

// out (rows, columns) = start + a @ w for the columns of the panels first ... last - 1 of w, a's rows being
// contiguous. Where w is mixed, the call that begins with panel 0 rounds a into `room`, and those for further
// panels find it there: it is for room_rows(rows) of pairs_row(depth).
template <class Real>
void multiply(Target<Real> out, const Real* a, Size a_row, const Packed<Real>& w, Size first, Size last,
              Size rows, Size depth, Pair* room);

// g (rows, columns) = start + a.T @ d, the sum running over `depth` rows of a and d. d is packed on the way,
// a panel at a time.
template <class Real>
void multiply_turned(Target<Real> g, const Real* a, Size a_row, const Real* d, Size d_row, Size rows,
                     Size columns, Size depth, Mixed mixed, TurnedRoom<Real>& room);

}  // namespace HORNBOOK_LEVEL
}  // namespace hornbook

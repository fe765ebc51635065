// The gradients of U W b V c, a tile at a time: a tile is one contiguous stretch of the block that holds them
// all, small enough to stay in L1 while it is computed, clipped, applied and its weights are turned.
//
//   T  time steps     strip  some rows of one panel of W or V     ld*  row lengths padded to whole vectors
#pragma once

#include "recurrence.hpp"

namespace hornbook {
inline namespace HORNBOOK_LEVEL {

struct Tile {
    enum Of { U, W, b, V, c } of;
    Size offset, count;                       // in the block
    Size row, rows, column, columns, stride;  // in the matrix (W and V); row is the symbol (U)
};

// Calls visit(tile) for every tile whose gradient may differ from zero: of U only the rows that were read.
template <class Cell, class Visit> void each_tile(const Window<Cell>& window, Visit visit) {
    const Layout<Cell>& at = window.at;
    const auto strips = [&](Tile::Of of, Size offset, const auto& shape) {
        shape.each_strip([&](Size i, Size n, Size j, Size columns, Size place, Size stride) {
            visit(Tile{of, offset + place, n * stride, i, n, j, columns, stride});
        });
    };
    strips(Tile::W, at.W, at.w);
    strips(Tile::V, at.V, at.v);
    visit(Tile{Tile::b, at.b, at.ldg, 0, 1, 0, at.GH, at.ldg});
    visit(Tile{Tile::c, at.c, at.ldk, 0, 1, 0, at.K, at.ldk});
    for (Size t = 0; t < window.T; ++t) {
        const Size symbol = window.x[t];
        if (window.first[symbol] == t)
            visit(Tile{Tile::U, at.U + symbol * at.ldg, at.ldg, symbol, 1, 0, at.GH, at.ldg});
    }
}

// g (rows, columns) = (d[:, column:column+columns].T @ h[:, row:row+rows]).T, for the narrow vector that ends
// a row: turned, its product is one of whole vectors.
template <class Real>
void narrow_gradient(Real* g, const Tile& tile, const Real* h, Size ldh, const Real* d, Size ldd, Size T) {
    constexpr int N = Lanes<Real>, n = Quarter<Real>;
    const Size rows = round_up<Real>(tile.rows);
    alignas(64) Real wide[StripSize<Real>], tall[StripSize<Real>];  // (columns, rows) (rows, columns)
    multiply<Real, true>(wide, rows, nullptr, d + tile.column, ldd, h + tile.row, ldh, tile.columns, T,
                         rows / N);
    for (Size j = 0; j < tile.columns; j += n)
        for (Size i = 0; i < rows; i += n)
            transpose_block<Real, n>(tall + i * tile.columns + j, tile.columns, wide + j * rows + i, rows);
    std::copy_n(tall, tile.count, g);
}

// g (rows, columns) = h[:, row:row+rows].T @ d[:, column:column+columns]
template <class Real>
void strip_gradient(Real* g, const Tile& tile, const Real* h, Size ldh, const Real* d, Size ldd, Size T) {
    if (tile.columns % Lanes<Real> == 0)
        multiply<Real, true>(g, tile.stride, nullptr, h + tile.row, ldh, d + tile.column, ldd, tile.rows, T,
                             tile.columns / Lanes<Real>);
    else
        narrow_gradient(g, tile, h, ldh, d, ldd, T);
    std::fill(g + tile.count, g + round_up<Real>(tile.count),
              Real(0));  // so that whole vectors can be applied
}

// g = d.sum(0) for C vectors of columns, over the times that `next` links (all of them when it is null)
template <class Real, int C>
HORNBOOK_INLINE void sum_columns(Real* g, const Real* d, Size ld, Size T, Size first, const int32_t* next) {
    Vec<Real> sum[C] = {};
    for (Size t = first; t >= 0 && t < T; t = next ? next[t] : t + 1) {
        HORNBOOK_UNROLL
        for (int c = 0; c < C; ++c) sum[c] += load(d + t * ld + c * Lanes<Real>);
    }
    HORNBOOK_UNROLL
    for (int c = 0; c < C; ++c) store(g + c * Lanes<Real>, sum[c]);
}

template <class Real>
void sum_over_time(Real* g, const Real* d, Size ld, Size T, Size first, const int32_t* next) {
    Size i = 0;
    for (; i + 4 * Lanes<Real> <= ld; i += 4 * Lanes<Real>)
        sum_columns<Real, 4>(g + i, d + i, ld, T, first, next);
    for (; i < ld; i += Lanes<Real>) sum_columns<Real, 1>(g + i, d + i, ld, T, first, next);
}

template <class Cell> void gradient_of(typename Cell::Real* g, const Tile& tile, const Window<Cell>& window) {
    using Real = typename Cell::Real;
    const Layout<Cell>& at = window.at;
    const Real *h = window.h, *da = window.da, *d_o = window.d_o;
    switch (tile.of) {
    case Tile::W: return strip_gradient<Real>(g, tile, h, at.ldh, da, at.ldg, window.T);  // dW = h[:T].T @ da
    case Tile::V:
        return strip_gradient<Real>(g, tile, h + at.ldh, at.ldh, d_o, at.ldk,
                                    window.T);                                       // dV = h[1:].T @ d_o
    case Tile::b: return sum_over_time<Real>(g, da, at.ldg, window.T, 0, nullptr);   // db = da.sum(0)
    case Tile::c: return sum_over_time<Real>(g, d_o, at.ldk, window.T, 0, nullptr);  // dc = d_o.sum(0)
    case Tile::U:
        return sum_over_time<Real>(g, da, at.ldg, window.T, window.first[tile.row],
                                   window.next);  // dU[x[t]] += da[t]
    }
}

// The transposed copies follow the weights of a tile.
template <class Cell> void turn_tile(Weights<Cell>& weights, const Tile& tile) {
    using Real = typename Cell::Real;
    const Layout<Cell>& at = weights.at;
    if (tile.of != Tile::W && tile.of != Tile::V) return;
    const bool w = tile.of == Tile::W;
    transpose_strip<Real>(weights.turned + (w ? at.Wt : at.Vt), w ? at.w_turned : at.v_turned,
                          weights.block + tile.offset, tile.row, tile.rows, tile.column, tile.columns,
                          tile.stride);
}

}  // namespace HORNBOOK_LEVEL
}  // namespace hornbook

// The tiles of a product: what is computed in registers through the whole depth. Each file of products
// compiles its own, and they are its own alone: one may be for instructions that the others must not use.
//
//   Real  what is summed     In  what is multiplied: Real itself, or a Pair of bfloat16 numbers
//   depth  the length of the sums, counted in In
#pragma once

#include "products.hpp"

namespace hornbook {
inline namespace HORNBOOK_LEVEL {

namespace {

// Rows of accumulators that fit beside C vectors of the panel and a broadcast; more than eight gain nothing.
constexpr int rows_of_tile(int C) { return std::min(8, (Registers - 1 - C) / C); }

// out (R, C·Lanes) = start + a @ panel
template <class Real, class In, int R, int C>
void tile(Target<Real> out, Operand<In> a, const In* __restrict panel, Size depth) {
    constexpr int N = Lanes<Real>;
    Vec<Real> sum[R][C];
    HORNBOOK_UNROLL
    for (int r = 0; r < R; ++r) {
        HORNBOOK_UNROLL
        for (int c = 0; c < C; ++c)
            sum[r][c] = out.start ? load(out.start + r * out.start_row + c * N) : Vec<Real>{};
    }
    const In* __restrict at = a.at;
    for (Size k = 0; k < depth; ++k, panel += C * N, at += a.step) {
        Vec<In> row[C];
        HORNBOOK_UNROLL
        for (int c = 0; c < C; ++c) row[c] = load(panel + c * N);
        HORNBOOK_UNROLL
        for (int r = 0; r < R; ++r) {
            const Vec<In> x = broadcast(at[r * a.row]);
            HORNBOOK_UNROLL
            for (int c = 0; c < C; ++c) sum[r][c] = fma(x, row[c], sum[r][c]);
        }
    }
    HORNBOOK_UNROLL
    for (int r = 0; r < R; ++r) {
        HORNBOOK_UNROLL
        for (int c = 0; c < C; ++c) store(out.at + r * out.row + c * N, sum[r][c]);
    }
}

template <class Real, class In> using Tile = void (*)(Target<Real>, Operand<In>, const In*, Size);

template <class Real, class In, int C, int... R>
Tile<Real, In> pick(Size rows, std::integer_sequence<int, R...>) {
    constexpr Tile<Real, In> table[] = {tile<Real, In, R + 1, C>...};
    return table[rows - 1];
}

template <class Real, class In, int C>
void tiles(Target<Real> out, Operand<In> a, const In* panel, Size rows, Size depth) {
    constexpr int most = rows_of_tile(C);
    const Division blocks(rows, most);
    for (Size i = 0; i < blocks.parts; ++i) {
        const Size n = blocks.width(i);
        pick<Real, In, C>(n, std::make_integer_sequence<int, most>{})(out, a, panel, depth);
        out = out.shifted(n, 0);
        a.at += n * a.row;
    }
}

// A single row: two panels of C and D vectors at once, for a fused multiply-add takes four cycles and a panel
// alone would wait for it. D = 0: one wide panel, or the last one.
template <class Real, class In, int C, int D>
void row_of_two(Target<Real> out, Operand<In> a, const In* __restrict panel, const In* __restrict next,
                Size depth) {
    constexpr int N = Lanes<Real>;
    Vec<Real> sum[C + D];
    HORNBOOK_UNROLL
    for (int c = 0; c < C + D; ++c) sum[c] = out.start ? load(out.start + c * N) : Vec<Real>{};
    const In* __restrict at = a.at;
    for (Size k = 0; k < depth; ++k, panel += C * N, next += D * N, at += a.step) {
        const Vec<In> x = broadcast(*at);
        HORNBOOK_UNROLL
        for (int c = 0; c < C; ++c) sum[c] = fma(x, load(panel + c * N), sum[c]);
        HORNBOOK_UNROLL
        for (int c = 0; c < D; ++c) sum[C + c] = fma(x, load(next + c * N), sum[C + c]);
    }
    HORNBOOK_UNROLL
    for (int c = 0; c < C + D; ++c) store(out.at + c * N, sum[c]);
}

template <class Real, class In> using Row = void (*)(Target<Real>, Operand<In>, const In*, const In*, Size);

template <class Real, class In, int... C>
Row<Real, In> pick_row(Size width, Size next, std::integer_sequence<int, C...>) {
    static constexpr Row<Real, In>
        alone[] = {row_of_two<Real, In, C + 1, 0>...},
        even[] = {row_of_two<Real, In, std::min(C + 1, TileVectors), std::min(C + 1, TileVectors)>...},
        odd[] = {row_of_two<Real, In, std::min(C + 1, TileVectors), std::min(C, TileVectors - 1)>...};
    return (next == 0 ? alone : next == width ? even : odd)[width - 1];
}

template <class Real, class In>
void multiply_panel(Target<Real> out, Operand<In> a, const In* panel, Size width, Size rows, Size depth) {
    if constexpr (TileVectors > 2) {
        if (width == 4) return tiles<Real, In, 4>(out, a, panel, rows, depth);
        if (width == 3) return tiles<Real, In, 3>(out, a, panel, rows, depth);
    }
    return width == 2 ? tiles<Real, In, 2>(out, a, panel, rows, depth)
                      : tiles<Real, In, 1>(out, a, panel, rows, depth);
}

// out = start + a @ w for the panels first ... last - 1; panel(p) is where one begins
template <class Real, class In, class Panel>
void multiply_panels(Target<Real> out, Operand<In> a, const Division& in, Panel panel, Size first, Size last,
                     Size rows, Size depth) {
    for (Size p = first; p < last; ++p) {
        const Target<Real> to = out.shifted(0, in.first(p) * Lanes<Real>);
        if (rows == 1) {
            const bool two = p + 1 < last && in.width(p) <= TileVectors;
            pick_row<Real, In>(in.width(p), two ? in.width(p + 1) : 0,
                               std::make_integer_sequence<int, RowVectors>{})(to, a, panel(p), panel(p + two),
                                                                              depth);
            p += two;
        } else {
            multiply_panel<Real, In>(to, a, panel(p), in.width(p), rows, depth);
        }
    }
}

}  // namespace

}  // namespace HORNBOOK_LEVEL
}  // namespace hornbook

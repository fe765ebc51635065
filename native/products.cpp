// The tiles of products.hpp, compiled once a dtype.
#include "products.hpp"

namespace hornbook {
inline namespace HORNBOOK_LEVEL {

namespace {

// Rows of accumulators that fit beside C vectors of the panel and a broadcast; more than eight gain nothing.
constexpr int rows_of_tile(int C) { return std::min(8, (Registers - 1 - C) / C); }

// out (R, C·Lanes) = start + a @ panel
template <class Real, int R, int C>
void tile(Target<Real> out, Operand<Real> a, const Real* __restrict panel, Size depth) {
    constexpr int N = Lanes<Real>;
    Vec<Real> sum[R][C];
    HORNBOOK_UNROLL
    for (int r = 0; r < R; ++r) {
        HORNBOOK_UNROLL
        for (int c = 0; c < C; ++c)
            sum[r][c] = out.start ? load(out.start + r * out.start_row + c * N) : Vec<Real>{};
    }
    const Real* __restrict at = a.at;
    for (Size k = 0; k < depth; ++k, panel += C * N, at += a.step) {
        Vec<Real> row[C];
        HORNBOOK_UNROLL
        for (int c = 0; c < C; ++c) row[c] = load(panel + c * N);
        HORNBOOK_UNROLL
        for (int r = 0; r < R; ++r) {
            const Vec<Real> x = broadcast(at[r * a.row]);
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

template <class Real> using Tile = void (*)(Target<Real>, Operand<Real>, const Real*, Size);

template <class Real, int C, int... R> Tile<Real> pick(Size rows, std::integer_sequence<int, R...>) {
    constexpr Tile<Real> table[] = {tile<Real, R + 1, C>...};
    return table[rows - 1];
}

template <class Real, int C>
void tiles(Target<Real> out, Operand<Real> a, const Real* panel, Size rows, Size depth) {
    constexpr int most = rows_of_tile(C);
    const Size parts = (rows + most - 1) / most;
    for (Size i = 0; i < parts; ++i) {
        const Size r = share(rows, parts, i), n = share(rows, parts, i + 1) - r;
        pick<Real, C>(n, std::make_integer_sequence<int, most>{})(
            out.shifted(r, 0), {a.at + r * a.row, a.row, a.step}, panel, depth);
    }
}

// A single row: two panels at once, for a fused multiply-add takes four cycles and a panel alone would wait
// for it.
template <class Real, int C, int D>
void row_of_two(Target<Real> out, Operand<Real> a, const Real* __restrict panel, const Real* __restrict next,
                Size depth) {
    constexpr int N = Lanes<Real>;
    Vec<Real> sum[C + D];
    HORNBOOK_UNROLL
    for (int c = 0; c < C + D; ++c) sum[c] = out.start ? load(out.start + c * N) : Vec<Real>{};
    const Real* __restrict at = a.at;
    for (Size k = 0; k < depth; ++k, panel += C * N, next += D * N, at += a.step) {
        const Vec<Real> x = broadcast(*at);
        HORNBOOK_UNROLL
        for (int c = 0; c < C; ++c) sum[c] = fma(x, load(panel + c * N), sum[c]);
        HORNBOOK_UNROLL
        for (int c = 0; c < D; ++c) sum[C + c] = fma(x, load(next + c * N), sum[C + c]);
    }
    HORNBOOK_UNROLL
    for (int c = 0; c < C + D; ++c) store(out.at + c * N, sum[c]);
}

template <class Real> using Row = void (*)(Target<Real>, Operand<Real>, const Real*, const Real*, Size);

template <class Real, int C> Row<Real> pick_row(Size next) {
    return next == C ? row_of_two<Real, C, C> : row_of_two<Real, C, C - 1>;
}

template <class Real> Row<Real> pick_row(Size width, Size next) {
    if constexpr (TileVectors > 2) {
        if (width == 4) return pick_row<Real, 4>(next);
        if (width == 3) return pick_row<Real, 3>(next);
    }
    return width == 2 ? pick_row<Real, 2>(next) : pick_row<Real, 1>(next);
}

// Copies `depth` rows of W vectors each.
template <class Real, int W>
void copy_panel(Real* __restrict panel, const Real* __restrict from, Size row, Size depth) {
    for (Size k = 0; k < depth; ++k) {
        HORNBOOK_UNROLL
        for (int c = 0; c < W; ++c)
            store(panel + (k * W + c) * Lanes<Real>, load(from + k * row + c * Lanes<Real>));
    }
}

template <class Real> void copy_panel(Real* panel, const Real* from, Size row, Size depth, Size width) {
    if constexpr (TileVectors > 2) {
        if (width == 4) return copy_panel<Real, 4>(panel, from, row, depth);
        if (width == 3) return copy_panel<Real, 3>(panel, from, row, depth);
    }
    return width == 2 ? copy_panel<Real, 2>(panel, from, row, depth)
                      : copy_panel<Real, 1>(panel, from, row, depth);
}

}  // namespace

template <class Real> void Packed<Real>::pack(Size p, const Real* from, Size row) {
    copy_panel(panel(p), from + in.first(p) * Lanes<Real>, row, depth, in.width(p));
}

template <class Real> void Packed<Real>::pack_turned(Size p, const Real* from, Size row) {
    constexpr int N = Lanes<Real>;
    const Size width = in.width(p) * N;
    from += in.first(p) * N * row;
    for (Size j = 0; j < width; j += N)
        for (Size k = 0; k < depth; k += N)
            transpose_block<Real, N>(panel(p) + k * width + j, width, from + j * row + k, row);
}

template <class Real>
void multiply_panel(Target<Real> out, Operand<Real> a, const Real* panel, Size width, Size rows, Size depth) {
    if constexpr (TileVectors > 2) {
        if (width == 4) return tiles<Real, 4>(out, a, panel, rows, depth);
        if (width == 3) return tiles<Real, 3>(out, a, panel, rows, depth);
    }
    return width == 2 ? tiles<Real, 2>(out, a, panel, rows, depth)
                      : tiles<Real, 1>(out, a, panel, rows, depth);
}

template <class Real>
void multiply(Target<Real> out, Operand<Real> a, const Packed<Real>& w, Size first, Size last, Size rows,
              Size depth) {
    for (Size p = first; p < last; ++p) {
        const Target<Real> to = out.shifted(0, w.in.first(p) * Lanes<Real>);
        if (rows == 1 && p + 1 < last) {
            pick_row<Real>(w.in.width(p), w.in.width(p + 1))(to, a, w.panel(p), w.panel(p + 1), depth);
            ++p;
        } else {
            multiply_panel(to, a, w.panel(p), w.in.width(p), rows, depth);
        }
    }
}

template <class Real>
void multiply_turned(Target<Real> g, const Real* a, Size a_row, const Real* d, Size d_row, Size rows,
                     Size columns, Size depth, Real* room) {
    const Division in(columns / Lanes<Real>);
    for (Size k = 0; k < depth; k += DepthMost) {
        const Size some = std::min(DepthMost, depth - k);
        for (Size p = 0; p < in.panels; ++p) {
            const Size column = in.first(p) * Lanes<Real>;
            copy_panel(room, d + k * d_row + column, d_row, some, in.width(p));
            multiply_panel<Real>(g.shifted(0, column), {a + k * a_row, 1, a_row}, room, in.width(p), rows,
                                 some);
        }
        g = Target<Real>::onto(g.at, g.row);
    }
}

#define HORNBOOK_PRODUCTS(Real)                                                                              \
    template struct Packed<Real>;                                                                            \
    template void multiply_panel<Real>(Target<Real>, Operand<Real>, const Real*, Size, Size, Size);          \
    template void multiply<Real>(Target<Real>, Operand<Real>, const Packed<Real>&, Size, Size, Size, Size);  \
    template void multiply_turned<Real>(Target<Real>, const Real*, Size, const Real*, Size, Size, Size,      \
                                        Size, Real*);
HORNBOOK_PRODUCTS(float)
HORNBOOK_PRODUCTS(double)
#undef HORNBOOK_PRODUCTS

}  // namespace HORNBOOK_LEVEL
}  // namespace hornbook

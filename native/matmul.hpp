// The three products a recurrent network is made of, all as sums of rows of a right-hand matrix held in
// panels.
//
//   R  rows of a block    C  vectors of a block (R x C accumulators stay in registers)
//   N  lanes of a vector     depth  the length of the sums     ld*  distance between two rows of a matrix
//
// `multiply` serves out = bias + a @ b (output layer, gradient of h) and out = a.T @ b (gradients of W and V:
// the sum runs over time); `each_product` serves x @ w for a single x: the recurrence. The order of every sum
// is fixed by the sizes alone.
#pragma once

#include "panels.hpp"

namespace hornbook {
inline namespace HORNBOOK_LEVEL {

inline constexpr int BlockVectors = Registers == 32 ? 4 : 2;

// Rows of accumulators that fit beside C vectors of b and a broadcast.
constexpr int rows_for(int C) { return std::min(BlockRows, (Registers - 1 - C) / C); }

// out (R, C·N) = bias + a @ b            (Turned: a.T @ b)
//
// Element (r, k) of a stands at a[r·lda + k], or at a[k·lda + r] when Turned.
template <class Real, int R, int C, int N, bool Turned>
void block(Real* __restrict out, Size ldo, const Real* __restrict bias,  // (R, C·N)  (C·N,) or null
           const Real* __restrict a, Size lda, const Real* __restrict b, Size ldb, Size depth) {
    using V = Vec<Real, N>;
    V sum[R][C];
    HORNBOOK_UNROLL
    for (int c = 0; c < C; ++c) {
        const V start = bias ? load<Real, N>(bias + c * N) : V{};
        HORNBOOK_UNROLL
        for (int r = 0; r < R; ++r) sum[r][c] = start;
    }
    for (Size k = 0; k < depth; ++k, b += ldb) {
        V row[C];
        HORNBOOK_UNROLL
        for (int c = 0; c < C; ++c) row[c] = load<Real, N>(b + c * N);
        HORNBOOK_UNROLL
        for (int r = 0; r < R; ++r) {
            const V x = broadcast<Real, N>(Turned ? a[k * lda + r] : a[r * lda + k]);
            HORNBOOK_UNROLL
            for (int c = 0; c < C; ++c) sum[r][c] = fma(x, row[c], sum[r][c]);
        }
    }
    HORNBOOK_UNROLL
    for (int r = 0; r < R; ++r) {
        HORNBOOK_UNROLL
        for (int c = 0; c < C; ++c) store(out + r * ldo + c * N, sum[r][c]);
    }
}

template <class Real>
using Block = void (*)(Real*, Size, const Real*, const Real*, Size, const Real*, Size, Size);

// The blocks of 1, 2 ... rows that are C vectors wide.
template <class Real, int C, int N, bool Turned> struct Blocks {
    static constexpr int most = rows_for(C);
    static Block<Real> of(Size rows) { return pick(rows, std::make_integer_sequence<int, most>{}); }

  private:
    template <int... R> static Block<Real> pick(Size rows, std::integer_sequence<int, R...>) {
        static constexpr Block<Real> table[] = {block<Real, R + 1, C, N, Turned>...};
        return table[rows - 1];
    }
};

// All rows of a column of blocks: b's C vectors stay in the nearest cache meanwhile.
template <class Real, int C, int N, bool Turned>
void blocks(Real* out, Size ldo, const Real* bias, const Real* a, Size lda, const Real* b, Size ldb,
            Size rows, Size depth) {
    using Of = Blocks<Real, C, N, Turned>;
    const Division in(rows, Of::most);
    for (Size i = 0; i < in.parts; ++i) {
        const Size n = in.width(i);
        Of::of(n)(out, ldo, bias, a, lda, b, ldb, depth);
        out += n * ldo;
        a += n * (Turned ? 1 : lda);
    }
}

template <class Real, int N, bool Turned> auto blocks_of(Size vectors) {
    if (vectors == 1) return blocks<Real, 1, N, Turned>;
    if (vectors == 2) return blocks<Real, 2, N, Turned>;
    if (vectors == 3) return blocks<Real, std::min(3, BlockVectors), N, Turned>;
    return blocks<Real, BlockVectors, N, Turned>;
}

// out (rows, vectors·Lanes) = bias + a @ b, for whole vectors of columns divided evenly into blocks.
template <class Real, bool Turned>
void multiply(Real* out, Size ldo, const Real* bias, const Real* a, Size lda, const Real* b, Size ldb,
              Size rows, Size depth, Size vectors) {
    constexpr int N = Lanes<Real>;
    const Division in(vectors, BlockVectors);
    for (Size i = 0; i < in.parts; ++i) {
        const Size c = in.first(i) * N;
        const auto run = blocks_of<Real, N, Turned>(in.width(i));
        run(out + c, ldo, bias ? bias + c : nullptr, a, lda, b + c, ldb, rows, depth);
    }
}

// out (rows, lanes) = bias + a @ b for the narrow vector that ends a row.
template <class Real, bool Turned>
void multiply_tail(Real* out, Size ldo, const Real* bias, const Real* a, Size lda, const Real* b, Size ldb,
                   Size rows, Size depth, Size lanes) {
    const auto run =
        lanes == Half<Real> ? blocks<Real, 1, Half<Real>, Turned> : blocks<Real, 1, Quarter<Real>, Turned>;
    run(out, ldo, bias, a, lda, b, ldb, rows, depth);
}

// out (rows, w.columns) = bias + a @ w
template <class Real>
void multiply(Real* out, Size ldo, const Real* bias, const Real* a, Size lda, const Real* w,
              const Panels<Real>& shape, Size rows) {
    for (Size p = 0; p < shape.panels; ++p) {
        const Size j = shape.first(p) * Lanes<Real>;
        multiply<Real, false>(out + j, ldo, bias ? bias + j : nullptr, a, lda, w + shape.offset(p),
                              shape.width(p), rows, shape.rows, shape.vectors(p));
    }
    const Size j = shape.tail_column();
    if (shape.tail > 0)
        multiply_tail<Real, false>(out + j, ldo, bias ? bias + j : nullptr, a, lda, w + shape.tail_offset(),
                                   shape.tail, rows, shape.rows, shape.tail);
}

// finish(j, sum) for every vector of x @ w in one panel, whose first column is j, and, beside it, for the
// narrow tail (N lanes; N = 0: none)
//
// The loop is short of loads: a group of x is loaded at once, and the tails of its rows, which lie one after
// the other, are taken as whole vectors. Even and odd rows have their own accumulators: a fused multiply-add
// takes four cycles, and a narrow panel alone would wait for it.
template <class Real, int C, int N, class Finish>
void rows_of_panel(Size j, const Real* x, const Real* w, const Real* tail, Size depth, bool upward,
                   const Finish& finish) {
    constexpr int lanes = Lanes<Real>, G = Group<Real>, n_ = N > 0 ? N : lanes;
    constexpr std::make_integer_sequence<int, G> rows{};
    constexpr std::make_integer_sequence<int, G * N / lanes> tails{};
    Vec<Real> sum[2][C > 0 ? C : 1] = {}, beside[N > 0 ? G * N / lanes : 1] = {};
    Vec<Real, n_> end{};
    const auto add = [&](Size k, int odd, Vec<Real> xk) __attribute__((always_inline)) {
        HORNBOOK_UNROLL
        for (int c = 0; c < C; ++c) sum[odd][c] = fma(xk, load<Real>(w + (k * C + c) * lanes), sum[odd][c]);
    };
    const Size whole = depth / G * G;
    const auto add_group = [&](Size k) __attribute__((always_inline)) {
        const Vec<Real> xs = repeat<Real>(x + k);
        each(rows, [&](auto r) __attribute__((always_inline)) {
            add(k + r, r % 2, spread<Real, lanes, r * lanes>(xs));
        });
        each(tails, [&](auto v) __attribute__((always_inline)) {
            beside[v] = fma(spread<Real, n_, v * lanes>(xs), load<Real>(tail + k * N + v * lanes), beside[v]);
        });
    };
    const auto add_rest = [&] {
        for (Size k = whole; k < depth; ++k) {
            const Vec<Real> xk = broadcast<Real>(x[k]);
            add(k, 0, xk);
            if (N > 0) end = fma(narrow<Real, n_, lanes>(xk), load<Real, n_>(tail + k * N), end);
        }
    };
    if (upward) add_rest();
    for (Size k = 0; k < whole; k += G) add_group(upward ? whole - G - k : k);
    if (!upward) add_rest();
    HORNBOOK_UNROLL
    for (int c = 0; c < C; ++c) finish(j + c * lanes, sum[0][c] + sum[1][c]);
    each(tails, [&](auto v) { end += fold<Real, n_, lanes>(beside[v]); });
    if constexpr (N > 0) finish(j + C * lanes, end);
}

template <class Real, int N, class Finish, int... C>
void rows_of_panel(Size vectors, std::integer_sequence<int, C...>, Size j, const Real* x, const Real* w,
                   const Real* tail, Size depth, bool upward, const Finish& finish) {
    using Rows = void (*)(Size, const Real*, const Real*, const Real*, Size, bool, const Finish&);
    static constexpr Rows table[] = {rows_of_panel<Real, C, N, Finish>...};
    table[vectors](j, x, w, tail, depth, upward, finish);
}

// finish(j, (x @ w)[j : j + lanes of the vector]) for all columns, a vector at a time: what becomes of one
// panel is computed while the next is read.
//
// A weight matrix is read once a time step. Reading it alternately from its first panel's last row on and
// from its last panel's first row on finds in L1 what the step before left there, and asks last for those
// numbers of x which the step before finished last.
template <class Real, class Finish>
void each_product(const Real* x, const Real* w, const Panels<Real>& shape, bool from_last,
                  const Finish& finish) {
    constexpr std::make_integer_sequence<int, PanelVectors + 1> widths{};
    // Where registers are few, the tail's accumulators do not fit beside those of a panel: it is one by
    // itself.
    const bool apart = shape.tail > 0 && (Registers == 16 || shape.panels == 0);
    const Size panels = shape.panels + apart;
    for (Size i = 0; i < panels; ++i) {
        const Size p = from_last ? panels - 1 - i : i, vectors = p < shape.panels ? shape.vectors(p) : 0;
        const Size j = shape.first(p) * Lanes<Real>, lanes = p == panels - 1 ? shape.tail : 0;
        const Real *panel = w + j * shape.rows, *tail = w + shape.tail_offset();
        if (lanes == 0)
            rows_of_panel<Real, 0>(vectors, widths, j, x, panel, tail, shape.rows, !from_last, finish);
        else if (lanes == Half<Real>)
            rows_of_panel<Real, Half<Real>>(vectors, widths, j, x, panel, tail, shape.rows, !from_last,
                                            finish);
        else
            rows_of_panel<Real, Quarter<Real>>(vectors, widths, j, x, panel, tail, shape.rows, !from_last,
                                               finish);
    }
}

}  // namespace HORNBOOK_LEVEL
}  // namespace hornbook

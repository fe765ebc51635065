// The products over all times at once, as sums of rows of a right-hand matrix held in panels.
//
//   R  rows of a block    C  vectors of a block (R x C accumulators stay in registers)
//   N  lanes of a vector     depth  the length of the sums     ld*  distance between two rows of a matrix
//
// out = bias + a @ b serves the output layer and the gradient of h, out = a.T @ b the gradients of W and V,
// where the sum runs over time. The order of every sum is fixed by the sizes alone. What is recurrent is in
// row_products.hpp.
#pragma once

#include "panels.hpp"

namespace hornbook {
inline namespace HORNBOOK_LEVEL {

inline constexpr int BlockVectors = Registers == 32 ? 4 : 2;

// Rows of accumulators that fit beside C vectors of b and a broadcast. Where a block is one vector wide, only
// many rows keep the multipliers busy: as many as fit 16 registers.
constexpr int rows_for(int C) { return C == 1 ? 16 - 2 : std::min(BlockRows, (Registers - 1 - C) / C); }

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

}  // namespace HORNBOOK_LEVEL
}  // namespace hornbook

// Mixed products by vectors, and the packing of all mixed ones, compiled for the instruction that multiplies
// pairs (AVX512-BF16).
#include "rounding.hpp"

#if defined(__AVX512BF16__)
namespace hornbook {
inline namespace HORNBOOK_LEVEL {

namespace {

// sum + a[2i] * b[2i] + a[2i + 1] * b[2i + 1] in lane i
HORNBOOK_INLINE Vec<float> fma(Vec<Pair> a, Vec<Pair> b, Vec<float> sum) {
    return (Vec<float>)_mm512_dpbf16_ps((__m512)sum, (__m512bh)a, (__m512bh)b);
}

}  // namespace

}  // namespace HORNBOOK_LEVEL
}  // namespace hornbook

#include "tiles.hpp"

namespace hornbook {
inline namespace HORNBOOK_LEVEL {

void pack_pairs(Packed<float>& w, Size p, const float* from, Size row) {
    const Size width = w.in.width(p) * Lanes<float>;
    pair_rows(w.pairs + w.offset(p), width, from + w.in.first(p) * Lanes<float>, row, w.depth, width);
}

void pack_pairs_turned(Packed<float>& w, Size p, const float* from, Size row) {
    constexpr Size N = Lanes<float>;
    const Size width = w.in.width(p) * N;
    from += w.in.first(p) * N * row;
    for (Size j = 0; j < width; j += N)
        for (Size k = 0; k < w.depth; k += 2 * N) {
            Vec<float> rows[N];  // pairs under another name: they are only moved
            HORNBOOK_UNROLL
            for (Size i = 0; i < N; ++i) rows[i] = (Vec<float>)rounded(from + (j + i) * row + k);
            transpose<float>(rows);
            Pair* out = w.pairs + w.offset(p) + k / 2 * width + j;
            for (Size i = 0; i < std::min(N, (w.depth - k) / 2); ++i) store(out + i * width, rows[i]);
        }
}

void multiply_pairs(Target<float> out, const float* a, Size a_row, const Packed<float>& w, Size first,
                    Size last, Size rows, Size depth, Pair* room) {
    if (first == 0) round_rows(room, a, a_row, rows, depth);
    multiply_panels<float, Pair>(
        out, {room, pairs_row(depth), 1}, w.in, [&](Size p) { return w.pairs + w.offset(p); }, first, last,
        rows, (depth + 1) / 2);
}

void multiply_pairs_turned(Target<float> g, const float* a, Size a_row, const float* d, Size d_row, Size rows,
                           Size columns, Size depth, TurnedRoom<float>& room) {
    constexpr Size N = Lanes<float>;
    const Division in(columns / N, TileVectors);
    const Size wide = round_up<float>(rows);
    for (Size k = 0; k < depth; k += DepthMost) {
        const Size some = std::min(DepthMost, depth - k), pairs = (some + 1) / 2;
        pair_rows(room.pairs, wide, a + k * a_row, a_row, some, wide);
        for (Size p = 0; p < in.parts; ++p) {
            const Size column = in.first(p) * N, width = in.width(p) * N;
            pair_rows(room.pairs_panel, width, d + k * d_row + column, d_row, some, width);
            multiply_panel<float, Pair>(g.shifted(0, column), {room.pairs, 1, wide}, room.pairs_panel,
                                        in.width(p), rows, pairs);
        }
        g = Target<float>::onto(g.at, g.row);
    }
}

}  // namespace HORNBOOK_LEVEL
}  // namespace hornbook
#endif

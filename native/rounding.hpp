// Numbers rounded to pairs of bfloat16. As tiles.hpp, each file of products that includes it compiles its
// own.
#pragma once

#include "products.hpp"

namespace hornbook {
inline namespace HORNBOOK_LEVEL {

namespace {

// 32 numbers as 16 pairs of neighbours.
HORNBOOK_INLINE Vec<Pair> rounded(const float* from) {
    return (Vec<Pair>)_mm512_cvtne2ps_pbh((__m512)load(from + 16), (__m512)load(from));
}

// As many numbers as are left of 32, and zeros.
HORNBOOK_INLINE Vec<Pair> rounded(const float* from, Size left) {
    const uint32_t mask = left < 32 ? (uint32_t(1) << left) - 1 : ~uint32_t(0);
    return (Vec<Pair>)_mm512_cvtne2ps_pbh(_mm512_maskz_loadu_ps(__mmask16(mask >> 16), from + 16),
                                          _mm512_maskz_loadu_ps(__mmask16(mask), from));
}

// The numbers of two rows as pairs: lane i holds first[i] and second[i].
HORNBOOK_INLINE Vec<Pair> rounded(Vec<float> first, Vec<float> second) {
    using Halves = VectorOf<uint16_t, 32>::type;
    const Halves both = (Halves)_mm512_cvtne2ps_pbh((__m512)second, (__m512)first);
    return (Vec<Pair>)__builtin_shufflevector(both, both, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7,
                                              23, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15,
                                              31);
}

// out (rows, pairs_row(depth)) = a, rounded; zeros fill up the last stretch of a row.
void round_rows(Pair* out, const float* a, Size a_row, Size rows, Size depth) {
    for (Size r = 0; r < rows; ++r, a += a_row, out += pairs_row(depth)) {
        Size k = 0;
        for (; k + 32 <= depth; k += 32) store(out + k / 2, rounded(a + k));
        if (k < depth) store(out + k / 2, rounded(a + k, depth - k));
    }
}

// out (depth / 2, columns) = pairs of rows of a; a row without a second is paired with zero
void pair_rows(Pair* out, Size out_row, const float* a, Size a_row, Size depth, Size columns) {
    for (Size k = 0; k < depth; k += 2, a += 2 * a_row, out += out_row)
        for (Size j = 0; j < columns; j += 16)
            store(out + j, rounded(load(a + j), k + 1 < depth ? load(a + a_row + j) : Vec<float>{}));
}

}  // namespace

}  // namespace HORNBOOK_LEVEL
}  // namespace hornbook

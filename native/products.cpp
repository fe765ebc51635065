// The products of products.hpp, compiled once a dtype.
#include "tiles.hpp"

namespace hornbook {
inline namespace HORNBOOK_LEVEL {

namespace {

// Copies `depth` rows of W vectors each.
template <class Real, int W>
void copy_panel(Real* __restrict panel, const Real* __restrict from, Size row, Size depth) {
    for (Size k = 0; k < depth; ++k) {
        HORNBOOK_UNROLL
        for (int c = 0; c < W; ++c)
            store(panel + (k * W + c) * Lanes<Real>, load(from + k * row + c * Lanes<Real>));
    }
}

template <class Real, int... W>
void copy_panel(Real* panel, const Real* from, Size row, Size depth, Size width,
                std::integer_sequence<int, W...>) {
    using Copy = void (*)(Real*, const Real*, Size, Size);
    static constexpr Copy table[] = {copy_panel<Real, W + 1>...};
    table[width - 1](panel, from, row, depth);
}

template <class Real> void copy_panel(Real* panel, const Real* from, Size row, Size depth, Size width) {
    copy_panel(panel, from, row, depth, width, std::make_integer_sequence<int, RowVectors>{});
}

}  // namespace

template <class Real> void Packed<Real>::pack(Size p, const Real* from, Size row) {
    if constexpr (Mixable<Real>) {
        if (mixed) return pack_pairs(*this, p, from, row);
    }
    copy_panel(panels + offset(p), from + in.first(p) * Lanes<Real>, row, depth, in.width(p));
}

template <class Real> void Packed<Real>::pack_turned(Size p, const Real* from, Size row) {
    if constexpr (Mixable<Real>) {
        if (mixed) return pack_pairs_turned(*this, p, from, row);
    }
    constexpr int N = Lanes<Real>;
    const Size width = in.width(p) * N;
    from += in.first(p) * N * row;
    for (Size j = 0; j < width; j += N)
        for (Size k = 0; k < depth; k += N)
            transpose_block<Real, N>(panels + offset(p) + k * width + j, width, from + j * row + k, row);
}

template <class Real>
void multiply(Target<Real> out, const Real* a, Size a_row, const Packed<Real>& w, Size first, Size last,
              Size rows, Size depth, [[maybe_unused]] Pair* room) {
    if constexpr (Mixable<Real>) {
        if constexpr (Tileable) {
            if (w.mixed.by_tiles) return multiply_by_tiles(out, a, a_row, w, first, last, rows, depth, room);
        }
        if (w.mixed) return multiply_pairs(out, a, a_row, w, first, last, rows, depth, room);
    }
    multiply_panels<Real, Real>(
        out, {a, a_row, 1}, w.in, [&](Size p) { return w.panels + w.offset(p); }, first, last, rows, depth);
}

template <class Real>
void multiply_turned(Target<Real> g, const Real* a, Size a_row, const Real* d, Size d_row, Size rows,
                     Size columns, Size depth, [[maybe_unused]] Mixed mixed, TurnedRoom<Real>& room) {
    if constexpr (Mixable<Real>) {
        if constexpr (Tileable) {
            if (mixed.by_tiles)
                return multiply_by_tiles_turned(g, a, a_row, d, d_row, rows, columns, depth, room);
        }
        if (mixed) return multiply_pairs_turned(g, a, a_row, d, d_row, rows, columns, depth, room);
    }
    const Division in(columns / Lanes<Real>, TileVectors);
    for (Size k = 0; k < depth; k += DepthMost) {
        const Size some = std::min(DepthMost, depth - k);
        for (Size p = 0; p < in.parts; ++p) {
            const Size column = in.first(p) * Lanes<Real>;
            copy_panel<Real>(room.panel, d + k * d_row + column, d_row, some, in.width(p));
            multiply_panel<Real, Real>(g.shifted(0, column), {a + k * a_row, 1, a_row}, room.panel,
                                       in.width(p), rows, some);
        }
        g = Target<Real>::onto(g.at, g.row);
    }
}

#define HORNBOOK_PRODUCTS(Real)                                                                              \
    template struct Packed<Real>;                                                                            \
    template void multiply<Real>(Target<Real>, const Real*, Size, const Packed<Real>&, Size, Size, Size,     \
                                 Size, Pair*);                                                               \
    template void multiply_turned<Real>(Target<Real>, const Real*, Size, const Real*, Size, Size, Size,      \
                                        Size, Mixed, TurnedRoom<Real>&);
HORNBOOK_PRODUCTS(float)
HORNBOOK_PRODUCTS(double)
#undef HORNBOOK_PRODUCTS

}  // namespace HORNBOOK_LEVEL
}  // namespace hornbook

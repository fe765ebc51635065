// How a weight matrix lies in memory: panels as wide as the accumulators of one pass, so that every product
// reads it straight through.
//
//   rows, columns   of the matrix     full   whole vectors in a row     panels  of `width` lanes
//   tail   lanes of the narrow vector that ends a row (0: none)
//   strip  as many rows of a panel or of the tail as StripSize numbers hold: one contiguous block, a tile of
//          gradient
//
// The last columns that do not fill half a vector are kept in a narrower one: at H = 100 a row is 6 vectors
// and 4 lanes, not 7 vectors, which saves a tenth of the memory (W stays nearer to L1) and half a vector of
// arithmetic in every product.
#pragma once

#include <algorithm>
#include <cstddef>
#include <numeric>

#include "simd.hpp"

namespace hornbook {
inline namespace HORNBOOK_LEVEL {

using Size = std::ptrdiff_t;

// The widths a narrow vector may have; none is below 128 bits, so the 128-bit levels have none at all.
template <class Real> inline constexpr int Half = std::max<int>(Lanes<Real> / 2, 16 / sizeof(Real));
template <class Real> inline constexpr int Quarter = std::max<int>(Lanes<Real> / 4, 16 / sizeof(Real));

// Vectors of one panel. A fused multiply-add takes four cycles, and two begin in each: eight accumulators
// keep the multipliers busy, eight vectors, or two sets of four.
template <class Real> inline constexpr int PanelVectors = 32 / int(sizeof(Real));

// The most rows of a block of a product that is two vectors wide or more, the rows of the widest strips
// (whole vectors when turned, and as many as whole blocks have when its gradient is computed), and the most
// numbers in a strip.
inline constexpr int BlockRows = Registers == 32 ? 8 : 6;
template <class Real> inline constexpr int StripRows = std::lcm(Lanes<Real>, BlockRows);
template <class Real> inline constexpr int StripSize = PanelVectors<Real> * Lanes<Real> * StripRows<Real>;

template <class Real> constexpr Size round_up(Size n, Size to = Lanes<Real>) {
    return (n + to - 1) / to * to;
}

// The first item of part `i` when `total` items are divided into `parts` as evenly as can be.
constexpr Size share(Size total, Size parts, Size i) { return total * i / parts; }

// How `total` items are divided into parts of `most` at most: as evenly as can be, the wider ones first. The
// quotients are taken here and not in the loops of products: one takes as long as many multiplications.
struct Division {
    Size parts = 0, narrow = 0, wider = 0;  // the first `wider` parts have one item more than `narrow`
    Division() = default;
    Division(Size total, Size most)
        : parts((total + most - 1) / most), narrow(parts ? total / parts : 0),
          wider(parts ? total % parts : 0) {}
    Size first(Size part) const { return part * narrow + std::min(part, wider); }  // its first item
    Size width(Size part) const { return narrow + (part < wider); }                // its items
};

template <class Real> struct Panels {
    Size rows = 0, columns = 0, full = 0, tail = 0, panels = 0;

    Panels() = default;
    Panels(Size rows_, Size columns_) : rows(rows_), columns(columns_) {
        constexpr Size lanes = Lanes<Real>;
        full = columns / lanes;
        const Size rest = columns % lanes;
        for (Size n = lanes; rest > 0 && n >= std::max<Size>(rest, Quarter<Real>); n /= 2) tail = n;
        if (tail == lanes) full += 1, tail = 0;  // more than half of it is used: a whole vector
        panels = (full + PanelVectors<Real> - 1) / PanelVectors<Real>;
    }

    Size first(Size panel) const { return std::min(full, panel * PanelVectors<Real>); }  // its first vector
    Size vectors(Size panel) const { return first(panel + 1) - first(panel); }
    Size width(Size panel) const { return vectors(panel) * Lanes<Real>; }        // lanes, also its row stride
    Size offset(Size panel) const { return first(panel) * Lanes<Real> * rows; }  // where it begins
    Size tail_column() const { return full * Lanes<Real>; }
    Size tail_offset() const { return tail_column() * rows; }
    Size size() const { return round_up<Real>((tail_column() + tail) * rows); }

    // Calls visit(flat column, place in the panels, how many lie side by side, row) for every run of real
    // entries.
    template <class Visit> void each_run(Visit visit) const {
        for (Size p = 0; p < panels; ++p)
            for (Size i = 0; i < rows; ++i) {
                const Size j = first(p) * Lanes<Real>;
                visit(i * columns + j, offset(p) + i * width(p), std::min(width(p), columns - j));
            }
        for (Size i = 0; i < rows && tail > 0; ++i)
            visit(i * columns + tail_column(), tail_offset() + i * tail, columns - tail_column());
    }
    void pack(Real* panel, const Real* flat) const {
        each_run([&](Size from, Size to, Size n) { std::copy_n(flat + from, n, panel + to); });
    }
    void unpack(Real* flat, const Real* panel) const {
        each_run([&](Size to, Size from, Size n) { std::copy_n(panel + from, n, flat + to); });
    }

    // Calls visit(first row, rows, first column, columns, place, row stride) for every strip: a multiple of
    // StripRows rows of a panel, of whole vectors of rows of the tail, as many as StripSize numbers hold.
    template <class Visit> void each_strip(Visit visit) const {
        for (Size p = 0; p < panels + (tail > 0); ++p) {
            const bool last = p == panels;
            const Size j = last ? tail_column() : first(p) * Lanes<Real>, stride = last ? tail : width(p),
                       at = last ? tail_offset() : offset(p), unit = last ? Lanes<Real> : StripRows<Real>,
                       most = StripSize<Real> / stride / unit * unit;
            for (Size i = 0; i < rows; i += most)
                visit(i, std::min<Size>(most, rows - i), j, stride, at + i * stride, stride);
        }
    }

    // Where element (i, j) lies, and how far below it the next row is.
    static Size panel_of(Size j) { return j / (PanelVectors<Real> * Lanes<Real>); }
    Size stride(Size j) const { return j >= tail_column() ? tail : width(panel_of(j)); }
    Size place(Size i, Size j) const {
        if (j >= tail_column()) return tail_offset() + i * tail + (j - tail_column());
        const Size p = panel_of(j);
        return offset(p) + i * width(p) + (j - first(p) * Lanes<Real>);
    }
};

// out (N, N), row stride ldo = block.T, in registers
template <class Real, int N> void transpose_block(Real* out, Size ldo, const Real* block, Size ld) {
    Vec<Real, N> rows[N];
    HORNBOOK_UNROLL
    for (int i = 0; i < N; ++i) rows[i] = load<Real, N>(block + i * ld);
    transpose<Real, N>(rows);
    HORNBOOK_UNROLL
    for (int i = 0; i < N; ++i) store(out + i * ldo, rows[i]);
}

// turned (columns x rows of the matrix, in panels `to`) = at most Lanes rows of a strip of the matrix,
// transposed
//
// Lanes rows become Lanes columns: one vector of each row of the transposed panels. Whole squares are turned
// in registers, the edges in small squares, and what is left there one number at a time.
template <class Real>
void transpose_rows(Real* turned, const Panels<Real>& to, const Real* strip, Size row, Size rows, Size column,
                    Size columns, Size stride) {
    constexpr int N = Lanes<Real>, n = Quarter<Real>;
    const Size ldo = to.stride(row);
    Real* out = turned + to.place(column, row);
    Size j = 0;
    for (; rows == N && j + N <= columns; j += N)
        transpose_block<Real, N>(out + j * ldo, ldo, strip + j, stride);
    for (; rows % n == 0 && j + n <= columns; j += n)
        for (Size i = 0; i < rows; i += n)
            transpose_block<Real, n>(out + j * ldo + i, ldo, strip + i * stride + j, stride);
    for (; j < columns; ++j)
        for (Size i = 0; i < rows; ++i) out[j * ldo + i] = strip[i * stride + j];
}

template <class Real>
void transpose_strip(Real* turned, const Panels<Real>& to, const Real* strip, Size row, Size rows,
                     Size column, Size columns, Size stride) {
    constexpr Size N = Lanes<Real>;
    columns = std::min(columns, to.rows - column);
    for (Size i = 0; i < rows; i += N)
        transpose_rows(turned, to, strip + i * stride, row + i, std::min(N, rows - i), column, columns,
                       stride);
}

}  // namespace HORNBOOK_LEVEL
}  // namespace hornbook

// Mixed products by tiles (AMX): one instruction adds the products of 16 rows, 16 pairs and 16 columns.
//
//   tile     one of eight registers: sums (16, 16), or pairs of a (16 rows, 16), or of w (16, 16 columns)
//   stretch  16 pairs of a sum, which one instruction adds up
//
// A register has all its rows, or the rows of a product of fewer. Zeros fill up the last stretch: every panel
// and every row of pairs has whole ones. The instructions are written out, for a compiler may know them and
// still move what it stores past one that loads it.
#include "rounding.hpp"

namespace hornbook {
inline namespace HORNBOOK_LEVEL {

namespace {

constexpr Size Side = 16;  // rows of a register, pairs or floats of a row

template <int T> HORNBOOK_INLINE void clear_tile() { __asm__ volatile("tilezero %%tmm%c0" : : "i"(T)); }
template <int T> HORNBOOK_INLINE void load_tile(const void* from, Size row) {
    __asm__ volatile("tileloadd (%1,%2,1), %%tmm%c0" : : "i"(T), "r"(from), "r"(row * 4) : "memory");
}
template <int T> HORNBOOK_INLINE void store_tile(void* to, Size row) {
    __asm__ volatile("tilestored %%tmm%c0, (%1,%2,1)" : : "i"(T), "r"(to), "r"(row * 4) : "memory");
}
template <int Sum, int A, int W> HORNBOOK_INLINE void multiply_tile() {
    __asm__ volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(Sum), "i"(A), "i"(W));
}

// A tile of w that is loaded soon: where few rows are multiplied each is used once, and the processor alone
// begins to fetch it too late.
HORNBOOK_INLINE void fetch(const Pair* from, Size row) {
    HORNBOOK_UNROLL
    for (Size i = 0; i < Side; ++i) __builtin_prefetch(from + i * row);
}

// The sums that are continued after those in hand, into the second cache.
void fetch_start(Target<float> next, Size rows, Size columns) {
    for (Size r = 0; next.start && r < rows; ++r)
        for (Size c = 0; c < columns; c += Side)
            __builtin_prefetch(next.start + r * next.start_row + c, 0, 2);
}

// Registers 0 ... 4, of sums and of a, have as many rows as is said here; the others have 16.
struct alignas(64) Shape {
    uint8_t palette = 1, start = 0, reserved[14] = {};
    uint16_t bytes[16] = {};  // of a row
    uint8_t rows[16] = {};
    explicit Shape(Size rows_) {
        for (int t = 0; t < 8; ++t) bytes[t] = 64, rows[t] = uint8_t(t < 5 ? rows_ : Side);
    }
};

thread_local Size shaped = 0;  // rows of the registers of this thread; 0: they are not in use

void shape_tiles(Size rows) {
    if (shaped == rows) return;
    const Shape shape(rows);
    __asm__ volatile("ldtilecfg %0" : : "m"(shape));
    shaped = rows;
}

// out (R tiles, C tiles) = start + a @ w
template <int R, int C>
void block(Target<float> out, const Pair* a, Size a_row, const Pair* w, Size w_row, Size stretches) {
    constexpr std::make_integer_sequence<int, R> rows{};
    constexpr std::make_integer_sequence<int, C> columns{};
    constexpr int A = 4, W = A + R, Ws = 8 - W;  // the first register of a and of w, and how many w has
    const auto each_sum = [&](auto visit) __attribute__((always_inline)) {
        each(rows, [&](auto r) __attribute__((always_inline)) {
            each(columns, [&](auto c) __attribute__((always_inline)) { visit(r, c); });
        });
    };
    each_sum([&](auto r, auto c) __attribute__((always_inline)) {
        if (out.start)
            load_tile<r * C + c>(out.start + r * Side * out.start_row + c * Side, out.start_row);
        else
            clear_tile<r * C + c>();
    });
    for (Size s = 0; s < stretches; ++s, a += Side, w += Side * w_row) {
        each(rows,
             [&](auto r) __attribute__((always_inline)) { load_tile<A + r>(a + r * Side * a_row, a_row); });
        each(columns, [&](auto c) __attribute__((always_inline)) {
            fetch(w + Side * w_row + c * Side, w_row);
            load_tile<W + c % Ws>(w + c * Side, w_row);
            each(rows, [&](auto r)
                           __attribute__((always_inline)) { multiply_tile<r * C + c, A + r, W + c % Ws>(); });
        });
    }
    each_sum([&](auto r, auto c) __attribute__((always_inline)) {
        store_tile<r * C + c>(out.at + r * Side * out.row + c * Side, out.row);
    });
}

// Up to four columns of tiles beside each other.
void row_of_tiles(Target<float> out, const Pair* a, Size a_row, const Pair* panel, Size width,
                  Size stretches) {
    constexpr decltype(&block<1, 1>) table[] = {block<1, 1>, block<1, 2>, block<1, 3>, block<1, 4>};
    table[width - 1](out, a, a_row, panel, width * Side, stretches);
}

// Fewer rows than the registers have: what is not to be written goes into a room of its own.
void last_rows(Target<float> out, const Pair* a, Size a_row, const Pair* panel, Size width, Size rows,
               Size stretches) {
    constexpr Size row = TileVectors * Side;
    alignas(64) float room[Side * row];
    for (Size r = 0; out.start && r < rows; ++r)
        std::copy_n(out.start + r * out.start_row, width * Side, room + r * row);
    row_of_tiles(out.start ? Target<float>::onto(room, row) : Target<float>::fresh(room, row), a, a_row,
                 panel, width, stretches);
    for (Size r = 0; r < rows; ++r) std::copy_n(room + r * row, width * Side, out.at + r * out.row);
}

void multiply_tiles(Target<float> out, const Pair* a, Size a_row, const Pair* panel, Size width, Size rows,
                    Size stretches) {
    shape_tiles(std::min(rows, Side));
    if (rows <= Side) return row_of_tiles(out, a, a_row, panel, width, stretches);
    Size r = 0;
    for (; r + 2 * Side <= rows; r += 2 * Side)
        for (Size c = 0; c < width; c += 2) {
            const bool more = c + 2 < width;  // columns of these rows
            fetch_start(more ? out.shifted(r, (c + 2) * Side) : out.shifted(r + 2 * Side, 0),
                        more ? 2 * Side : std::min(2 * Side, rows - r - 2 * Side), 2 * Side);
            (c + 1 < width ? block<2, 2> : block<2, 1>)(out.shifted(r, c * Side), a + r * a_row, a_row,
                                                        panel + c * Side, width * Side, stretches);
        }
    if (r + Side <= rows) {
        row_of_tiles(out.shifted(r, 0), a + r * a_row, a_row, panel, width, stretches);
        r += Side;
    }
    if (r < rows) last_rows(out.shifted(r, 0), a + r * a_row, a_row, panel, width, rows - r, stretches);
}

// out (columns, row) = pairs of rows of a, turned: those of a column of a stand together. columns is a
// multiple of Side.
void pair_rows_turned(Pair* out, Size row, const float* a, Size a_row, Size depth, Size columns) {
    for (Size k = 0; k < depth; k += 2 * Side)
        for (Size j = 0; j < columns; j += Side) {
            const auto number = [&](Size i) { return i < depth ? load(a + i * a_row + j) : Vec<float>{}; };
            Vec<float> turned[Side];  // pairs under another name: they are only moved
            HORNBOOK_UNROLL
            for (Size i = 0; i < Side; ++i)
                turned[i] = (Vec<float>)rounded(number(k + 2 * i), number(k + 2 * i + 1));
            transpose<float>(turned);
            HORNBOOK_UNROLL
            for (Size i = 0; i < Side; ++i) store(out + (j + i) * row + k / 2, (Vec<Pair>)turned[i]);
        }
}

constexpr Size stretches_of(Size depth) { return (depth + 2 * Side - 1) / (2 * Side); }

}  // namespace

void release_tiles() {
    if (shaped) __asm__ volatile("tilerelease");
    shaped = 0;
}

void multiply_by_tiles(Target<float> out, const float* a, Size a_row, const Packed<float>& w, Size first,
                       Size last, Size rows, Size depth, Pair* room) {
    if (first == 0) round_rows(room, a, a_row, rows, depth);
    for (Size p = first; p < last; ++p)
        multiply_tiles(out.shifted(0, w.in.first(p) * Side), room, pairs_row(depth), w.pairs + w.offset(p),
                       w.in.width(p), rows, stretches_of(depth));
}

void multiply_by_tiles_turned(Target<float> g, const float* a, Size a_row, const float* d, Size d_row,
                              Size rows, Size columns, Size depth, TurnedRoom<float>& room) {
    const Division in(columns / Side, TileVectors);
    constexpr Size row = pairs_row(DepthMost);
    for (Size k = 0; k < depth; k += DepthMost) {
        const Size some = std::min(DepthMost, depth - k), pairs = (some + 1) / 2,
                   stretches = stretches_of(some);
        pair_rows_turned(room.pairs, row, a + k * a_row, a_row, some, round_up<float>(rows));
        for (Size p = 0; p < in.parts; ++p) {
            const Size column = in.first(p) * Side, width = in.width(p) * Side;
            pair_rows(room.pairs_panel, width, d + k * d_row + column, d_row, some, width);
            std::fill(room.pairs_panel + pairs * width, room.pairs_panel + stretches * Side * width, Pair(0));
            multiply_tiles(g.shifted(0, column), room.pairs, row, room.pairs_panel, in.width(p), rows,
                           stretches);
        }
        g = Target<float>::onto(g.at, g.row);
    }
}

}  // namespace HORNBOOK_LEVEL
}  // namespace hornbook

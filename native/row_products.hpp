// x @ w for one x after another, where each is made of the product before it: the recurrence.
//
//   Width  vectors of a panel     Tail  lanes of the tail beside it (0: none)     G  rows added at once
//   depth  rows of w, the length of the sums
//
// A weight matrix is read once a time step. Reading it alternately from its first panel's last row on and
// from its last panel's first row on finds in L1 what the step before left there, and asks last for those
// numbers of x that come last. So the sums of a panel can wait while the next one is read, be it of the same
// step or of the next: beside each group of rows one vector of them is finished. What a state is made of
// (tanh) is a long chain of operations; like this the multiplications run beside it and not after it.
//
// At one level of processor the order of every sum is fixed by the sizes and by whether its step is even.
#pragma once

#include "panels.hpp"

namespace hornbook {
inline namespace HORNBOOK_LEVEL {

// A panel's sums that are not finished yet: of step t, from column j on, `count` vectors.
template <class Real> struct Waiting {
    alignas(64) Real sums[(PanelVectors<Real> + 1) * Lanes<Real>];
    Size t = 0, j = 0, count = 0;
};

// The sums of one panel, Width vectors of it and the tail beside, in registers.
//
// The loop is short of loads: a group of x is loaded at once, and the tails of its rows, which lie one after
// the other, are taken as whole vectors. A fused multiply-add takes four cycles: where registers allow it,
// even and odd rows have their own accumulators, for a narrow panel alone would wait for it.
template <class Real, int Width, int Tail> class PanelSums {
  public:
    HORNBOOK_INLINE PanelSums(const Real* panel, const Real* tail) : panel_(panel), tail_(tail) {}

    // Adds rows k to k + G of the panel, each times its number of x, from the last on where the panel is read
    // upward: the processor fetches ahead what is read in one direction without a break.
    HORNBOOK_INLINE void add_group(const Real* x, Size k, bool upward) {
        const Vec<Real> xs = repeat<Real>(x + k);
        each(std::make_integer_sequence<int, G>{}, [&](auto i) __attribute__((always_inline)) {
            constexpr int last = G - 1 - i;
            if (upward)
                add(k + last, i % sets, spread<Real, lanes, last * lanes>(xs));
            else
                add(k + i, i % sets, spread<Real, lanes, i * lanes>(xs));
        });
        each(tails, [&](auto v) __attribute__((always_inline)) {
            const Vec<Real> rows = load(tail_ + k * Tail + v * lanes);
            tails_[v] = fma(spread<Real, end_lanes, v * lanes>(xs), rows, tails_[v]);
        });
    }
    HORNBOOK_INLINE void add_row(const Real* x, Size k) {
        const Vec<Real> xk = broadcast(x[k]);
        add(k, 0, xk);
        if constexpr (Tail > 0)
            end_ = fma(narrow<Real, Tail, lanes>(xk), load<Real, Tail>(tail_ + k * Tail), end_);
    }
    HORNBOOK_INLINE void store_total(Real* out) {
        HORNBOOK_UNROLL
        for (int c = 0; c < Width; ++c)
            store(out + c * lanes, sets == 2 ? sums_[0][c] + sums_[sets - 1][c] : sums_[0][c]);
        each(tails, [&](auto v) { end_ += fold<Real, end_lanes, lanes>(tails_[v]); });
        if constexpr (Tail > 0) store(out + Width * lanes, widen<Real, lanes, Tail>(end_));
    }

  private:
    static constexpr int lanes = Lanes<Real>, G = Group<Real>, tails_of_group = G * Tail / lanes;
    static constexpr int end_lanes = Tail > 0 ? Tail : lanes;
    static constexpr int sets = 2 * Width + tails_of_group + 2 <= Registers ? 2 : 1;
    static constexpr std::make_integer_sequence<int, tails_of_group> tails{};

    HORNBOOK_INLINE void add(Size k, int set, Vec<Real> xk) {
        HORNBOOK_UNROLL
        for (int c = 0; c < Width; ++c)
            sums_[set][c] = fma(xk, load(panel_ + (k * Width + c) * lanes), sums_[set][c]);
    }

    const Real *const panel_, *const tail_;
    Vec<Real> sums_[sets][Width > 0 ? Width : 1] = {}, tails_[Tail > 0 ? tails_of_group : 1] = {};
    Vec<Real, end_lanes> end_{};
};

// for t in range(steps): finish(t)(j, (x(t) @ w)[j : j+Lanes]) for all columns, a vector at a time
//
// x(t) may be what finish(t - 1) made of its sums, number i of column i; w is square where there is more than
// one step. Behind the last column the sums are zeros.
template <class Real, class X, class Finish> class RowProducts {
  public:
    RowProducts(const Real* w, const Panels<Real>& shape, X x, Finish finish)
        : w_(w), shape_(shape), x_(x), finish_(finish) {}

    void run(Size steps) {
        for (Size t = 0; t < steps; ++t) add_step(t, t % 2 == 0);
        if (late_.count > 0) finish_late(0);
    }
    void run_once() {
        add_step(0, true);
        finish_late(0);
    }

  private:
    static constexpr int lanes = Lanes<Real>, G = Group<Real>;

    const Real* const w_;
    const Panels<Real>& shape_;
    const X x_;
    const Finish finish_;
    Waiting<Real> late_;

    HORNBOOK_INLINE void add_step(Size t, bool upward) {
        constexpr Size wide = PanelVectors<Real> * lanes;
        const Size last = std::max<Size>(shape_.panels, 1) - 1;
        const Real* const x = x_(t);
        if (upward) {
            Size ready = last > 0 ? shape_.rows - wide : 0;  // numbers of x that do not wait
            for (Size p = 0; p < last; ++p, ready = shape_.rows)
                add_panel<PanelVectors<Real>, 0>(t, x, p, ready, true);
            add_last(t, x, last, ready, true);
        } else {
            add_last(t, x, last, last * wide, false);
            for (Size p = last - 1; p >= 0; --p)
                add_panel<PanelVectors<Real>, 0>(t, x, p, shape_.rows, false);
        }
    }

    __attribute__((noinline)) void finish_late(Size from) const {
        const auto finish = finish_(late_.t);
        for (Size i = from; i < late_.count; ++i) finish(late_.j + i * lanes, load(late_.sums + i * lanes));
    }

    // The last panel, and the tail beside it.
    HORNBOOK_INLINE void add_last(Size t, const Real* x, Size p, Size ready, bool upward) {
        constexpr std::make_integer_sequence<int, PanelVectors<Real> + 1> widths{};
        if (shape_.tail == 0) return add_width<0>(t, x, p, ready, upward, widths);
        if constexpr (Half<Real> < lanes)
            if (shape_.tail == Half<Real>) return add_width<Half<Real>>(t, x, p, ready, upward, widths);
        if constexpr (Quarter<Real> < Half<Real>) add_width<Quarter<Real>>(t, x, p, ready, upward, widths);
    }
    template <int Tail, int... Widths>
    HORNBOOK_INLINE void add_width(Size t, const Real* x, Size p, Size ready, bool upward,
                                   std::integer_sequence<int, Widths...>) {
        const Size vectors = shape_.vectors(p);
        (void)((vectors == Widths && (add_panel<Widths, Tail>(t, x, p, ready, upward), true)) || ...);
    }

    // The sums of panel p, read from its last row on or from its first; what waits is finished meanwhile, at
    // the latest when the first `ready` rows have been read.
    template <int Width, int Tail>
    HORNBOOK_INLINE void add_panel(Size t, const Real* x, Size p, Size ready, bool upward) {
        PanelSums<Real, Width, Tail> sums(w_ + shape_.offset(p), w_ + shape_.tail_offset());
        const Size depth = shape_.rows, whole = depth / G * G, rest = depth - whole;
        const auto add_group = [&](Size done) __attribute__((always_inline)) {
            sums.add_group(x, upward ? whole - G - done : done, upward);
        };

        if (upward) ready -= rest;
        const Size early = std::min(late_.count, std::max<Size>(ready, 0) / G);
        if (early == 0 && late_.count > 0) finish_late(0);
        for (Size k = whole; upward && k < depth; ++k) sums.add_row(x, k);
        const auto finish = finish_(late_.t);
        const Size j = late_.j;
        Size done = 0;
        for (Size i = 0; i < early; ++i, done += G) {
            add_group(done);
            finish(j + i * lanes, load(late_.sums + i * lanes));
        }
        if (early > 0 && early < late_.count) finish_late(early);
        for (; done < whole; done += G) add_group(done);
        for (Size k = whole; !upward && k < depth; ++k) sums.add_row(x, k);

        sums.store_total(late_.sums);
        late_.t = t, late_.j = shape_.first(p) * lanes, late_.count = Width + (Tail > 0);
    }
};

// out = start + x @ w (start null: zeros), in whole vectors
template <class Real>
void multiply_row(Real* out, const Real* start, const Real* x, const Real* w, const Panels<Real>& shape) {
    const auto finish = [=](Size j, Vec<Real> sum) __attribute__((always_inline)) {
        store(out + j, start ? load(start + j) + sum : sum);
    };
    RowProducts(w, shape, [=](Size) { return x; }, [=](Size) { return finish; }).run_once();
}

}  // namespace HORNBOOK_LEVEL
}  // namespace hornbook

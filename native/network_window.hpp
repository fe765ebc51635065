// What a shard of the streams computes on its way forward through a window of T characters, and what it keeps
// for the way back. A layer at a time over the whole window: what is not recurrent is one product over many
// time steps.
//
//   T  time steps     M  streams of the shard     n  units, padded     l  layer     ld_*  row lengths
//
// All rows are time-major: those of time t begin at t · M.
#pragma once

#include "dropout.hpp"
#include "network_layout.hpp"

namespace hornbook {
inline namespace HORNBOOK_LEVEL {

inline constexpr Size WalkRows = 192;  // rows of a block of time steps

template <class Real> class NetworkWindow {
  public:
    struct Layer {
        Buffer<Real> a, h, c;  // (T, M, ld_a) (T+1, M, ld_h) twice; h[0] c[0] are the incoming state
        Buffer<Real> x,
            factor;  // (T, M, ld_h) twice, where outputs are dropped: what goes up, and by how much
        Layer(const NetworkLayout<Real>& at, Size T, Size M, bool drops)
            : a(T * M * at.ld_a), h((T + 1) * M * at.ld_h), c(at.cell.states > 1 ? (T + 1) * M * at.ld_h : 0),
              x(drops ? T * M * at.ld_h : 0), factor(drops ? T * M * at.ld_h : 0) {}
    };
    const NetworkLayout<Real>& at;
    const Size T, M;
    Buffer<uint32_t> x, y;  // (T, M) characters read, and those to foretell
    std::deque<Layer> layers;
    Buffer<Pair> pairs;  // room for the rows of mixed products

    NetworkWindow(const NetworkLayout<Real>& layout, Size steps, Size streams, bool drops = false)
        : at(layout), T(steps), M(streams), x(T * M), y(T * M),
          pairs(at.mixed * room_rows(most_rows()) * pairs_row(at.widest())), drops_(drops) {
        for (Size l = 0; l < at.L; ++l) layers.emplace_back(at, T, M, drops);
    }

    Rows<Real> a(Size l, Size t) { return {layers[size_t(l)].a + t * M * at.ld_a, at.ld_a}; }
    Rows<Real> h(Size l, Size t) { return {layers[size_t(l)].h + t * M * at.ld_h, at.ld_h}; }
    Rows<Real> c(Size l, Size t) {
        return {at.cell.states > 1 ? layers[size_t(l)].c + t * M * at.ld_h : nullptr, at.ld_h};
    }
    // What layer l gives to the one above at time t.
    Rows<Real> output(Size l, Size t) {
        return drops_ ? Rows<Real>{layers[size_t(l)].x + t * M * at.ld_h, at.ld_h} : h(l, t + 1);
    }
    const Real* factor(Size l, Size t) { return layers[size_t(l)].factor + t * M * at.ld_h; }
    bool drops() const { return drops_; }

    // The states at time t, from and to the streams `first` ... of a state (L, S, B, H).
    void take(const Real* state, Size B, Size first, Size t = 0) {
        each_state(B, first, t, [&](Real* row, Size place) { std::copy_n(state + place, at.H, row); });
    }
    void put(Real* state, Size B, Size first, Size t) {
        each_state(B, first, t, [&](const Real* row, Size place) { std::copy_n(row, at.H, state + place); });
    }
    // Stream m goes on from where it came to at time 1.
    void turn_over(Size m) {
        for (Size l = 0; l < at.L; ++l) {
            std::copy_n(h(l, 1)[m], at.n, h(l, 0)[m]);
            if (at.cell.states > 1) std::copy_n(c(l, 1)[m], at.n, c(l, 0)[m]);
        }
    }
    void clear(Size t = 0) {
        each_state(M, 0, t, [&](Real* row, Size) { std::fill_n(row, at.H, Real(0)); });
    }

    // a[t] = u = x U + b for the times from ... to - 1; in the first layer x U is a row of U.
    void inputs(const NetworkWeights<Real>& weights, Size l, Size from, Size to) {
        const Size rows = (to - from) * M, g = at.columns(), rest = at.cell.blocks * at.n - g;
        const Rows<Real> out = a(l, from);
        const Real* b = weights.bias(l);
        for (Size r = 0; r < rows; ++r) {
            if (l == 0) add(out[r], weights.row_of_u(x[from * M + r]), b, g);
            std::fill_n(out[r] + g, rest, Real(0));
        }
        if (l == 0) return;
        const Packed<Real>& U = weights.layers[size_t(l)].U;
        multiply<Real>({out.at, out.ld, b, 0}, output(l - 1, from).at, at.ld_h, U, 0, U.in.parts, rows, at.H,
                       pairs);
    }

    // a[t] += v = h[t] W, for some panels of W
    void recur(const NetworkWeights<Real>& weights, Size l, Size t, Size first, Size last) {
        multiply<Real>(Target<Real>::onto(a(l, t).at + at.v_column(), at.ld_a), h(l, t).at, at.ld_h,
                       weights.layers[size_t(l)].W, first, last, M, at.H, pairs);
    }

    // h[t+1], c[t+1] = cell(a[t], h[t], c[t])
    void step(Size l, Size t) {
        at.cell.step(a(l, t), constant(h(l, t)), constant(c(l, t)), h(l, t + 1), c(l, t + 1), M, at.n);
    }

    // output[t] = h[t+1] * factor[t]; `stream` is the number of the first stream here
    void drop(const Dropout& dropout, Size l, Size t, uint64_t update, Size stream) {
        for (Size m = 0; m < M; ++m) {
            Real* factor = layers[size_t(l)].factor + (t * M + m) * at.ld_h;
            dropout.draw(factor, update, uint64_t(stream + m), uint64_t(l), uint64_t(t), uint64_t(at.H));
            const Real* from = h(l, t + 1)[m];
            Real* to = output(l, t)[m];
            for (Size i = 0; i < at.n; ++i) to[i] = from[i] * factor[i];
        }
    }

    static Rows<const Real> constant(Rows<Real> rows) { return {rows.at, rows.ld}; }

  private:
    const bool drops_;

    // Rows of one product: of a block of time steps, or of one step.
    Size most_rows() const { return std::min(T * M, std::max(M, WalkRows)); }

    static void add(Real* __restrict out, const Real* a, const Real* b, Size n) {
        for (Size i = 0; i < n; i += Lanes<Real>) store(out + i, load(a + i) + load(b + i));
    }

    template <class Visit> void each_state(Size B, Size first, Size t, Visit visit) {
        for (Size l = 0; l < at.L; ++l)
            for (Size s = 0; s < at.cell.states; ++s)
                for (Size m = 0; m < M; ++m)
                    visit((s ? c(l, t) : h(l, t))[m], ((l* at.cell.states + s)* B + first + m) * at.H);
    }
};

// Layer l through the times from ... to - 1, for all windows that each(visit) visits. At a time step each
// panel of W is multiplied with the rows of all of them while it lies in the nearest caches.
template <class Real, class Each>
void walk(const NetworkWeights<Real>& weights, Size l, Size from, Size to, bool one, Each each) {
    each([&](NetworkWindow<Real>& window) { window.inputs(weights, l, from, to); });
    const Size panels = weights.layers[size_t(l)].W.in.parts, some = one ? panels : 1;
    for (Size t = from; t < to; ++t) {
        for (Size p = 0; p < panels; p += some)
            each([&](NetworkWindow<Real>& window) { window.recur(weights, l, t, p, p + some); });
        each([&](NetworkWindow<Real>& window) { window.step(l, t); });
    }
}

}  // namespace HORNBOOK_LEVEL
}  // namespace hornbook

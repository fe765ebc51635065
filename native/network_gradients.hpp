// What a shard of the streams computes on its way back through a window: the loss, and the gradients of all
// parameters.
//
//   T  time steps     M  streams of the shard     n  units, padded     k  symbols, padded     ld_*  row
//   lengths
//
// The walk goes back a block of time steps at a time; what is not recurrent is one product over the block,
// made while its rows are in the cache.
#pragma once

#include "network_window.hpp"
#include "softmax.hpp"

namespace hornbook {
inline namespace HORNBOOK_LEVEL {

inline constexpr Size OutputRows =
    128;  // predictions that are made at a time: their logits stay in the cache

// The output layer over rows of the top layer's output: logits, and what softmax makes of them.
template <class Real> struct NetworkOutput {
    const NetworkLayout<Real>& at;
    Buffer<Real> o;            // (OutputRows, ld_v) logits
    Real* const d;             // (OutputRows, ld_v) the gradient with respect to them, in their place
    Buffer<Real> nats, above;  // (OutputRows,)

    explicit NetworkOutput(const NetworkLayout<Real>& layout)
        : at(layout), o(OutputRows * at.ld_v), d(o), nats(OutputRows), above(OutputRows) {}

    // o = x V + c
    void foretell(const NetworkWeights<Real>& weights, const Real* x, Size rows, Pair* pairs) {
        multiply<Real>({o, at.ld_v, weights.c, 0}, x, at.ld_h, weights.V, 0, weights.V.in.parts, rows, at.H,
                       pairs);
    }

    // nats = logsumexp(o) - o[y]; d = scale * (softmax(o) - onehot(y))
    void weigh(const uint32_t* y, Size rows, Real scale) {
        softmax_loss<Real>(o, nats, above, y, rows, at.k, at.ld_v, scale);
    }
};

// total (n,) = start + d.sum(0)
template <class Real> void add_up(Real* total, const Real* d, Size ld, Size rows, Size n, bool fresh) {
    if (fresh) std::fill_n(total, n, Real(0));
    for (Size r = 0; r < rows; ++r)
        for (Size i = 0; i < n; i += Lanes<Real>) store(total + i, load(total + i) + load(d + r * ld + i));
}

template <class Real> class NetworkGradients {
  public:
    NetworkWindow<Real>& window;
    Buffer<Real> g;       // (size,) the gradient of every parameter
    Buffer<Real> dh, dc;  // (T+1, M, ld_h) (M, ld_h)
    double loss = 0;      // nats, summed over time and streams

    explicit NetworkGradients(NetworkWindow<Real>& of)
        : window(of), g(at().size), dh((of.T + 1) * of.M * at().ld_h),
          dc(at().cell.states > 1 ? of.M * at().ld_h : 0), output_(at()), room_(at().n, at().mixed) {}

    // The loss, the gradients of V and c, and dh[1:] = d V.T
    void foretell(const NetworkWeights<Real>& weights, Real scale) {
        const Size all = window.T * window.M;
        const Rows<Real> x = window.output(at().L - 1, 0);
        loss = 0;
        for (Size r = 0; r < all; r += OutputRows) {
            const Size rows = std::min(OutputRows, all - r);
            output_.foretell(weights, x[r], rows, window.pairs);
            output_.weigh(window.y + r, rows, scale);
            for (Size i = 0; i < rows; ++i) loss += double(output_.nats[i]);
            multiply_turned<Real>(target(at().V, at().ld_v, r == 0), x[r], at().ld_h, output_.d, at().ld_v,
                                  at().H, at().k, rows, at().mixed, room_);
            add_up<Real>(g + at().c, output_.d, at().ld_v, rows, at().k, r == 0);
            back_to(window.M + r, {output_.d, at().ld_v}, weights.V_turned, rows, at().K);
        }
        if (window.drops()) scale_back(at().L - 1, 0, window.T);
    }

    // Before the walk of a layer: dh[T] += dstate, dc = dstate, dh[0] = 0. dstate (S, B, H) is the layer's.
    void begin(const Real* dstate, Size B, Size first) {
        const Size H = at().H, ld = at().ld_h;
        std::fill_n(static_cast<Real*>(dh), window.M * ld, Real(0));
        if (at().cell.states > 1) std::fill_n(static_cast<Real*>(dc), window.M * ld, Real(0));
        for (Size m = 0; dstate && m < window.M; ++m) {
            Real* last = dh + (window.T * window.M + m) * ld;
            for (Size i = 0; i < H; ++i) last[i] += dstate[(first + m) * H + i];
            if (at().cell.states > 1) std::copy_n(dstate + (B + first + m) * H, H, dc + m * ld);
        }
    }

    // After it: the gradient of the state before the first character.
    void end(Real* dstate, Size B, Size first) {
        const Size H = at().H, ld = at().ld_h;
        for (Size m = 0; m < window.M; ++m) {
            std::copy_n(dh + m * ld, H, dstate + (first + m) * H);
            if (at().cell.states > 1) std::copy_n(dc + m * ld, H, dstate + (B + first + m) * H);
        }
    }

    // a[t] = the gradients of u and v; dh[t] += what does not flow through v
    void step_back(Size l, Size t) {
        NetworkWindow<Real>& w = window;
        at().cell.step_back(w.a(l, t), w.constant(w.h(l, t)), w.constant(w.c(l, t)),
                            w.constant(w.h(l, t + 1)), w.constant(w.c(l, t + 1)), w.constant(dh_at(t + 1)),
                            dh_at(t), {at().cell.states > 1 ? static_cast<Real*>(dc) : nullptr, at().ld_h},
                            w.M, at().n);
    }

    // dh[t] += dv W.T, for some panels of W.T
    void recur_back(const NetworkWeights<Real>& weights, Size l, Size t, Size first, Size last) {
        const Rows<Real> a = window.a(l, t);
        multiply<Real>(Target<Real>::onto(dh_at(t).at, at().ld_h), a.at + at().v_column(), a.ld,
                       weights.layers[size_t(l)].W_turned, first, last, window.M, at().columns(),
                       window.pairs);
    }

    // The gradients of U W b from the block of times from ... to - 1, and of the layer below.
    void block_back(const NetworkWeights<Real>& weights, Size l, Size from, Size to) {
        const auto& place = at().layers[size_t(l)];
        const Size rows = (to - from) * window.M, columns = at().columns();
        const Rows<Real> a = window.a(l, from);
        const bool fresh = to == window.T;
        multiply_turned<Real>(target(place.W, at().ld_w, fresh), window.h(l, from).at, at().ld_h,
                              a.at + at().v_column(), a.ld, at().H, columns, rows, at().mixed,
                              room_);                                 // v = h W
        add_up<Real>(g + place.b, a.at, a.ld, rows, columns, fresh);  // u = x U + b
        if (l == 0) return gather_back(a, from * window.M, rows, fresh);
        multiply_turned<Real>(target(place.U, at().ld_w, fresh), window.output(l - 1, from).at, at().ld_h,
                              a.at, a.ld, at().H, columns, rows, at().mixed, room_);  // u = x U + b
        back_to((from + 1) * window.M, a, weights.layers[size_t(l)].U_turned, rows, columns);
        if (window.drops()) scale_back(l - 1, from, to);
    }

  private:
    NetworkOutput<Real> output_;
    TurnedRoom<Real> room_;

    const NetworkLayout<Real>& at() const { return window.at; }
    Rows<Real> dh_at(Size t) { return {dh + t * window.M * at().ld_h, at().ld_h}; }
    Target<Real> target(Size place, Size ld, bool fresh) {
        return fresh ? Target<Real>::fresh(g + place, ld) : Target<Real>::onto(g + place, ld);
    }

    // dh (rows from `row` on) = d @ w
    void back_to(Size row, Rows<Real> d, const Packed<Real>& w, Size rows, Size depth) {
        multiply<Real>(Target<Real>::fresh(dh + row * at().ld_h, at().ld_h), d.at, d.ld, w, 0, w.in.parts,
                       rows, depth, window.pairs);
    }

    // x = h * factor
    void scale_back(Size l, Size from, Size to) {
        Real* d = dh + (from + 1) * window.M * at().ld_h;
        const Real* factor = window.factor(l, from);
        for (Size i = 0; i < (to - from) * window.M * at().ld_h; ++i) d[i] *= factor[i];
    }

    // u = U[x] + b
    void gather_back(Rows<Real> a, Size first, Size rows, bool fresh) {
        Real* dU = g + at().layers[0].U;
        if (fresh) std::fill_n(dU, at().K * at().ld_w, Real(0));
        for (Size r = 0; r < rows; ++r) {
            Real* row = dU + Size(window.x[first + r]) * at().ld_w;
            for (Size i = 0; i < at().columns(); i += Lanes<Real>)
                store(row + i, load(row + i) + load(a[r] + i));
        }
    }
};

}  // namespace HORNBOOK_LEVEL
}  // namespace hornbook

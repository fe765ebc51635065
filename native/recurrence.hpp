// A window of T characters: forward through time, the loss, and backward through time to the gradients before
// the weights' products. Whatever is not recurrent is one product over all T. The recurrence is written once,
// for every cell of one gate.
//
//   T  time steps     K  symbols     H  units     GH  gates·units     ld*  rows padded to whole vectors
#pragma once

#include "cells.hpp"
#include "layout.hpp"
#include "matmul.hpp"
#include "row_products.hpp"
#include "softmax.hpp"

namespace hornbook {
inline namespace HORNBOOK_LEVEL {

// for t in range(steps): next[t] = cell(U[x[t]] + b, h[t] @ W)        h[t+1] may be next[t]
template <class Cell>
void read_steps(const Weights<Cell>& weights, const uint32_t* x, Size steps, const typename Cell::Real* h,
                typename Cell::Real* next) {
    using Real = typename Cell::Real;
    static_assert(Cell::gates == 1);  // a column of W is a unit
    const Layout<Cell>& at = weights.at;
    const Real* const b = weights.block + at.b;
    const Size ldh = at.ldh;
    const auto finish = [=, &weights](Size t) {
        return [b, u = weights.row_of_u(x[t]), to = next + t * ldh](Size j, Vec<Real> v)
                   __attribute__((always_inline)) { store(to + j, Cell::step(load(u + j), load(b + j), v)); };
    };
    const Real* const W = weights.block + at.W;
    RowProducts(W, at.w, [=](Size t) { return h + t * ldh; }, finish).run(steps);
}

template <class Cell> class Window {
  public:
    using Real = typename Cell::Real;
    const Layout<Cell>& at;
    const Size T;
    Buffer<uint32_t> x, y;  // (T,)  characters read, and those to foretell
    Buffer<Real> h;         // (T+1, ldh)            h[0] is the incoming state
    Buffer<Real> o;         // (T, ldk)              logits
    Real* const d_o;  // (T, ldk)              the objective's gradient with respect to them, in their place
    Buffer<Real> dh, da;       // (T+1, ldh) (T, ldg)   dh[0] is the gradient of the incoming state
    Buffer<Real> nats, above;  // (round_up(T),)
    Buffer<int32_t> first,
        next;  // (K,) (T,)             when each symbol is first read (-1: never), and when again after t

    Window(const Layout<Cell>& layout, Size steps)
        : at(layout), T(steps), x(T), y(T), h((T + 1) * at.ldh), o(T * at.ldk), d_o(o), dh((T + 1) * at.ldh),
          da(T * at.ldg), nats(round_up<Real>(T)), above(round_up<Real>(T)), first(at.K), next(T) {
        std::fill_n(static_cast<int32_t*>(first), at.K, -1);
    }

    // for t in range(T): h[t+1] = cell(U[x[t]] + b, h[t] @ W)
    void read(const Weights<Cell>& weights, Size steps) {
        read_steps<Cell>(weights, x, steps, h, h + at.ldh);
    }

    // o = h[1:] @ V + c; what pads a row has no probability
    void foretell(const Weights<Cell>& weights, Size steps) {
        multiply<Real>(o, at.ldk, weights.block + at.c, h + at.ldh, at.ldh, weights.block + at.V, at.v,
                       steps);
        for (Size t = 0; t < steps; ++t)
            std::fill(o + t * at.ldk + at.K, o + (t + 1) * at.ldk, -std::numeric_limits<Real>::infinity());
    }

    // Σ_t logsumexp(o[t]) - o[t, y[t]], and d_o
    double lose(Real scale) {
        softmax_loss<Real>(o, nats, above, y, T, at.ldk, at.ldk, scale);
        double loss = 0;
        for (Size t = 0; t < T; ++t) loss += double(nats[t]);
        return loss;
    }

    // nats = logsumexp(o) - o[y], nothing else: reading without learning
    void weigh(Size steps) {
        find_most<Real>(nats, above, o, y, steps, at.ldk, at.ldk);
        exponentials<Real>(nats, o, steps, at.ldk, at.ldk);
        finish_nats<Real>(nats, above, steps);
    }

    // dh[1:] = d_o @ V.T; dh[T] += dstate
    // for t in reversed(range(T)): da[t] = cell'(dh[t+1] + da[t+1] @ W.T)
    //
    // Returns Σ |da|. Of dh, the part that comes through W is added where it is used and not kept: dh[0] is
    // that part alone, which only a caller who asked for it reads, and left to `into_state`.
    double go_back(const Weights<Cell>& weights, const Real* dstate) {
        multiply<Real>(dh + at.ldh, at.ldh, nullptr, d_o, at.ldk, weights.turned + at.Vt, at.v_turned, T);
        for (Size i = 0; dstate && i < at.H; ++i) dh[T * at.ldh + i] += dstate[i];
        step_back(weights);
        Vec<Real> total{};
        for (Size t = 0; t < T; ++t) {
            Vec<Real> row{};
            for (Size i = 0; i < at.ldg; i += Lanes<Real>) row += absolute<Real>(load(da + t * at.ldg + i));
            total += row;
        }
        return double(reduce_add<Real>(total));
    }

    // dh[0] = da[0] @ W.T
    void into_state(const Weights<Cell>& weights) {
        multiply_row<Real>(dh, nullptr, da, weights.turned + at.Wt, at.w_turned);
    }

    // When each symbol is read: what the rows of U's gradient are sums over.
    void link_symbols() {
        for (Size t = T - 1; t >= 0; --t) next[t] = first[x[t]], first[x[t]] = int32_t(t);
    }
    void unlink_symbols() {
        for (Size t = 0; t < T; ++t) first[x[t]] = -1;
    }

  private:
    // for t in reversed(range(T)): da[t] = cell'(dh[t+1] + da[t+1] @ W.T), the last without a product
    void step_back(const Weights<Cell>& weights) {
        const Real *dh_first = dh + at.ldh, *h_first = h + at.ldh;
        Real* const da_first = da;
        const Size ldh = at.ldh, ldg = at.ldg;
        const auto finish = [=](Size t) {
            return [dh_t = dh_first + t * ldh, h_t = h_first + t * ldh,
                    to = da_first + t * ldg](Size j, Vec<Real> v) __attribute__((always_inline)) {
                store(to + j, Cell::step_back(load(dh_t + j) + v, load(h_t + j)));
            };
        };
        const Size last = T - 1;
        for (Size j = 0; j < ldg; j += Lanes<Real>) finish(last)(j, Vec<Real>{});
        const Real* const Wt = weights.turned + at.Wt;
        RowProducts(
            Wt, at.w_turned, [=](Size back) { return da_first + (last - back) * ldg; },
            [=](Size back) { return finish(last - back - 1); })
            .run(last);
    }
};

}  // namespace HORNBOOK_LEVEL
}  // namespace hornbook

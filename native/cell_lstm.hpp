// LSTM:  i = σ(a_i)  f = σ(a_f)  g = tanh(a_g)  o = σ(a_o)      a = u + v
//        c' = f∘c + i∘g          h' = o∘tanh(c')
//
// See family.hpp for what a cell is. A row holds a_i a_f a_g a_o, then i f g o, then their gradients.
#pragma once

#include "math.hpp"
#include "panels.hpp"

namespace hornbook {
inline namespace HORNBOOK_LEVEL {

template <class Real_> struct LstmCell {
    using Real = Real_;
    static constexpr Size gates = 4, blocks = 4, states = 2;
    static constexpr Size of_u[] = {0, 1, 2, 3}, of_v[] = {0, 1, 2, 3};

    static HORNBOOK_INLINE void step(Real* a, const Real*, const Real* c, Real* h_next, Real* c_next,
                                     Size n) {
        for (Size j = 0; j < n; j += Lanes<Real>) {
            const Vec<Real> i = sigmoid<Real>(load(a + j)), f = sigmoid<Real>(load(a + n + j));
            const Vec<Real> g = tanh<Real>(load(a + 2 * n + j)), o = sigmoid<Real>(load(a + 3 * n + j));
            const Vec<Real> cell = fma(f, load(c + j), i * g);  // c' = f∘c + i∘g
            store(a + j, i), store(a + n + j, f), store(a + 2 * n + j, g), store(a + 3 * n + j, o);
            store(c_next + j, cell);
            store(h_next + j, o * tanh<Real>(cell));  // h' = o∘tanh(c')
        }
    }

    static HORNBOOK_INLINE void step_back(Real* a, const Real*, const Real* c, const Real*,
                                          const Real* c_next, const Real* dh_next, Real*, Real* dc, Size n) {
        for (Size j = 0; j < n; j += Lanes<Real>) {
            const Vec<Real> i = load(a + j), f = load(a + n + j), g = load(a + 2 * n + j),
                            o = load(a + 3 * n + j), dh = load(dh_next + j), t = tanh<Real>(load(c_next + j)),
                            one = broadcast(Real(1));
            const Vec<Real> cell = fma(dh * o, one - t * t, load(dc + j));  // h' = o∘tanh(c')
            store(a + j, cell * g * i * (one - i));                         // c' = f∘c + i∘g, i = σ(a_i)
            store(a + n + j, cell * load(c + j) * f * (one - f));           // f = σ(a_f)
            store(a + 2 * n + j, cell * i * (one - g * g));                 // g = tanh(a_g)
            store(a + 3 * n + j, dh * t * o * (one - o));                   // h' = o∘tanh(c'), o = σ(a_o)
            store(dc + j, cell * f);                                        // c' = f∘c + i∘g
        }
    }
};

}  // namespace HORNBOOK_LEVEL
}  // namespace hornbook

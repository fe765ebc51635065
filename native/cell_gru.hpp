// GRU:  r = σ(u_r + v_r)  z = σ(u_z + v_z)  n = tanh(u_n + r∘v_n)      h' = (1 - z)∘n + z∘h
//
// See family.hpp for what a cell is. u_n and v_n stay apart, so a row has four blocks: u_n a_r a_z v_n, then
// n r z v_n, then the gradients of u_n a_r a_z v_n. The first three are u's, the last three v's.
#pragma once

#include "math.hpp"
#include "panels.hpp"

namespace hornbook {
inline namespace HORNBOOK_LEVEL {

template <class Real_> struct GruCell {
    using Real = Real_;
    static constexpr Size gates = 3, blocks = 4, states = 1;
    static constexpr Size of_u[] = {1, 2, 0}, of_v[] = {0, 1, 2};  // r z n

    static HORNBOOK_INLINE void step(Real* a, const Real* h, const Real*, Real* h_next, Real*, Size m) {
        for (Size j = 0; j < m; j += Lanes<Real>) {
            const Vec<Real> r = sigmoid<Real>(load(a + m + j)), z = sigmoid<Real>(load(a + 2 * m + j));
            const Vec<Real> n = tanh<Real>(fma(r, load(a + 3 * m + j), load(a + j)));
            store(a + j, n), store(a + m + j, r), store(a + 2 * m + j, z);
            store(h_next + j, fma(z, load(h + j) - n, n));  // h' = (1 - z)∘n + z∘h
        }
    }

    static HORNBOOK_INLINE void step_back(Real* a, const Real* h, const Real*, const Real*, const Real*,
                                          const Real* dh_next, Real* dh, Real*, Size m) {
        for (Size j = 0; j < m; j += Lanes<Real>) {
            const Vec<Real> n = load(a + j), r = load(a + m + j), z = load(a + 2 * m + j),
                            v = load(a + 3 * m + j), d = load(dh_next + j), one = broadcast(Real(1));
            const Vec<Real> dn = d * (one - z) * (one - n * n);  // n = tanh(u_n + r∘v_n)
            store(a + j, dn);
            store(a + m + j, dn * v * r * (one - r));                     // r = σ(a_r)
            store(a + 2 * m + j, d * (load(h + j) - n) * z * (one - z));  // h' = (1 - z)∘n + z∘h, z = σ(a_z)
            store(a + 3 * m + j, dn * r);                                 // n = tanh(u_n + r∘v_n)
            store(dh + j, fma(d, z, load(dh + j)));                       // h' = (1 - z)∘n + z∘h
        }
    }
};

}  // namespace HORNBOOK_LEVEL
}  // namespace hornbook

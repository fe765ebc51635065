// What a cell does after the matrix products, one time step of one stream: pointwise, on rows padded to whole
// vectors.
//
//   n  units, a multiple of Lanes     u  row of U for the character read     v = h' W     h' the state before
//
// A cell is a struct: its number of gates, `step`, and `step_back`, each line of which quotes the forward
// line it inverts.
#pragma once

#include "math.hpp"
#include "panels.hpp"

namespace hornbook {
inline namespace HORNBOOK_LEVEL {

// Vanilla:  a = u + b + v    h = tanh(a)
template <class Real_> struct Vanilla {
    using Real = Real_;
    static constexpr Size gates = 1;

    // h = np.tanh(u + b + v)
    static void step(Real* __restrict h, const Real* __restrict u, const Real* __restrict b,
                     const Real* __restrict v, Size n) {
        for (Size i = 0; i < n; i += Lanes<Real>) {
            store(h + i, tanh<Real>(load(u + i) + load(b + i) + load(v + i)));
        }
    }

    // da = dh * (1 - h * h)
    //
    // `total` collects |da|: one number that bounds every gradient, and is not finite as soon as one of them
    // is not.
    static void step_back(Real* __restrict da, const Real* __restrict dh, const Real* __restrict h, Size n,
                          Vec<Real>& total) {
        for (Size i = 0; i < n; i += Lanes<Real>) {
            const Vec<Real> y = load(h + i);
            const Vec<Real> a = load(dh + i) * (Real(1) - y * y);  // h = tanh(a):  dh/da = 1 - h²
            store(da + i, a);
            total += absolute<Real>(a);
        }
    }
};

}  // namespace HORNBOOK_LEVEL
}  // namespace hornbook

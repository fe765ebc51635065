// Vanilla:  a = u + v        h' = tanh(a)
//
// See family.hpp for what a cell is. A row holds a.
#pragma once

#include "math.hpp"
#include "panels.hpp"

namespace hornbook {
inline namespace HORNBOOK_LEVEL {

template <class Real_> struct VanillaCell {
    using Real = Real_;
    static constexpr Size gates = 1, blocks = 1, states = 1;
    static constexpr Size of_u[] = {0}, of_v[] = {0};

    static HORNBOOK_INLINE void step(Real* a, const Real*, const Real*, Real* h_next, Real*, Size n) {
        for (Size i = 0; i < n; i += Lanes<Real>) store(h_next + i, tanh<Real>(load(a + i)));
    }

    static HORNBOOK_INLINE void step_back(Real* a, const Real*, const Real*, const Real* h_next, const Real*,
                                          const Real* dh_next, Real*, Real*, Size n) {
        for (Size i = 0; i < n; i += Lanes<Real>) {
            const Vec<Real> h = load(h_next + i), dh = load(dh_next + i);
            store(a + i, dh - dh * h * h);  // h' = tanh(a), whose derivative is 1 - h' h'
        }
    }
};

}  // namespace HORNBOOK_LEVEL
}  // namespace hornbook

// What a cell does after the matrix products, one time step of one stream: pointwise, some units at a time.
//
//   V  a vector of any width     u  of the row of U for the character read     v = h' W     h' the state
//   before
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
    template <class V> static HORNBOOK_INLINE V step(V u, V b, V v) {
        return tanh<Real, sizeof(V) / sizeof(Real)>(u + b + v);
    }

    // da = dh * (1 - h * h)
    template <class V> static HORNBOOK_INLINE V step_back(V dh, V h) {
        return dh * (Real(1) - h * h);  // h = tanh(a):  dh/da = 1 - h²
    }
};

}  // namespace HORNBOOK_LEVEL
}  // namespace hornbook

// The cells that a network may be made of, as one table: the walk through time is written once and knows a
// cell by its sizes and its two pointwise functions.
//
//   G  gates     n  units of a layer, padded to whole vectors (padding is zero and stays so)
//   row  `blocks` blocks of n numbers: the first G are u = x U + b, the last G are v = h W; where the two
//        overlap the products are summed
//
// A cell is a struct: its sizes, the block of u and of v in which each gate of the flat buffer's order
// stands,
//     step(a, h, c, h', c', n)                             row a goes over to what the way back needs
//     step_back(a, h, c, h', c', dh', dh, dc, n)           and from there to the gradients of u and v;
//                                                          adds to dh what does not flow through v
// c is the second state; a cell of one state has none. Adding a cell is one file and one line in `family`.
#pragma once

#include <string>

#include "cell_gru.hpp"
#include "cell_lstm.hpp"
#include "cell_vanilla.hpp"

namespace hornbook {
inline namespace HORNBOOK_LEVEL {

// One of a layer's states for all streams, rows ld apart.
template <class T> struct Rows {
    T* at;
    Size ld;
    T* operator[](Size m) const { return at ? at + m * ld : nullptr; }
};

template <class Real> struct Cell {
    const char* name;
    Size gates, blocks, states;
    const Size *of_u, *of_v;  // (gates,)
    void (*step)(Rows<Real> a, Rows<const Real> h, Rows<const Real> c, Rows<Real> h_next, Rows<Real> c_next,
                 Size rows, Size n);
    void (*step_back)(Rows<Real> a, Rows<const Real> h, Rows<const Real> c, Rows<const Real> h_next,
                      Rows<const Real> c_next, Rows<const Real> dh_next, Rows<Real> dh, Rows<Real> dc,
                      Size rows, Size n);
};

template <class C, class Real = typename C::Real>
void step_rows(Rows<Real> a, Rows<const Real> h, Rows<const Real> c, Rows<Real> h_next, Rows<Real> c_next,
               Size rows, Size n) {
    for (Size m = 0; m < rows; ++m) C::step(a[m], h[m], c[m], h_next[m], c_next[m], n);
}

template <class C, class Real = typename C::Real>
void step_rows_back(Rows<Real> a, Rows<const Real> h, Rows<const Real> c, Rows<const Real> h_next,
                    Rows<const Real> c_next, Rows<const Real> dh_next, Rows<Real> dh, Rows<Real> dc,
                    Size rows, Size n) {
    for (Size m = 0; m < rows; ++m)
        C::step_back(a[m], h[m], c[m], h_next[m], c_next[m], dh_next[m], dh[m], dc[m], n);
}

template <class C> constexpr Cell<typename C::Real> entry(const char* name) {
    return {name, C::gates, C::blocks, C::states, C::of_u, C::of_v, step_rows<C>, step_rows_back<C>};
}

template <class Real>
inline constexpr Cell<Real> family[] = {entry<VanillaCell<Real>>("vanilla"), entry<GruCell<Real>>("gru"),
                                        entry<LstmCell<Real>>("lstm")};

// The cell of a name, or null.
template <class Real> const Cell<Real>* cell_named(const std::string& name) {
    for (const Cell<Real>& cell : family<Real>)
        if (name == cell.name) return &cell;
    return nullptr;
}

}  // namespace HORNBOOK_LEVEL
}  // namespace hornbook

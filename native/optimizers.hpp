// Clip and step, on a contiguous stretch of parameters: elementwise, so padding (gradient zero) stays as it
// is.
//
//   theta  parameters (from is out, or the block they stood in before)     m  AdaGrad's memory
//   g      gradient
//   all (n,), n rounded up to whole vectors
#pragma once

#include "math.hpp"
#include "panels.hpp"

namespace hornbook {
inline namespace HORNBOOK_LEVEL {

enum class Optimizer { sgd, adagrad };
enum class Clip { none, value, norm };

struct Measured {
    double squares = 0;  // Σ g², before clipping
    int64_t beyond = 0;  // entries with |g| > limit
};

// How many entries of g lie beyond the limit.
template <class Real> int64_t count_beyond(const Real* g, Size n, Real limit) {
    const Vec<Real> top = broadcast(limit);
    IntVec<Real> beyond{};
    for (Size i = 0; i < n; i += Lanes<Real>) beyond -= absolute<Real>(load(g + i)) > top;
    int64_t count = 0;
    for (int i = 0; i < Lanes<Real>; ++i) count += beyond[i];
    return count;
}

// m += g * g; theta -= rate * g / np.sqrt(m + 1e-8)         (SGD: theta -= rate * g)
//
// Entries beyond the limit are rare: they are counted only where the largest is one of them.
// `finite`: the memory is known to be.
template <class Real, Optimizer optimizer, bool clip, bool measure, bool finite>
void step(Real* theta, const Real* from, Real* __restrict m, const Real* __restrict g_, Size n, Real rate,
          Real limit, Measured& measured) {
    const Vec<Real> top = broadcast(limit), eta = broadcast(rate), epsilon = broadcast(Real(1e-8));
    Vec<Real> squares{}, largest{};
    for (Size i = 0; i < n; i += Lanes<Real>) {
        Vec<Real> g = load(g_ + i);
        if constexpr (measure) squares = fma(g, g, squares);
        if constexpr (measure && clip) largest = max(largest, absolute<Real>(g));
        if constexpr (clip) g = max(-top, min(top, g));
        if constexpr (optimizer == Optimizer::adagrad) {
            const Vec<Real> memory = fma(g, g, load(m + i));
            store(m + i, memory);
            store(theta + i, load(from + i) - over_root<Real, finite>(eta, g, memory + epsilon));
        } else {
            store(theta + i, fma(-eta, g, load(from + i)));
        }
    }
    if constexpr (measure) measured.squares += double(reduce_add<Real>(squares));
    if constexpr (measure && clip)
        if (reduce_max<Real>(largest) > limit) measured.beyond += count_beyond(g_, n, limit);
}

template <class Real>
using Step = void (*)(Real*, const Real*, Real*, const Real*, Size, Real, Real, Measured&);

namespace detail {
template <class Real, Optimizer optimizer, int... Bits>
Step<Real> pick_step(int bits, std::integer_sequence<int, Bits...>) {
    static constexpr Step<Real> table[] = {
        step<Real, optimizer, bool(Bits & 4), bool(Bits & 2), bool(Bits & 1)>...};
    return table[bits];
}
}  // namespace detail

template <class Real> Step<Real> choose_step(Optimizer optimizer, bool clip, bool measure, bool finite) {
    constexpr std::make_integer_sequence<int, 8> all{};
    const int bits = 4 * clip + 2 * measure + finite;
    return optimizer == Optimizer::sgd ? detail::pick_step<Real, Optimizer::sgd>(bits, all)
                                       : detail::pick_step<Real, Optimizer::adagrad>(bits, all);
}

}  // namespace HORNBOOK_LEVEL
}  // namespace hornbook

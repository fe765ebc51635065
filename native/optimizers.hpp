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

// What is to be known of a stretch of the gradient. Entries beyond the limit are rare: they are counted only
// where the largest is one of them.
template <class Real> void measure(const Real* g, Size n, Real limit, Measured& measured) {
    Vec<Real> squares{}, largest{};
    for (Size i = 0; i < n; i += Lanes<Real>) {
        const Vec<Real> x = load(g + i);
        squares = fma(x, x, squares), largest = max(largest, absolute<Real>(x));
    }
    measured.squares += double(reduce_add<Real>(squares));
    if (reduce_max<Real>(largest) > limit) measured.beyond += count_beyond(g, n, limit);
}

// m += g * g; theta -= rate * g / np.sqrt(m + 1e-8)         (SGD: theta -= rate * g)
//
// `finite`: the memory is known to stay so.
template <class Real, Optimizer optimizer, bool clip, bool finite>
void step(Real* theta, const Real* from, Real* __restrict m, const Real* __restrict g_, Size n, Real rate,
          Real limit) {
    const Vec<Real> top = broadcast(limit), eta = broadcast(rate), epsilon = broadcast(Real(1e-8));
    for (Size i = 0; i < n; i += Lanes<Real>) {
        Vec<Real> g = load(g_ + i);
        if constexpr (clip) g = max(-top, min(top, g));
        if constexpr (optimizer == Optimizer::adagrad) {
            const Vec<Real> memory = fma(g, g, load(m + i));
            store(m + i, memory);
            store(theta + i, load(from + i) - over_root<Real, finite>(eta, g, memory + epsilon));
        } else {
            store(theta + i, fma(-eta, g, load(from + i)));
        }
    }
}

template <class Real> using Step = void (*)(Real*, const Real*, Real*, const Real*, Size, Real, Real);

template <class Real> Step<Real> choose_step(Optimizer optimizer, bool clip, bool finite) {
    constexpr auto sgd = Optimizer::sgd, adagrad = Optimizer::adagrad;
    if (optimizer == sgd) return clip ? step<Real, sgd, true, true> : step<Real, sgd, false, true>;
    if (clip && finite) return step<Real, adagrad, true, true>;
    return clip ? step<Real, adagrad, true, false> : step<Real, adagrad, false, false>;
}

}  // namespace HORNBOOK_LEVEL
}  // namespace hornbook

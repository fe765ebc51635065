// The update rules, elementwise on a contiguous stretch of parameters.
//
//   θ  parameters (from is out, or the block they stood in before)     g  gradient     η  rate     λ  decay
//   m s  optimizer memory, as many of them as the rule has slots
//   all (n,), n a multiple of Lanes
#pragma once

#include <cmath>
#include <string>

#include "math.hpp"
#include "panels.hpp"

namespace hornbook {
inline namespace HORNBOOK_LEVEL {

// What one update does to each parameter, as far as it is the same for all.
template <class Real> struct Stride {
    Real rate, decay;    // η and η λ
    Real factor, limit;  // g is multiplied by the one and cut to ± the other (infinite: it is not)
    Real first, second;  // 1 / (1 - 0.9^t) and 1 / (1 - 0.999^t), the t-th update
};

template <class Real>
using Rule = void (*)(Real* out, const Real* from, Real* m, Real* s, const Real* g, Size n,
                      const Stride<Real>& by);

// θ = θ - η λ θ - η f(g), `f` being the rule
template <class Real, class F>
HORNBOOK_INLINE void apply(Real* out, const Real* from, const Real* g, Size n, const Stride<Real>& by, F f) {
    const Vec<Real> top = broadcast(by.limit);
    for (Size i = 0; i < n; i += Lanes<Real>) {
        const Vec<Real> x = max(-top, min(top, load(g + i) * by.factor)), theta = load(from + i);
        store(out + i, fma(broadcast(-by.decay), theta, theta) - by.rate * f(i, x));
    }
}

// θ ← θ - η g
template <class Real>
void sgd(Real* out, const Real* from, Real*, Real*, const Real* g, Size n, const Stride<Real>& by) {
    apply(out, from, g, n, by, [](Size, Vec<Real> x) __attribute__((always_inline)) { return x; });
}

// m ← m + g²     θ ← θ - η g / √(m + ε)
template <class Real>
void adagrad(Real* out, const Real* from, Real* m, Real*, const Real* g, Size n, const Stride<Real>& by) {
    apply(out, from, g, n, by, [m](Size i, Vec<Real> x) __attribute__((always_inline)) {
        const Vec<Real> sum = fma(x, x, load(m + i));
        store(m + i, sum);
        return x / root(sum + Real(1e-8));
    });
}

// m ← 0.99 m + 0.01 g²     θ ← θ - η g / (√m + ε)
template <class Real>
void rmsprop(Real* out, const Real* from, Real* m, Real*, const Real* g, Size n, const Stride<Real>& by) {
    apply(out, from, g, n, by, [m](Size i, Vec<Real> x) __attribute__((always_inline)) {
        const Vec<Real> mean = fma(x * x, broadcast(Real(0.01)), Real(0.99) * load(m + i));
        store(m + i, mean);
        return x / (root(mean) + Real(1e-8));
    });
}

// m ← 0.9 m + 0.1 g     s ← 0.999 s + 0.001 g²     θ ← θ - η m̂ / (√ŝ + ε), m̂ = m / (1 - 0.9^t), ŝ likewise
template <class Real>
void adam(Real* out, const Real* from, Real* m, Real* s, const Real* g, Size n, const Stride<Real>& by) {
    apply(out, from, g, n, by, [m, s, &by](Size i, Vec<Real> x) __attribute__((always_inline)) {
        const Vec<Real> mean = fma(x, broadcast(Real(0.1)), Real(0.9) * load(m + i)),
                        square = fma(x * x, broadcast(Real(0.001)), Real(0.999) * load(s + i));
        store(m + i, mean), store(s + i, square);
        return mean * by.first / (root(square * by.second) + Real(1e-8));
    });
}

template <class Real> struct Optimization {
    const char* name;
    Size slots;
    Rule<Real> rule;
};

template <class Real>
inline constexpr Optimization<Real> rules[] = {{"sgd", 0, sgd<Real>},
                                               {"adagrad", 1, adagrad<Real>},
                                               {"rmsprop", 1, rmsprop<Real>},
                                               {"adam", 2, adam<Real>}};

// The rule of a name, or null.
template <class Real> const Optimization<Real>* rule_named(const std::string& name) {
    for (const Optimization<Real>& rule : rules<Real>)
        if (name == rule.name) return &rule;
    return nullptr;
}

// What is known of a stretch of the gradient before clipping: Σ g², and how many entries exceed the limit.
struct Measure {
    double squares = 0;
    int64_t beyond = 0;
};

// g = parts[0] + parts[1] + ... in this order; g may be parts[0]
template <class Real>
Measure sum_of(Real* g, const std::vector<const Real*>& parts, Size first, Size n, Real limit) {
    using Wide = typename VectorOf<double, Lanes<Real>>::type;
    Wide squares{};
    IntVec<Real> beyond{};
    for (Size i = first; i < first + n; i += Lanes<Real>) {
        Vec<Real> x = load(parts[0] + i);
        for (size_t p = 1; p < parts.size(); ++p) x += load(parts[p] + i);
        store(g + i, x);
        const Wide wide = __builtin_convertvector(x, Wide);
        squares += wide * wide;
        beyond -= absolute<Real>(x) > broadcast(limit);
    }
    Measure measure;
    for (int i = 0; i < Lanes<Real>; ++i) measure.squares += squares[i], measure.beyond += beyond[i];
    return measure;
}

}  // namespace HORNBOOK_LEVEL
}  // namespace hornbook

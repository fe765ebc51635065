// The loss of each character and its gradient, a row of logits at a time. The loss is logsumexp(o) - o[y],
// never the logarithm of a probability.
//
//   T  rows     K  symbols     ld  K padded to whole vectors (the padding of o holds minus infinity)
#pragma once

#include "math.hpp"
#include "panels.hpp"

namespace hornbook {
inline namespace HORNBOOK_LEVEL {

// e = np.exp(o - o.max()); returns o.max(), e.sum()
template <class Real> struct MaxAndSum {
    Real most, sum;
};
template <class Real> MaxAndSum<Real> exponentials(Real* e, const Real* o, Size ld) {
    Vec<Real> most = load(o);
    for (Size k = Lanes<Real>; k < ld; k += Lanes<Real>) most = max(most, load(o + k));
    const Real peak = reduce_max<Real>(most);
    Vec<Real> sum{};
    for (Size k = 0; k < ld; k += Lanes<Real>) {
        const Vec<Real> x = exp<Real>(load(o + k) - broadcast(peak));
        store(e + k, x);
        sum += x;
    }
    return {peak, reduce_add<Real>(sum)};
}

// nats = np.log(e.sum(-1)) + o.max(-1) - o[range(T), y]
//
// On entry nats holds the sums and `most` the maxima; the logarithms are taken a vector of rows at a time.
template <class Real>
void finish_nats(Real* nats, const Real* most, const Real* o, const uint32_t* y, Size T, Size ld) {
    for (Size t = 0; t < T; t += Lanes<Real>)
        store(nats + t, log<Real>(load(nats + t)) + load(most + t));  // buffers of round_up(T)
    for (Size t = 0; t < T; ++t) nats[t] -= o[t * ld + y[t]];
}

// do = scale * (softmax(o) - onehot(y))
template <class Real>
void softmax_loss(Real* d_o, Real* nats, Real* most, const Real* o, const uint32_t* y, Size T, Size ld,
                  Real scale) {
    for (Size t = 0; t < T; ++t) {
        Real* row = d_o + t * ld;
        const auto [peak, sum] = exponentials(row, o + t * ld, ld);
        const Vec<Real> factor = broadcast(scale / sum);
        for (Size k = 0; k < ld; k += Lanes<Real>) store(row + k, load(row + k) * factor);
        row[y[t]] -= scale;
        most[t] = peak, nats[t] = sum;
    }
    finish_nats(nats, most, o, y, T, ld);
}

}  // namespace HORNBOOK_LEVEL
}  // namespace hornbook

// The loss of each character and its gradient, a row of logits at a time. The loss is logsumexp(o) - o[y],
// never the logarithm of a probability.
//
//   T  rows     K  symbols     k  K padded to whole vectors (the padding of o holds minus infinity)
//   ld  how far the next row is
//
// Rows are changed in place: where o and its gradient lay a multiple of 4 KB apart, loads of the one would
// wait for stores to the other.
#pragma once

#include "math.hpp"
#include "panels.hpp"

namespace hornbook {
inline namespace HORNBOOK_LEVEL {

// nats = o.max(-1); above = nats - o[range(T), y]
template <class Real>
void find_most(Real* nats, Real* above, const Real* o, const uint32_t* y, Size T, Size k, Size ld) {
    for (Size t = 0; t < T; ++t, o += ld) {
        Vec<Real> most = load(o);
        for (Size i = Lanes<Real>; i < k; i += Lanes<Real>) most = max(most, load(o + i));
        nats[t] = reduce_max<Real>(most);
        above[t] = nats[t] - o[y[t]];
    }
}

// o = np.exp(o - nats); nats = o.sum(-1)
template <class Real> void exponentials(Real* nats, Real* o, Size T, Size k, Size ld) {
    for (Size t = 0; t < T; ++t, o += ld) {
        const Vec<Real> most = broadcast(nats[t]);
        Vec<Real> sum{};
        for (Size i = 0; i < k; i += Lanes<Real>) {
            const Vec<Real> e = exp_or_zero<Real>(load(o + i) - most);
            store(o + i, e);
            sum += e;
        }
        nats[t] = reduce_add<Real>(sum);
    }
}

// nats = np.log(nats) + above, a vector of rows at a time
template <class Real> void finish_nats(Real* nats, const Real* above, Size T) {
    for (Size t = 0; t < T; t += Lanes<Real>)
        store(nats + t, log<Real>(load(nats + t)) + load(above + t));  // buffers of round_up(T)
}

// do = scale * (softmax(o) - onehot(y)), in place of o
template <class Real>
void softmax_loss(Real* o, Real* nats, Real* above, const uint32_t* y, Size T, Size k, Size ld, Real scale) {
    find_most(nats, above, o, y, T, k, ld);
    exponentials(nats, o, T, k, ld);
    for (Size t = 0; t < T; ++t) {
        Real* row = o + t * ld;
        const Vec<Real> factor = broadcast(scale / nats[t]);
        for (Size i = 0; i < k; i += Lanes<Real>) store(row + i, load(row + i) * factor);
        row[y[t]] -= scale;
    }
    finish_nats(nats, above, T);
}

}  // namespace HORNBOOK_LEVEL
}  // namespace hornbook

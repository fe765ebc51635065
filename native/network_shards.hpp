// The streams of a window divided into shards, taken forward and back by one or more threads.
//
//   L layers   T time steps   B streams   S states of the cell
//   shard   a fixed share of the streams, whose gradient is summed on its own
#pragma once

#include "network_gradients.hpp"

namespace hornbook {
inline namespace HORNBOOK_LEVEL {

// One shard: its streams, their window and its gradients.
template <class Real> struct Shard {
    const Size first, streams;
    NetworkWindow<Real> window;
    NetworkGradients<Real> gradients;
    Shard(const NetworkLayout<Real>& at, Size first_, Size streams_, Size T, bool drops)
        : first(first_), streams(streams_), window(at, T, streams_, drops), gradients(window) {}
};

// B streams divided into shards, read and differentiated by one or more threads.
template <class Real> class Differentiator {
  public:
    const NetworkLayout<Real>& at;
    const Size T, B;
    std::deque<Shard<Real>> shards;

    Differentiator(const NetworkLayout<Real>& layout, Size steps, Size streams, Size parts, bool drops)
        : at(layout), T(steps), B(streams) {
        parts = std::min(parts, B);
        for (Size i = 0; i < parts; ++i) {
            const Size first = share(B, parts, i);
            shards.emplace_back(at, first, share(B, parts, i + 1) - first, T, drops);
        }
        block_ = std::max<Size>(1, WalkRows / ((B + parts - 1) / parts));
    }

    // Forward and back for the shards first ... last - 1, whose windows hold characters and the first state.
    // dstate and dfirst (L, S, B, H) may be null.
    void run(const NetworkWeights<Real>& weights, Size first, Size last, Real scale, const Dropout& dropout,
             int64_t update, const Real* dstate, Real* dfirst) {
        const TilesOfCall tiles;
        for (Size l = 0; l < at.L; ++l) forward(weights, l, first, last, dropout, update);
        each(first, last, [&](Shard<Real>& shard) { shard.gradients.foretell(weights, scale); });
        const Size layer = at.cell.states * B * at.H;
        for (Size l = at.L - 1; l >= 0; --l) {
            each(first, last, [&](Shard<Real>& shard) {
                shard.gradients.begin(dstate ? dstate + l * layer : nullptr, B, shard.first);
            });
            for (Size to = T; to > 0; to = std::max<Size>(0, to - block_))
                back(weights, l, std::max<Size>(0, to - block_), to, first, last, dfirst != nullptr);
            each(first, last, [&](Shard<Real>& shard) {
                if (dfirst) shard.gradients.end(dfirst + l * layer, B, shard.first);
            });
        }
    }

    double loss() const {
        double total = 0;
        for (const Shard<Real>& shard : shards) total += shard.gradients.loss;
        return total / double(B);
    }

  private:
    Size block_;  // time steps of a block

    template <class Visit> void each(Size first, Size last, Visit visit) {
        for (Size i = first; i < last; ++i) visit(shards[size_t(i)]);
    }

    void forward(const NetworkWeights<Real>& weights, Size l, Size first, Size last, const Dropout& dropout,
                 int64_t update) {
        for (Size from = 0; from < T; from += block_) {
            const Size to = std::min(T, from + block_);
            walk(weights, l, from, to, last - first == 1, [&](auto visit) __attribute__((always_inline)) {
                each(first, last, [&](Shard<Real>& shard) { visit(shard.window); });
            });
            each(first, last, [&](Shard<Real>& shard) {
                for (Size t = from; shard.window.drops() && t < to; ++t)
                    shard.window.drop(dropout, l, t, uint64_t(update), shard.first);
            });
        }
    }

    void back(const NetworkWeights<Real>& weights, Size l, Size from, Size to, Size first, Size last,
              bool whole) {
        const Size panels = weights.layers[size_t(l)].W_turned.in.parts,
                   some = last - first == 1 ? panels : 1;
        for (Size t = to - 1; t >= from; --t) {
            each(first, last, [&](Shard<Real>& shard) { shard.gradients.step_back(l, t); });
            for (Size p = 0; p < panels && (t > 0 || whole); p += some)
                each(first, last,
                     [&](Shard<Real>& shard) { shard.gradients.recur_back(weights, l, t, p, p + some); });
        }
        each(first, last, [&](Shard<Real>& shard) { shard.gradients.block_back(weights, l, from, to); });
    }
};

}  // namespace HORNBOOK_LEVEL
}  // namespace hornbook

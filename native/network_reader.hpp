// Reading without learning: the nats of every character, the next one's logits, and characters drawn. Rows of
// different streams never meet, so streams are divided over threads as suits and bits stay the same.
//
//   K symbols   H units   M streams   n characters of each
#pragma once

#include "network_gradients.hpp"
#include "sampler.hpp"
#include "team.hpp"

namespace hornbook {
inline namespace HORNBOOK_LEVEL {

// Calls work(first stream, streams) for groups of at most `most` streams, in some threads. Only memory for a
// group's buffers can be missing.
template <class Work> void divide_streams(Size M, Size most, Size threads, Work work) {
    const Size groups = std::max(std::min(threads, M), (M + most - 1) / most);
    std::atomic<Size> next{0};
    std::atomic<bool> failed{false};
    work_together(int(std::min(threads, groups)), [&](int, int, Meeting&) {
        const TilesOfCall tiles;
        try {
            for (Size i; !failed && (i = next.fetch_add(1)) < groups;)
                work(share(M, groups, i), share(M, groups, i + 1) - share(M, groups, i));
        } catch (const std::bad_alloc&) {
            failed = true;
        }
    });
    if (failed) throw std::bad_alloc();
}

// Some streams that are read step by step.
template <class Real> class NetworkReader {
  public:
    NetworkReader(const NetworkWeights<Real>& weights, Size steps, Size streams)
        : window(weights.at, steps, streams), output(weights.at), weights_(weights) {}

    NetworkWindow<Real> window;
    NetworkOutput<Real> output;

    void read(Size steps) {
        for (Size l = 0; l < weights_.at.L; ++l)
            walk(weights_, l, 0, steps, true, [&](auto visit) { visit(window); });
    }

    // Calls visit(first row, rows) for the predictions of some rows of the top layer's states, from time t
    // on, at a time; their logits stand in output.o.
    template <class Visit> void foretell(Size t, Size all, Visit visit) {
        for (Size r = 0; r < all; r += OutputRows) {
            const Size rows = std::min(OutputRows, all - r);
            output.foretell(weights_, window.h(weights_.at.L - 1, t)[r], rows, window.pairs);
            visit(r, rows);
        }
    }

  private:
    const NetworkWeights<Real>& weights_;
};

// nats (n, M), hidden (n, M, H) of the top layer, state (L, S, M, H) in and out, from x and y (n, M)
template <class Real>
void read_text(const NetworkWeights<Real>& weights, const int64_t* x, const int64_t* y, Size n, Size M,
               Real* state, double* nats, Real* hidden, Size threads) {
    constexpr Size most = 64;
    const Size H = weights.at.H, top = weights.at.L - 1;
    divide_streams(M, most, threads, [&](Size first, Size streams) {
        const Size steps = std::min(n, std::max<Size>(1, OutputRows / streams));
        NetworkReader<Real> reader(weights, steps, streams);
        NetworkWindow<Real>& window = reader.window;
        for (Size from = 0; from < n; from += steps) {
            const Size some = std::min(steps, n - from);
            window.take(state, M, first);
            for (Size r = 0; r < some * streams; ++r) {
                const Size place = (from + r / streams) * M + first + r % streams;
                window.x[r] = uint32_t(x[place]), window.y[r] = uint32_t(y[place]);
            }
            reader.read(some);
            reader.foretell(1, some * streams, [&](Size at, Size rows) {
                reader.output.weigh(window.y + at, rows, Real(0));
                for (Size r = 0; r < rows; ++r) {
                    const Size row = at + r, place = (from + row / streams) * M + first + row % streams;
                    nats[place] = double(reader.output.nats[r]);
                    std::copy_n(window.h(top, 1)[row], H, hidden + place * H);
                }
            });
            window.put(state, M, first, some);
        }
    });
}

// logits (M, K), state (L, S, M, H) in and out, from ids (M,)
template <class Real>
void read_one(const NetworkWeights<Real>& weights, const int64_t* ids, Size M, Real* state, Real* logits,
              Size threads) {
    divide_streams(M, OutputRows, threads, [&](Size first, Size streams) {
        NetworkReader<Real> reader(weights, 1, streams);
        reader.window.take(state, M, first);
        for (Size m = 0; m < streams; ++m) reader.window.x[m] = uint32_t(ids[first + m]);
        reader.read(1);
        reader.foretell(1, streams, [&](Size at, Size rows) {
            for (Size r = 0; r < rows; ++r)
                std::copy_n(reader.output.o + r * weights.at.ld_v, weights.at.K,
                            logits + (first + at + r) * weights.at.K);
        });
        reader.window.put(state, M, first, 1);
    });
}

// ids (M, n), state (L, S, M, H) and last (M,) in and out; last[m] = -1: no character was read yet, the state
// alone foretells the first. As Sampler of sampler.hpp, for every network; see also network_portions.hpp.
template <class Real>
void write_text(const NetworkWeights<Real>& weights, int64_t* ids, Real* state, int64_t* last, Size M, Size n,
                const Taste& taste, const Place& place, uint64_t position, Size threads) {
    const NetworkLayout<Real>& at = weights.at;
    divide_streams(M, OutputRows, threads, [&](Size first, Size streams) {
        NetworkReader<Real> reader(weights, 1, streams);
        Chooser<Real> chooser(at.K);
        reader.window.take(state, M, first);
        for (Size i = 0; i < n; ++i) {
            for (Size m = 0; m < streams; ++m)
                reader.window.x[m] = uint32_t(std::max<int64_t>(0, last[first + m]));
            reader.read(1);
            for (Size m = 0; m < streams; ++m)
                if (last[first + m] >= 0) reader.window.turn_over(m);
            reader.foretell(0, streams, [&](Size from, Size rows) {
                for (Size r = from; r < from + rows; ++r) {
                    Place own = place;
                    own.stream += uint64_t(first + r);
                    ids[(first + r) * n + i] = last[first + r] = chooser.choose(
                        reader.output.o + (r - from) * at.ld_v, taste, uniform(own, position + uint64_t(i)));
                }
            });
        }
        reader.window.put(state, M, first, 0);
    });
}

}  // namespace HORNBOOK_LEVEL
}  // namespace hornbook

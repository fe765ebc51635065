// Writing: one character after the other, many independent streams side by side over the cores.
//
//   S  streams     n  characters of each     K  symbols     H  hidden units
//
// A stream's characters depend on its own state, last character and random numbers only, and a random number
// on (seed, purpose, stream, update, position) only: threads and the way n is split change nothing.
#pragma once

#include <algorithm>
#include <atomic>
#include <cmath>
#include <thread>
#include <vector>

#include "philox.hpp"
#include "recurrence.hpp"

namespace hornbook {
inline namespace HORNBOOK_LEVEL {

struct Taste {
    double temperature;  // 0: the most likely symbol
    int64_t top_k;       // 0: all
    double top_p;        // 1: all
};

// Draws a symbol from softmax(o / temperature), cut to the top_k most likely and then to the fewest that
// reach top_p. Weights are doubles; where nothing is cut, they are first drafted in float, which nearly
// always tells what they would draw.
template <class Real> class Chooser {
  public:
    explicit Chooser(Size K)
        : K_(K), kept_(K), drafts_(round_up<float>(K)), last_(Lanes<float>), weights_(round_up<double>(K)),
          scaled_(round_up<double>(K)), order_(size_t(K)) {
        std::fill_n(static_cast<Real*>(last_), Lanes<float>, Real(-HUGE_VAL));
        std::fill(scaled_ + K, scaled_ + round_up<double>(K), -HUGE_VAL);  // of weight zero
    }

    int64_t choose(const Real* o, const Taste& taste, double uniform) {
        const Real most = largest(o);
        if (taste.temperature == 0) return first_equal(o, most);
        const bool cuts = (taste.top_k > 0 && taste.top_k < K_) || taste.top_p < 1;
        if (!cuts && taste.temperature > 1e-30 && taste.temperature < 1e30) {
            const int64_t drafted = draft(o, most, float(1 / taste.temperature), float(uniform));
            if (drafted >= 0) return drafted;
        }
        // p = np.exp((o - o.max()) / temperature)
        for (Size k = 0; k < K_; ++k) scaled_[k] = (double(o[k]) - double(most)) / taste.temperature;
        for (Size k = 0; k < K_; k += Lanes<double>) store(weights_ + k, exp<double>(load(scaled_ + k)));
        if (cuts) cut(taste);
        return invert(uniform);
    }

  private:
    Size K_;
    Buffer<char> kept_;                // (K,)
    Buffer<float> drafts_;             // (round_up(K),)
    Buffer<Real> last_;                // (Lanes,) the logits that fill no vector, and minus infinity
    Buffer<double> weights_, scaled_;  // (round_up(K),)
    std::vector<int32_t> order_;       // (K,)

    // o.max(), of those that are numbers; minus infinity where none is.
    Real largest(const Real* o) const {
        Vec<Real> most = broadcast(Real(-HUGE_VAL));
        Size k = 0;
        for (; k + Lanes<Real> <= K_; k += Lanes<Real>) most = max(load(o + k), most);
        Real value = reduce_max<Real>(most);
        for (; k < K_; ++k) value = std::max(value, o[k]);
        return value;
    }

    // The lowest id where several are equal; 0 where none is a number.
    int64_t first_equal(const Real* o, Real value) const {
        const Real* found = std::find(o, o + K_, value);
        return found == o + K_ ? 0 : found - o;
    }

    // The symbol that the weights in double would draw, as weights w = e^x in float tell, or -1 where the
    // draw falls so near to an edge between two symbols that they cannot.
    //
    // With u = 2^-24, an x is within 3 u |x| and so its w within (6 + 3 |x|) u w, for exp errs by 3 ulp.
    // Since the largest w is 1, Σ w |x| <= log(K) Σ w. Adding vectors of N and then single weights errs by (K
    // / N + 2 N) u Σ w. So the sums up to a symbol and the target, a share of all, differ from what they are
    // in double by less than (K + 128) u Σ w together.
    int64_t draft(const Real* o, Real most, float scale, float uniform) {
        constexpr int N = Lanes<float>;
        Vec<float> sums{};
        const auto weigh = [&](Size k, const Real* from) __attribute__((always_inline)) {
            typename VectorOf<Real, N>::type v;
            std::memcpy(&v, from, sizeof v);
            const Vec<float> w = exp<float>(__builtin_convertvector(v - most, Vec<float>) * scale);
            store(drafts_ + k, w);
            sums += w;
        };
        Size k = 0;
        for (; k + N <= K_; k += N) weigh(k, o + k);
        if (k < K_) std::copy(o + k, o + K_, static_cast<Real*>(last_)), weigh(k, last_);
        const float total = reduce_add<float>(sums), target = uniform * total,
                    error = float(K_ + 128) * 0x1p-24f * total;
        const Drawn<float> drawn = first_beyond<float>(drafts_, target);
        return drawn.before < target - error && drawn.reached > target + error ? drawn.k : -1;
    }

    // Zeroes the weights that are cut. Sorted by falling weight, equal ones by id.
    void cut(const Taste& taste) {
        for (Size k = 0; k < K_; ++k) {
            order_[size_t(k)] = int32_t(k), kept_[k] = 0;
            if (std::isnan(weights_[k])) weights_[k] = 0;  // has no place in an order
        }
        std::sort(order_.begin(), order_.end(), [this](int32_t a, int32_t b) {
            return weights_[a] != weights_[b] ? weights_[a] > weights_[b] : a < b;
        });
        const Size most = taste.top_k > 0 ? std::min<Size>(taste.top_k, K_) : K_;
        double total = 0, reached = 0;
        for (Size i = 0; i < most; ++i) total += weights_[order_[size_t(i)]];
        for (Size i = 0; i < most; ++i) {
            kept_[order_[size_t(i)]] = 1;
            reached += weights_[order_[size_t(i)]];
            if (taste.top_p < 1 && reached >= taste.top_p * total) break;
        }
        for (Size k = 0; k < K_; ++k)
            if (!kept_[k]) weights_[k] = 0;
    }

    // A symbol, and the sum of all weights before it and up to it.
    template <class W> struct Drawn {
        Size k;  // K: none
        W before, reached;
    };

    // The first symbol of a weight that is not zero at which the sum exceeds `target`: as many lanes at a
    // time as lie before it, then one by one
    template <class W> Drawn<W> first_beyond(const W* weights, W target) const {
        W reached = 0;
        Size k = 0;
        for (; k + Lanes<W> < K_; k += Lanes<W>) {
            const W more = reduce_add<W>(load(weights + k));
            if (reached + more > target) break;
            reached += more;
        }
        for (; k < K_; ++k) {
            const W before = reached;
            if (weights[k] != 0 && (reached += weights[k]) > target) return {k, before, reached};
        }
        return {K_, reached, reached};
    }

    // np.searchsorted(np.cumsum(p), uniform * p.sum(), side="right"), never a symbol that is cut
    int64_t invert(double uniform) const {
        Vec<double> sums = {};
        for (Size k = 0; k < K_; k += Lanes<double>) sums += load(weights_ + k);
        const Size k = first_beyond<double>(weights_, uniform * reduce_add<double>(sums)).k;
        return k < K_ ? k : last_kept();
    }

    int64_t last_kept() const {
        Size k = K_ - 1;
        while (k > 0 && weights_[k] == 0) --k;
        return k;
    }
};

template <class Cell> class Sampler {
  public:
    using Real = typename Cell::Real;
    explicit Sampler(const Weights<Cell>& weights) : weights_(weights) {}

    // ids (S, n), state (S, H) and last (S,) in and out; last[s] = -1: no character was read yet, the state
    // alone foretells the first.
    void sample(int64_t* ids, Real* state, int64_t* last, Size S, Size n, const Taste& taste,
                const Place& place, uint64_t position, Size threads) const {
        std::atomic<Size> next{0};
        std::atomic<bool> failed{false};  // only memory for a stream's buffers can be missing
        const auto work = [&] {
            try {
                for (Size s; !failed && (s = next.fetch_add(1)) < S;) {
                    Place own = place;
                    own.stream += uint64_t(s);
                    write(ids + s * n, state + s * weights_.at.H, last[s], n, taste, own, position);
                }
            } catch (const std::bad_alloc&) {
                failed = true;
            }
        };
        std::vector<std::thread> helpers;
        try {
            for (Size i = 1; i < std::min(threads, S); ++i) helpers.emplace_back(work);
        } catch (const std::exception&) {
            // The system gives no more threads: those there are do all.
        }
        work();
        for (std::thread& helper : helpers) helper.join();
        if (failed) throw std::bad_alloc();
    }

  private:
    const Weights<Cell>& weights_;

    void write(int64_t* ids, Real* state, int64_t& last, Size n, const Taste& taste, const Place& place,
               uint64_t position) const {
        const Layout<Cell>& at = weights_.at;
        Buffer<Real> h(2 * at.ldh), o(at.ldk);
        Chooser<Real> chooser(at.K);
        Real *now = h, *before = h + at.ldh;
        std::copy_n(state, at.H, now);
        for (Size i = 0; i < n; ++i) {
            if (last >= 0) {
                std::swap(now, before);
                const uint32_t symbol = uint32_t(last);
                read_steps<Cell>(weights_, &symbol, 1, before, now);
            }
            foretell(now, o);
            ids[i] = last = chooser.choose(o, taste, uniform(place, position + uint64_t(i)));
        }
        std::copy_n(now, at.H, state);
    }

    // o = h @ V + c
    void foretell(const Real* h, Real* o) const {
        const Layout<Cell>& at = weights_.at;
        multiply_row<Real>(o, weights_.block + at.c, h, weights_.block + at.V, at.v);
    }
};

}  // namespace HORNBOOK_LEVEL
}  // namespace hornbook

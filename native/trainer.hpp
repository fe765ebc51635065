// The training loop and all that it remembers: parameters, optimizer memory, hidden state, smooth loss, the
// best parameters so far. It knows arrays only: no text, files or terminals.
//
//   T  time steps     H  hidden units     P  parameters     update  parameter steps done
#pragma once

#include <cmath>

#include "gradients.hpp"
#include "optimizers.hpp"

namespace hornbook {
inline namespace HORNBOOK_LEVEL {

struct Settings {
    Optimizer optimizer;
    Clip clip;
    double limit, objective_scale;
};

struct Progress {
    int64_t update = 0, best_update = 0;
    double smooth = NAN, best_smooth = INFINITY;
};

struct Record {
    double loss, smooth, norm;
    int64_t clipped;
};

enum class Stop { no, loss, gradient };

template <class Cell> class Trainer {
  public:
    using Real = typename Cell::Real;
    const Settings settings;
    const Layout<Cell>& at;
    Progress progress;
    Weights<Cell> weights;
    Buffer<Real> memory, best, hidden;  // (at.size,) (at.size,) (ldh,)

    Trainer(const Layout<Cell>& layout, Size T, const Settings& chosen)
        : settings(chosen), at(layout), weights(layout), memory(layout.size), best(layout.size),
          hidden(layout.ldh), gradients_(layout.size),
          tile_(std::max<Size>({StripSize<Real>, layout.ldg, layout.ldk})), window_(layout, T) {}

    // One update at characters ids[start : start+T+1]; where it stops, nothing has changed. The
    // gradient's norm is measured on demand.
    template <class Id> Stop update(const Id* ids, Size N, double rate, bool measured, Record& record) {
        const Size T = window_.T, lap = progress.update % ((N - 1) / T);
        const Id* text = ids + lap * T;
        // The text was checked; should another thread write to it meanwhile, the ids read here stay inside
        // the vocabulary all the same.
        const uint32_t last = uint32_t(at.K - 1);
        for (Size t = 0; t < T; ++t)
            window_.x[t] = std::min(uint32_t(text[t]), last),
            window_.y[t] = std::min(uint32_t(text[t + 1]), last);
        if (lap == 0)
            std::fill_n(static_cast<Real*>(window_.h), at.ldh, Real(0));
        else
            std::copy_n(static_cast<Real*>(hidden), at.ldh, static_cast<Real*>(window_.h));

        window_.read(weights, T);
        window_.foretell(weights, T);
        record.loss = window_.lose(Real(settings.objective_scale));
        if (!std::isfinite(record.loss)) return Stop::loss;
        const double da_total = window_.go_back(weights, nullptr);

        window_.link_symbols();
        const bool done = is_safe(da_total) && settings.clip != Clip::norm
                              ? step_fused(Real(rate), measured, record)
                              : step_apart(Real(rate), measured, record);
        window_.unlink_symbols();
        if (!done) return Stop::gradient;
        commit(record);
        return Stop::no;
    }

    // The best parameters are set apart late, when the loss turns away from a minimum; whoever looks at them
    // asks for a copy first.
    void settle_best() {
        if (best_pending_) std::copy_n(static_cast<Real*>(weights.block), at.size, static_cast<Real*>(best));
        best_pending_ = false;
    }
    void forget_pending() { best_pending_ = false; }

  private:
    Buffer<Real> gradients_, tile_;  // (at.size,) used where the norm must be known first; one tile
    Window<Cell> window_;
    bool best_pending_ = false;

    // Every entry of every gradient is a sum of products of states, d_o and da, so none exceeds
    //     max|h| * max(Σ |da|, T * scale)     with |h| <= 1 but for the first state, |d_o| <= scale
    // Where neither that nor the sum of its squares can overflow, the norm is finite and the step need not
    // wait for it. NaN is not safe.
    bool is_safe(double da_total) const {
        Vec<Real> most = broadcast(Real(1));
        for (Size i = 0; i < at.ldh; i += Lanes<Real>) most = max(most, absolute<Real>(load(window_.h + i)));
        const double bound = double(reduce_max<Real>(most)) *
                             std::max(da_total, double(window_.T) * std::abs(settings.objective_scale));
        return bound < std::sqrt(double(std::numeric_limits<Real>::max()) / (4.0 * double(at.size)));
    }

    bool clips() const { return settings.clip == Clip::value; }
    // Squares of what is clipped below 1e12 do not add up to infinity in any number of updates: to a sum 2^54
    // times their size they add nothing.
    bool stays_finite() const { return clips() && settings.limit < 1e12; }

    // The smooth loss after this update, and the block the step starts from.
    //
    // Where the smooth loss turns away from its minimum, the parameters that set it must be kept. They are
    // not copied: the step reads them where they are and writes to the other block. Only U, of which a step
    // writes few rows, goes over beforehand.
    const Real* smooth(Record& record) {
        record.smooth =
            std::isnan(progress.smooth) ? record.loss : 0.999 * progress.smooth + 0.001 * record.loss;
        if (best_pending_ && !(record.smooth < progress.best_smooth)) {
            best.swap(weights.block);
            std::copy_n(best + at.U, at.W - at.U, weights.block + at.U);
            best_pending_ = false;
            return best;
        }
        return weights.block;
    }

    // Each tile's gradient is measured where that was asked for, clipped and applied while it is in L1.
    bool step_fused(Real rate, bool measured, Record& record) {
        const Real *from = smooth(record), *g = tile_;
        const Step<Real> step = choose_step<Real>(settings.optimizer, clips(), stays_finite());
        const Real limit = clips() ? Real(settings.limit) : std::numeric_limits<Real>::infinity();
        Measured sums;
        each_tile(window_, [&](const Tile& tile) {
            gradient_of(static_cast<Real*>(tile_), tile, window_);
            if (measured) measure(g, tile.count, limit, sums);
            step(weights.block + tile.offset, from + tile.offset, memory + tile.offset, g, tile.count, rate,
                 limit);
            turn_tile(weights, tile);
        });
        record.norm = measured ? std::sqrt(sums.squares) : NAN;
        record.clipped = measured ? sums.beyond : -1;
        return true;
    }

    // All gradients first, then their norm, then the step: where clipping needs the norm, or where it may not
    // be finite.
    bool step_apart(Real rate, bool measured, Record& record) {
        each_tile(window_, [&](const Tile& tile) { gradient_of(gradients_ + tile.offset, tile, window_); });
        double factor = 1;
        int64_t beyond = 0;
        const double norm = gradient_norm(beyond);
        if (!std::isfinite(norm)) return false;
        const Real* from = smooth(record);
        if (settings.clip == Clip::norm && norm > settings.limit) factor = settings.limit / norm, beyond = 1;
        const Step<Real> step = choose_step<Real>(settings.optimizer, clips(), stays_finite());
        each_tile(window_, [&](const Tile& tile) {
            Real* g = gradients_ + tile.offset;
            for (Size i = 0; factor != 1 && i < tile.count; ++i) g[i] *= Real(factor);
            step(weights.block + tile.offset, from + tile.offset, memory + tile.offset, g, tile.count, rate,
                 Real(settings.limit));
            turn_tile(weights, tile);
        });
        record.norm = measured ? norm : NAN;
        record.clipped = measured ? beyond : -1;
        return true;
    }

    // np.linalg.norm(g) in double, through the largest entry, so that it overflows only where the norm itself
    // does.
    double gradient_norm(int64_t& beyond) {
        double most = 0, squares = 0;
        bool finite = true;
        each_tile(window_, [&](const Tile& tile) {
            for (Size i = 0; i < tile.count; ++i) {
                const double size = std::abs(double(gradients_[tile.offset + i]));
                finite &= size <= std::numeric_limits<double>::max();
                most = std::max(most, size);
                beyond += settings.clip == Clip::value && size > settings.limit;
            }
        });
        if (!finite || most == 0) return finite ? 0 : NAN;
        each_tile(window_, [&](const Tile& tile) {
            for (Size i = 0; i < tile.count; ++i) {
                const double part = double(gradients_[tile.offset + i]) / most;
                squares += part * part;
            }
        });
        return most * std::sqrt(squares);
    }

    void commit(const Record& record) {
        std::copy_n(window_.h + window_.T * at.ldh, at.ldh, static_cast<Real*>(hidden));
        progress.update += 1;
        progress.smooth = record.smooth;
        if (record.smooth < progress.best_smooth) {
            progress.best_smooth = record.smooth, progress.best_update = progress.update;
            best_pending_ = true;
        }
    }
};

}  // namespace HORNBOOK_LEVEL
}  // namespace hornbook

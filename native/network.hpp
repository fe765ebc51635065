// The training of a network of any cell, layers and streams, and all that it remembers. It knows arrays only.
//
//   K symbols   H units   L layers   S states of the cell   T time steps   B streams   P parameters
//   shard   a fixed share of the streams, whose gradient is summed on its own; the shards' gradients are
//   added
//           in order, so bits depend on the number of shards and never on that of threads
//   piece   a fixed stretch of the parameters, for the same reason
//
// A thread takes some shards through the whole window and back. All meet when the gradients are there, when
// they are summed, when the parameters are stepped, and when these are packed for the next update.
#pragma once

#include "network_shards.hpp"
#include "team.hpp"
#include "trainer.hpp"
#include "update_rules.hpp"

namespace hornbook {
inline namespace HORNBOOK_LEVEL {

template <class Real> struct NetworkSettings {
    const Optimization<Real>& optimizer;
    Clip clip;
    double limit;
    bool mean;  // the objective is the mean over characters, not over streams alone
    double weight_decay;
    double input_rate;  // times the rate, for the rows of U that characters choose
    Dropout dropout;
    double scale(Size T, Size B) const { return mean ? 1 / (double(T) * double(B)) : 1 / double(B); }
};

// What the updates of one call read: update i reads ids[starts[i, b] : starts[i, b] + T + 1] in stream b, and
// begins in the zero state where fresh[i].
template <class Id> struct Plan {
    const Id* ids;
    const int64_t* starts;  // (n, B)
    const uint8_t* fresh;   // (n,)
    const double* rates;    // (n,)
    Size n;
};

template <class Real> class NetworkTrainer {
  public:
    const NetworkLayout<Real>& at;
    const NetworkSettings<Real> settings;
    const Size T, B;
    Progress progress;
    Buffer<Real> parameters, best, memory[2];  // (size,) each
    Buffer<Real> hidden;                       // (L, S, B, H)

    NetworkTrainer(const NetworkLayout<Real>& layout, const NetworkSettings<Real>& chosen, Size steps,
                   Size streams, Size parts, int threads)
        : at(layout), settings(chosen), T(steps), B(streams), parameters(at.size), best(at.size),
          memory{Buffer<Real>(chosen.optimizer.slots > 0 ? at.size : 0),
                 Buffer<Real>(chosen.optimizer.slots > 1 ? at.size : 0)},
          hidden(at.L * at.cell.states * B * at.H), threads_(threads),
          weights_(at, NetworkWeights<Real>::For::learning),
          differentiator_(at, T, B, parts, chosen.dropout.p > 0),
          measures_(size_t((at.size + PieceSize - 1) / PieceSize)) {
        for (const Shard<Real>& shard : differentiator_.shards) gradients_.push_back(shard.gradients.g);
    }

    // Makes the updates of a plan, one record each, until one is not finite: that one changes nothing.
    template <class Id> Stop advance(const Plan<Id>& plan, Record* records, size_t& done) {
        Stop why = Stop::no;
        const int threads = std::min(threads_, int(differentiator_.shards.size()));
        work_together(threads, [&](int me, int all, Meeting& meeting) {
            const Member member{me, all, meeting};
            pack(member, parameters);
            for (Size i = 0; i < plan.n; ++i) {
                const Stop stop = update(plan, i, records[i], member);
                if (me == 0) why = stop, done += stop == Stop::no;
                if (stop != Stop::no) return;
            }
        });
        return why;
    }

    // The best parameters are set apart late; whoever looks at them asks for a copy first.
    void settle_best() {
        if (best_pending_) std::copy_n(static_cast<Real*>(parameters), at.size, static_cast<Real*>(best));
        best_pending_ = false;
    }
    void forget_pending() { best_pending_ = false; }

  private:
    static constexpr Size PieceSize = 4096;
    struct Member {
        int me, all;
        Meeting& meeting;
        Size first(Size total) const { return share(total, all, me); }
        Size last(Size total) const { return share(total, all, me + 1); }
    };

    const int threads_;
    NetworkWeights<Real> weights_;
    Differentiator<Real> differentiator_;
    std::vector<const Real*> gradients_;  // of the shards
    std::vector<Measure> measures_;       // of the pieces
    bool best_pending_ = false;

    void pack(const Member& member, const Real* block) {
        weights_.pack(block, member.me, member.all);
        member.meeting.wait();
    }

    // Every thread runs this; what they decide they decide on the same numbers.
    template <class Id> Stop update(const Plan<Id>& plan, Size i, Record& record, const Member& member) {
        const Size shards = Size(differentiator_.shards.size());
        const Size first = member.first(shards), last = member.last(shards);
        for (Size s = first; s < last; ++s) read(plan, i, differentiator_.shards[size_t(s)]);
        differentiator_.run(weights_, first, last, Real(settings.scale(T, B)), settings.dropout,
                            progress.update, nullptr, nullptr);
        member.meeting.wait();
        Record mine;
        mine.loss = differentiator_.loss();
        if (!std::isfinite(mine.loss)) return Stop::loss;
        sum_gradients(member);
        member.meeting.wait();
        const Measure measure = total();
        mine.norm = std::sqrt(measure.squares);
        if (!std::isfinite(mine.norm)) return Stop::gradient;
        mine.smooth = std::isnan(progress.smooth) ? mine.loss : 0.999 * progress.smooth + 0.001 * mine.loss;
        const bool cut = settings.clip == Clip::norm && mine.norm > settings.limit;
        mine.clipped = settings.clip == Clip::value ? measure.beyond : cut;
        const bool turns = best_pending_ && !(mine.smooth < progress.best_smooth);
        Real* out = turns ? best : parameters;
        step(member, stride(plan.rates[i], cut ? settings.limit / mine.norm : 1), out);
        member.meeting.wait();
        if (member.me == 0) record = mine, commit(mine, turns);
        for (Size s = first; s < last; ++s) {
            Shard<Real>& shard = differentiator_.shards[size_t(s)];
            shard.window.put(hidden, B, shard.first, T);
        }
        pack(member, out);
        return Stop::no;
    }

    template <class Id> void read(const Plan<Id>& plan, Size i, Shard<Real>& shard) {
        // The text was checked; should another thread write to it meanwhile, the ids read here stay inside
        // the vocabulary all the same.
        const uint32_t last = uint32_t(at.K - 1);
        for (Size m = 0; m < shard.streams; ++m) {
            const Id* text = plan.ids + plan.starts[i * B + shard.first + m];
            for (Size t = 0; t < T; ++t) {
                shard.window.x[t * shard.streams + m] = std::min(uint32_t(text[t]), last);
                shard.window.y[t * shard.streams + m] = std::min(uint32_t(text[t + 1]), last);
            }
        }
        if (plan.fresh[i])
            shard.window.clear();
        else
            shard.window.take(hidden, B, shard.first);
    }

    // Calls visit(piece, first number, numbers) for the pieces of one thread.
    template <class Visit> void each_piece(const Member& member, Visit visit) {
        const Size pieces = Size(measures_.size());
        for (Size p = member.first(pieces); p < member.last(pieces); ++p)
            visit(p, p * PieceSize, std::min(PieceSize, at.size - p * PieceSize));
    }

    void sum_gradients(const Member& member) {
        Real* g = differentiator_.shards[0].gradients.g;
        const Real limit = settings.clip == Clip::value ? Real(settings.limit) : Real(INFINITY);
        each_piece(member, [&](Size p, Size from, Size n) {
            measures_[size_t(p)] = sum_of(g, gradients_, from, n, limit);
        });
    }

    Measure total() const {
        Measure all;
        for (const Measure& piece : measures_) all.squares += piece.squares, all.beyond += piece.beyond;
        return all;
    }

    Stride<Real> stride(double rate, double factor) const {
        const double t = double(progress.update + 1);
        return {Real(rate),
                Real(rate * settings.weight_decay),
                Real(factor),
                settings.clip == Clip::value ? Real(settings.limit) : Real(INFINITY),
                Real(1 / (1 - std::pow(0.9, t))),
                Real(1 / (1 - std::pow(0.999, t)))};
    }

    // Where the smooth loss turns away from its minimum, the parameters that set it must be kept: they are
    // not copied, the step reads them where they are and writes to the other block.
    void step(const Member& member, const Stride<Real>& by, Real* out) {
        Real *from = parameters, *m = memory[0], *s = memory[1];
        Stride<Real> rows = by;
        rows.rate = Real(double(by.rate) * settings.input_rate);
        const Size inputs = at.layers[0].W;  // the first U is all that stands before
        const auto stretch = [&](Size first, Size last, const Stride<Real>& how) {
            if (first < last)
                settings.optimizer.rule(out + first, from + first, m + first, s + first,
                                        gradients_[0] + first, last - first, how);
        };
        each_piece(member, [&](Size, Size first, Size n) {
            stretch(first, std::min(first + n, inputs), rows);
            stretch(std::max(first, inputs), first + n, by);
        });
    }

    void commit(const Record& record, bool turned) {
        if (turned) parameters.swap(best), best_pending_ = false;
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

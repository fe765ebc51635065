// Writing one stream on several cores: one character is too little work to be handed around, but its weights
// may be more than one core reads quickly. Each core has a portion of the network, small enough for its own
// cache, and they meet after each layer and after the logits.
//
//   portion  some units of every layer and some symbols: their columns of U W b V c
//   K symbols   H units   L layers   n units padded   m units of a portion, padded   g columns of their gates
//
// Every unit and every logit is computed as it is elsewhere, whoever does it: bits depend neither on the
// number of portions nor on that of threads.
#pragma once

#include "network_window.hpp"
#include "sampler.hpp"
#include "team.hpp"

namespace hornbook {
inline namespace HORNBOOK_LEVEL {

// A stretch of rows padded to whole vectors.
struct Stretch {
    Size first, size;
    template <class Real> static Stretch of(Size padded, Size parts, Size part) {
        const Size vectors = padded / Lanes<Real>, first = share(vectors, parts, part);
        return {first * Lanes<Real>, (share(vectors, parts, part + 1) - first) * Lanes<Real>};
    }
};

template <class Real> class Portion {
  public:
    Portion(const NetworkWeights<Real>& weights, Size parts, Size part)
        : at_(weights.at), weights_(weights), units_(Stretch::of<Real>(at_.n, parts, part)),
          symbols_(Stretch::of<Real>(at_.k, parts, part)), V_(at_.n, symbols_.size, at_.mixed, widest()),
          a_(at_.cell.blocks * units_.size), pairs_(at_.mixed * pairs_row(at_.n)) {
        const Size g = at_.cell.gates * units_.size;
        for (Size l = 0; l < at_.L; ++l) {
            layers_.emplace_back(l == 0, false, at_.n, g, at_.mixed, widest());
            pack(layers_.back().W, at_.layers[size_t(l)].W);
            if (l > 0) pack(layers_.back().U, at_.layers[size_t(l)].U);
        }
        for (Size p = 0; p < V_.in.parts; ++p) V_.pack(p, weights.block + at_.V + symbols_.first, at_.ld_v);
    }

    // h[1 - now], c[1 - now] = cell(x U + b, h[now] W, c[now]) for the units of the portion
    void step(NetworkWindow<Real>& window, Size l, int64_t symbol, Size now) {
        const Size m = units_.size, g = at_.cell.gates * m, v = (at_.cell.blocks - at_.cell.gates) * m;
        const auto mine = [&](Rows<Real> row) {
            return Rows<Real>{row.at ? row.at + units_.first : nullptr, 0};
        };
        const auto read = [&](Rows<Real> row) { return NetworkWindow<Real>::constant(mine(row)); };
        begin(l, symbol);
        if (l > 0) add(a_, window.h(l - 1, 1 - now), layers_[size_t(l)].U);
        std::fill_n(a_ + g, v, Real(0));
        add(a_ + v, window.h(l, now), layers_[size_t(l)].W);
        at_.cell.step({a_, 0}, read(window.h(l, now)), read(window.c(l, now)), mine(window.h(l, 1 - now)),
                      mine(window.c(l, 1 - now)), 1, m);
    }

    // o = h[now] V + c for the symbols of the portion
    void foretell(Real* o, NetworkWindow<Real>& window, Size now) {
        std::copy_n(weights_.c + symbols_.first, symbols_.size, o + symbols_.first);
        add(o + symbols_.first, window.h(at_.L - 1, now), V_);
    }

  private:
    const NetworkLayout<Real>& at_;
    const NetworkWeights<Real>& weights_;
    const Stretch units_, symbols_;
    std::deque<typename NetworkWeights<Real>::Layer> layers_;
    Packed<Real> V_;
    Buffer<Real> a_;      // (blocks, m)
    Buffer<Pair> pairs_;  // room for a row of mixed products

    // Vectors of a panel: the wider, the faster one row is multiplied with it.
    Size widest() const { return at_.mixed ? TileVectors : RowVectors; }

    // The columns of each gate side by side, as the rows of a smaller network.
    void pack(Packed<Real>& to, Size from) {
        const Size m = units_.size, g = at_.cell.gates * m;
        Buffer<Real> gathered(at_.n * g);
        for (Size i = 0; i < at_.n * at_.cell.gates; ++i) {
            const Size row = i / at_.cell.gates, gate = i % at_.cell.gates;
            std::copy_n(weights_.block + from + row * at_.ld_w + gate * at_.n + units_.first, m,
                        gathered + i * m);
        }
        for (Size p = 0; p < to.in.parts; ++p) to.pack(p, gathered, g);
    }

    // a = b, and in the first layer a row of U besides
    void begin(Size l, int64_t symbol) {
        const Size m = units_.size;
        const Real* row = weights_.row_of_u(Size(symbol));
        for (Size gate = 0; gate < at_.cell.gates; ++gate)
            for (Size i = 0; i < m; i += Lanes<Real>) {
                const Size place = gate * at_.n + units_.first + i;
                const Vec<Real> b = load(weights_.bias(l) + place);
                store(a_ + gate * m + i, l == 0 ? load(row + place) + b : b);
            }
    }

    // out += h w. What the other cores have just written of h is fetched all at once, not a line after the
    // other as the product comes to them.
    void add(Real* out, Rows<Real> h, const Packed<Real>& w) {
        for (Size i = 0; i < at_.n; i += 64 / Size(sizeof(Real))) __builtin_prefetch(h.at + i);
        multiply<Real>(Target<Real>::onto(out, 0), h.at, h.ld, w, 0, w.in.parts, 1, at_.H, pairs_);
    }
};

// A network divided into portions.
template <class Real> class PortionedNetwork {
  public:
    // As many portions as are worth while: smaller ones would cost more to meet than they save.
    static Size worth(const NetworkLayout<Real>& at, Size threads) {
        constexpr Size least = 256 << 10;  // bytes of weights
        const Size bytes = at.read_each_time() * Size(sizeof(Real)) / (at.mixed ? 2 : 1);
        return std::max<Size>(1, std::min({threads, bytes / least, at.n / Lanes<Real>, at.k / Lanes<Real>}));
    }

    PortionedNetwork(const NetworkWeights<Real>& weights, Size parts) : at_(weights.at) {
        for (Size i = 0; i < parts; ++i) portions_.emplace_back(weights, parts, i);
    }

    Size parts() const { return Size(portions_.size()); }

    // ids (n,), state (L, S, 1, H) and last in and out; see write_text.
    void write(int64_t* ids, Real* state, int64_t& last, Size n, const Taste& taste, const Place& place,
               uint64_t position) {
        constexpr Size most = 1 << 14;  // characters until those who were left behind are asked again
        Text text(at_, parts(), last);
        text.window.take(state, 1, 0);
        for (Size i = 0; i < n; i += most)
            write_together(text, ids + i, std::min(most, n - i), taste, place, position + uint64_t(i));
        text.window.put(state, 1, 0, text.now);
        last = text.last;
    }

  private:
    // What all write at.
    struct Text {
        NetworkWindow<Real> window;
        Buffer<Real> o;                      // (ld_v,)
        std::deque<Chooser<Real>> choosers;  // one a member
        int64_t last;
        Size now = 0;  // the time of the window at which the state is
        bool alone = false;
        Text(const NetworkLayout<Real>& at, Size members, int64_t first)
            : window(at, 1, 1), o(at.ld_v), last(first) {
            for (Size i = 0; i < members; ++i) choosers.emplace_back(at.K);
        }
    };

    void write_together(Text& text, int64_t* ids, Size n, const Taste& taste, const Place& place,
                        uint64_t position) {
        text.alone = false;
        work_together(int(parts()), [&](int me, int all, Meeting& meeting) {
            const TilesOfCall tiles;
            Member member{*this, text, text.choosers[size_t(me)], meeting, me, all, text.last, text.now};
            for (Size i = 0; i < n && member.foretell(i); ++i) {
                const int64_t drawn = member.choose(taste, uniform(place, position + uint64_t(i)));
                if (me == 0) ids[i] = drawn;
            }
            if (me == 0) text.last = member.last, text.now = member.now;  // all have met, and read the first
        });
    }

    // One thread. What all decide, each decides for itself on the same numbers: that is sooner than to be
    // told.
    struct Member {
        PortionedNetwork& network;
        Text& text;
        Chooser<Real>& chooser;
        Meeting& meeting;
        const int me;
        int all;
        int64_t last;
        Size now;

        // The logits after the last character; false where the first member goes on without this one. It does
        // so where they often keep each other waiting, because the cores have other work. What it decides the
        // others read after they met, and before they would meet again, so it decides nothing more meanwhile.
        bool foretell(Size i) {
            const Size layers = last >= 0 ? network.at_.L : 0;
            for (Size l = 0; l < layers; ++l)
                together([&](Portion<Real>& p) { p.step(text.window, l, last, now); });
            if (layers > 0) now = 1 - now;
            if (me == 0 && all > 1) text.alone = meeting.slept() > 4 + i / 1024;  // once it is true it stays
            together([&](Portion<Real>& p) { p.foretell(text.o, text.window, now); });
            if (text.alone) all = 1;
            return me < all;
        }

        int64_t choose(const Taste& taste, double uniform) {
            return last = chooser.choose(text.o, taste, uniform);
        }

      private:
        template <class Work> void together(Work work) {
            const Size first = share(network.parts(), all, me), end = share(network.parts(), all, me + 1);
            for (Size i = first; i < end; ++i) work(network.portions_[size_t(i)]);
            if (all > 1) meeting.wait();
        }
    };

    const NetworkLayout<Real>& at_;
    std::deque<Portion<Real>> portions_;
};

}  // namespace HORNBOOK_LEVEL
}  // namespace hornbook

#include "bind_network.hpp"

#include <nanobind/stl/string.h>

#include "bind_network_sampler.hpp"

namespace hornbook {
inline namespace HORNBOOK_LEVEL {

namespace {

template <class Real> class Network {
  public:
    Network(const std::string& cell, int64_t K, int64_t H, int64_t L, int64_t T, int64_t B, int64_t shards,
            int64_t threads, const std::string& optimizer, const std::string& clip, double limit,
            const std::string& objective, double weight_decay, double input_rate, double dropout,
            uint64_t seed, const std::string& pairs)
        : at_(checked_network<Real>(cell, K, H, L, pairs)),
          settings_(checked_settings<Real>(optimizer, clip, limit, objective, weight_decay, input_rate,
                                           dropout, seed)),
          shards_(checked_size("shards", shards, 1024)), threads_(checked_threads(threads)),
          trainer_((check_window(at_, T, B), at_), settings_, Size(T), Size(B), shards_, threads_) {}

    void set_state(int64_t update, Array<Real> parameters, Array<Real> memory, Array<Real> hidden,
                   double smooth, double best_smooth, int64_t best_update, Array<Real> best_parameters) {
        const Turn turn(busy_);
        const Size P = at_.parameters();
        constexpr Real most = std::numeric_limits<Real>::max();
        constexpr int64_t last = int64_t(1) << 62;
        require(update >= 0 && update <= last && best_update >= 0 && best_update <= last,
                "update and best_update: expected 0 to 2^62");
        require_shape("parameters", parameters, {P});
        require_shape("memory", memory, {slots(), P});
        require_state("hidden", hidden, trainer_.B);
        require_shape("best_parameters", best_parameters, {P});
        require(all_within<Real>(hidden.data(), hidden.size(), -most, most),
                "hidden: expected finite numbers");
        const size_t signed_ones =
            slots() > 1 ? size_t(P) : 0;  // the first of two is a mean, not a mean square
        require(all_within<Real>(memory.data(), signed_ones, -most, most) &&
                    all_within<Real>(memory.data() + signed_ones, memory.size() - signed_ones, 0, most),
                "memory: expected finite numbers, those that are squares of 0 or more");
        trainer_.progress = {update, best_update, smooth, best_smooth};
        at_.pack(trainer_.parameters, parameters.data());
        for (Size s = 0; s < slots(); ++s) at_.pack(trainer_.memory[s], memory.data() + s * P);
        std::copy_n(hidden.data(), hidden.size(), static_cast<Real*>(trainer_.hidden));
        at_.pack(trainer_.best, best_parameters.data());
        trainer_.forget_pending();
    }

    nb::dict get_state() {
        const Turn turn(busy_);
        trainer_.settle_best();
        const size_t P = size_t(at_.parameters());
        auto parameters = Fresh<Real>::make({P}), memory = Fresh<Real>::make({size_t(slots()), P}),
             best = Fresh<Real>::make({P}), hidden = fresh_state(trainer_.B);
        at_.unpack(parameters.data, trainer_.parameters);
        for (Size s = 0; s < slots(); ++s) at_.unpack(memory.data + size_t(s) * P, trainer_.memory[s]);
        at_.unpack(best.data, trainer_.best);
        std::copy_n(static_cast<Real*>(trainer_.hidden), hidden.array.size(), hidden.data);
        nb::dict state;
        state["update"] = trainer_.progress.update;
        state["parameters"] = parameters.array;
        state["memory"] = memory.array;
        state["hidden"] = hidden.array;
        state["smooth"] = trainer_.progress.smooth;
        state["best_smooth"] = trainer_.progress.best_smooth;
        state["best_update"] = trainer_.progress.best_update;
        state["best_parameters"] = best.array;
        return state;
    }

    Result<Real> parameters() {
        const Turn turn(busy_);
        auto parameters = Fresh<Real>::make({size_t(at_.parameters())});
        at_.unpack(parameters.data, trainer_.parameters);
        return parameters.array;
    }

    template <class Id>
    nb::tuple advance(Array<Id> ids, Array<int64_t> starts, Array<uint8_t> fresh, Array<double> rates) {
        require_vector("ids", ids), require_vector("rates", rates);
        const Size n = Size(rates.size());
        require_shape("starts", starts, {n, trainer_.B});
        require_shape("fresh", fresh, {n});
        constexpr double most = double(std::numeric_limits<Real>::max());
        require(all_within<double>(rates.data(), rates.size(), -most, most),
                "rates: expected finite numbers");
        check_text(ids, starts);
        const Turn turn(busy_);
        std::vector<Record> records(rates.size());
        const Plan<Id> plan{ids.data(), starts.data(), fresh.data(), rates.data(), n};
        Stop why;
        size_t done = 0;
        {
            nb::gil_scoped_release free_python;
            why = trainer_.advance(plan, records.data(), done);
        }
        return columns_of(records.data(), done, why);
    }

    nb::tuple loss_and_gradients(Array<Real> parameters, Array<int64_t> x, Array<int64_t> y,
                                 Array<Real> state, Array<Real> dstate, int64_t dropout_update) {
        const auto [T, B] = checked_characters(x, y, 1);
        check_window(at_, T, B);
        require(dropout_update >= -1, "dropout_update: expected -1 (none) or more");
        require_state("state", state, B), require_state("dstate", dstate, B);
        const Turn turn(busy_);
        Given<Real> given(at_, parameters, Given<Real>::For::learning);
        const bool drops = dropout_update >= 0 && settings_.dropout.p > 0;
        Differentiator<Real> pass(at_, T, B, shards_, drops);
        auto gradients = Fresh<Real>::make({size_t(at_.parameters())});
        auto last = fresh_state(B), first = fresh_state(B);
        {
            nb::gil_scoped_release free_python;
            for (Shard<Real>& shard : pass.shards) {
                copy_characters(shard.window.x, x, shard), copy_characters(shard.window.y, y, shard);
                shard.window.take(state.data(), B, shard.first);
            }
            pass.run(given.weights, 0, Size(pass.shards.size()), Real(settings_.scale(T, B)),
                     settings_.dropout, dropout_update, dstate.data(), first.data);
            std::vector<const Real*> parts;
            for (Shard<Real>& shard : pass.shards)
                parts.push_back(shard.gradients.g), shard.window.put(last.data, B, shard.first, T);
            Real* total = pass.shards[0].gradients.g;
            sum_of(total, parts, 0, at_.size, Real(INFINITY));
            at_.unpack(gradients.data, total);
        }
        return nb::make_tuple(pass.loss(), gradients.array, last.array, first.array);
    }

    nb::tuple read(Array<Real> parameters, Array<int64_t> x, Array<int64_t> y, Array<Real> state) {
        const auto [n, M] = checked_characters(x, y, 0);
        require_state("state", state, M);
        const Turn turn(busy_);
        Given<Real> given(at_, parameters, Given<Real>::For::reading);
        auto nats = Fresh<double>::make({size_t(n), size_t(M)});
        auto hidden = Fresh<Real>::make({size_t(n), size_t(M), size_t(at_.H)});
        auto after = fresh_state(M);
        std::copy_n(state.data(), state.size(), after.data);
        if (n > 0 && M > 0) {
            nb::gil_scoped_release free_python;
            read_text(given.weights, x.data(), y.data(), n, M, after.data, nats.data, hidden.data,
                      Size(threads_));
        }
        return nb::make_tuple(nats.array, hidden.array, after.array);
    }

    nb::tuple step(Array<Real> parameters, Array<int64_t> ids, Array<Real> state) {
        require_vector("ids", ids);
        const Size M = Size(ids.size());
        require_state("state", state, M);
        require_ids("ids", all_below(ids.data(), ids.size(), at_.K), at_.K);
        const Turn turn(busy_);
        Given<Real> given(at_, parameters, Given<Real>::For::reading);
        auto logits = Fresh<Real>::make({size_t(M), size_t(at_.K)});
        auto after = fresh_state(M);
        std::copy_n(state.data(), state.size(), after.data);
        if (M > 0) read_one(given.weights, ids.data(), M, after.data, logits.data, Size(threads_));
        return nb::make_tuple(logits.array, after.array);
    }

  private:
    const NetworkLayout<Real> at_;
    const NetworkSettings<Real> settings_;
    const Size shards_;
    const int threads_;
    NetworkTrainer<Real> trainer_;
    std::atomic_flag busy_ = ATOMIC_FLAG_INIT;

    Size slots() const { return settings_.optimizer.slots; }

    void require_state(const char* name, const Array<Real>& state, Size M) const {
        require_shape(name, state, {at_.L, at_.cell.states, M, at_.H});
    }
    Fresh<Real> fresh_state(Size M) const {
        return Fresh<Real>::make({size_t(at_.L), size_t(at_.cell.states), size_t(M), size_t(at_.H)});
    }

    // T and B of x and y (T, B), each at least `least`
    std::pair<Size, Size> checked_characters(const Array<int64_t>& x, const Array<int64_t>& y,
                                             size_t least) const {
        require(x.ndim() == 2, "x: expected two dimensions");
        require(x.shape(0) >= least && x.shape(1) >= least, "x: expected at least one character");
        const Size T = Size(x.shape(0)), B = Size(x.shape(1));
        require_shape("x", x, {T, B}), require_shape("y", y, {T, B});
        require_ids("x", all_below(x.data(), x.size(), at_.K), at_.K);
        require_ids("y", all_below(y.data(), y.size(), at_.K), at_.K);
        return {T, B};
    }

    static void copy_characters(uint32_t* to, const Array<int64_t>& from, const Shard<Real>& shard) {
        for (Size t = 0; t < Size(from.shape(0)); ++t)
            for (Size m = 0; m < shard.streams; ++m)
                to[t * shard.streams + m] = uint32_t(from.data()[t * Size(from.shape(1)) + shard.first + m]);
    }

    // Only what these updates read is checked.
    template <class Id> void check_text(const Array<Id>& ids, const Array<int64_t>& starts) const {
        const int64_t last = int64_t(ids.size()) - trainer_.T - 1;
        for (size_t i = 0; i < starts.size(); ++i) {
            const int64_t start = starts.data()[i];
            if (start < 0 || start > last)
                refuse("starts: expected 0 to " + std::to_string(last) +
                       ", so that seq_len + 1 characters follow, got " + std::to_string(start));
            require_ids("ids", all_below(ids.data() + start, size_t(trainer_.T) + 1, at_.K), at_.K);
        }
    }

    // One array a column, and why the core stopped ("" where it did all it was asked for).
    static nb::tuple columns_of(const Record* records, size_t n, Stop why) {
        auto loss = Fresh<double>::make({n}), smooth = Fresh<double>::make({n}),
             norm = Fresh<double>::make({n});
        auto clipped = Fresh<int64_t>::make({n});
        for (size_t i = 0; i < n; ++i) {
            loss.data[i] = records[i].loss, smooth.data[i] = records[i].smooth;
            norm.data[i] = records[i].norm, clipped.data[i] = records[i].clipped;
        }
        const char* reason = why == Stop::no ? "" : why == Stop::loss ? "loss" : "gradient";
        return nb::make_tuple(loss.array, smooth.array, norm.array, clipped.array, reason);
    }
};

template <class Real> void bind_network(nb::module_& m, const char* name, const char* sampler) {
    using N = Network<Real>;
    using S = NetworkSampler<Real>;
    const auto plan = [](auto& bound, auto function) {
        bound.def("advance", function, exact("ids"), exact("starts"), exact("fresh"), exact("rates"));
    };
    nb::class_<N> network(m, name);
    network
        .def(nb::init<const std::string&, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t,
                      const std::string&, const std::string&, double, const std::string&, double, double,
                      double, uint64_t, const std::string&>(),
             nb::arg("cell"), nb::arg("vocabulary"), nb::arg("hidden"), nb::arg("layers") = 1,
             nb::arg("seq_len") = 1, nb::arg("streams") = 1, nb::arg("shards") = 1, nb::arg("threads") = 1,
             nb::arg("optimizer") = "adam", nb::arg("clip") = "none", nb::arg("clip_limit") = 1.0,
             nb::arg("objective") = "sum", nb::arg("weight_decay") = 0.0, nb::arg("input_rate") = 1.0,
             nb::arg("dropout") = 0.0, nb::arg("seed") = 0, nb::arg("pairs") = "")
        .def("set_state", &N::set_state, nb::arg("update"), exact("parameters"), exact("memory"),
             exact("hidden"), nb::arg("smooth"), nb::arg("best_smooth"), nb::arg("best_update"),
             exact("best_parameters"))
        .def("get_state", &N::get_state)
        .def("parameters", &N::parameters)
        .def("loss_and_gradients", &N::loss_and_gradients, exact("parameters"), exact("x"), exact("y"),
             exact("state"), exact("dstate"), nb::arg("dropout_update") = -1)
        .def("read", &N::read, exact("parameters"), exact("x"), exact("y"), exact("state"))
        .def("step", &N::step, exact("parameters"), exact("ids"), exact("state"));
    plan(network, &N::template advance<uint8_t>);
    plan(network, &N::template advance<uint16_t>);
    plan(network, &N::template advance<uint32_t>);
    nb::class_<S>(m, sampler)
        .def(nb::init<const std::string&, int64_t, int64_t, int64_t, Array<Real>, const std::string&>(),
             nb::arg("cell"), nb::arg("vocabulary"), nb::arg("hidden"), nb::arg("layers"),
             exact("parameters"), nb::arg("pairs") = "")
        .def("sample", &S::sample, exact("state"), exact("last"), nb::arg("n"), nb::arg("temperature") = 1.0,
             nb::arg("top_k") = 0, nb::arg("top_p") = 1.0, nb::arg("seed") = 0, nb::arg("position") = 0,
             nb::arg("purpose") = 0, nb::arg("update") = 0, nb::arg("threads") = 0,
             nb::arg("first_stream") = 0);
}

}  // namespace

void bind_networks(nb::module_& m) {
    bind_network<float>(m, "Network32", "NetworkSampler32");
    bind_network<double>(m, "Network64", "NetworkSampler64");
}

}  // namespace HORNBOOK_LEVEL
}  // namespace hornbook

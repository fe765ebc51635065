// Training as Python sees it: a Core holds the trainer of one run, and reads and differentiates other
// parameters on request.
//
//   K  symbols     H  hidden units     T  time steps     P  parameters     M  optimizer memories (0 or 1)
#pragma once

#include <nanobind/stl/string.h>

#include "arrays.hpp"
#include "checks.hpp"
#include "trainer.hpp"

namespace hornbook {
inline namespace HORNBOOK_LEVEL {

template <class Cell> class Core {
  public:
    using Real = typename Cell::Real;

    Core(int64_t K, int64_t H, int64_t T, const std::string& optimizer, const std::string& clip, double limit,
         double scale)
        : at_(checked_layout<Cell>(K, H)), T_(checked_size("seq_len", T, int64_t(1) << 30)),
          trainer_(at_, T_, checked_settings(optimizer, clip, limit, scale)), weights_(at_) {}

    void set_state(int64_t update, Array<Real> parameters, Array<Real> memory, Array<Real> hidden,
                   double smooth, double best_smooth, int64_t best_update, Array<Real> best_parameters) {
        const Turn turn(busy_);
        const Size P = at_.parameters();
        constexpr Real most = std::numeric_limits<Real>::max();
        constexpr int64_t last = int64_t(1) << 62;
        require(update >= 0 && update <= last && best_update >= 0 && best_update <= last,
                "update and best_update: expected 0 to 2^62");
        require_shape("parameters", parameters, {P});
        require_shape("memory", memory, {memories(), P});
        require_shape("hidden", hidden, {at_.H});
        require_shape("best_parameters", best_parameters, {P});
        require(all_within<Real>(hidden.data(), hidden.size(), -most, most),
                "hidden: expected finite numbers");
        require(all_within<Real>(memory.data(), memory.size(), 0, most),
                "memory: expected finite numbers of 0 or more");
        trainer_.progress = {update, best_update, smooth, best_smooth};
        trainer_.weights.set(parameters.data());
        if (memories()) at_.pack(trainer_.memory, memory.data());
        std::copy_n(hidden.data(), at_.H, static_cast<Real*>(trainer_.hidden));
        at_.pack(trainer_.best, best_parameters.data());
        trainer_.forget_pending();
    }

    nb::dict get_state() {
        const Turn turn(busy_);
        trainer_.settle_best();
        const size_t P = size_t(at_.parameters()), M = size_t(memories());
        auto parameters = Fresh<Real>::make({P}), memory = Fresh<Real>::make({M, P}),
             best = Fresh<Real>::make({P});
        at_.unpack(parameters.data, trainer_.weights.block);
        if (M) at_.unpack(memory.data, trainer_.memory);
        at_.unpack(best.data, trainer_.best);
        nb::dict state;
        state["update"] = trainer_.progress.update;
        state["parameters"] = parameters.array;
        state["memory"] = memory.array;
        state["hidden"] = Fresh<Real>::copy(static_cast<const Real*>(trainer_.hidden), size_t(at_.H)).array;
        state["smooth"] = trainer_.progress.smooth;
        state["best_smooth"] = trainer_.progress.best_smooth;
        state["best_update"] = trainer_.progress.best_update;
        state["best_parameters"] = best.array;
        return state;
    }

    Result<Real> parameters() {
        const Turn turn(busy_);
        auto parameters = Fresh<Real>::make({size_t(at_.parameters())});
        at_.unpack(parameters.data, trainer_.weights.block);
        return parameters.array;
    }

    // The gradient is measured in the updates whose number is a multiple of `measure_every`, and in the
    // last that is asked for.
    template <class Id> nb::tuple advance(Array<Id> ids, Array<double> rates, int64_t measure_every) {
        require_vector("ids", ids), require_vector("rates", rates);
        if (Size(ids.size()) < T_ + 1)
            refuse("ids: expected at least seq_len + 1 = " + std::to_string(T_ + 1) + " characters, got " +
                   std::to_string(ids.size()));
        check_text(ids, Size(rates.size()));
        constexpr double most = double(std::numeric_limits<Real>::max());
        require(all_within<double>(rates.data(), rates.size(), -most, most),
                "rates: expected finite numbers");
        checked_size("measure_every", measure_every, std::numeric_limits<int64_t>::max());
        const Turn turn(busy_);
        const size_t n = rates.size();
        std::unique_ptr<Record[]> records(new Record[n > 0 ? n : 1]);
        Stop why = Stop::no;
        size_t done = 0;
        {
            nb::gil_scoped_release free_python;
            for (; done < n && why == Stop::no; done += why == Stop::no) {
                const bool measure = done + 1 == n || (trainer_.progress.update + 1) % measure_every == 0;
                why =
                    trainer_.update(ids.data(), Size(ids.size()), rates.data()[done], measure, records[done]);
            }
        }
        return columns_of(records.get(), done, why);
    }

    nb::tuple loss_and_gradients(Array<Real> parameters, Array<int64_t> x, Array<int64_t> y,
                                 Array<Real> state, Array<Real> dstate) {
        const Size T = checked_window(parameters, x, y, state);
        require_shape("dstate", dstate, {at_.H});
        const Turn turn(busy_);
        Window<Cell> window(at_, T);
        Buffer<Real> block(at_.size);
        auto gradients = Fresh<Real>::make({size_t(at_.parameters())}),
             states = Fresh<Real>::make({size_t(T), size_t(at_.H)});
        double loss;
        {
            nb::gil_scoped_release free_python;
            weights_.set(parameters.data());
            std::copy_n(x.data(), T, static_cast<uint32_t*>(window.x)),
                std::copy_n(y.data(), T, static_cast<uint32_t*>(window.y));
            std::copy_n(state.data(), at_.H, static_cast<Real*>(window.h));
            window.read(weights_, T), window.foretell(weights_, T);
            loss = window.lose(Real(trainer_.settings.objective_scale));
            window.go_back(weights_, dstate.data()), window.into_state(weights_);
            window.link_symbols();
            each_tile(window, [&](const Tile& tile) { gradient_of(block + tile.offset, tile, window); });
            at_.unpack(gradients.data, block);
            for (Size t = 0; t < T; ++t)
                std::copy_n(window.h + (t + 1) * at_.ldh, at_.H, states.data + t * at_.H);
        }
        return nb::make_tuple(loss, gradients.array, states.array,
                              Fresh<Real>::copy(window.h + T * at_.ldh, size_t(at_.H)).array,
                              Fresh<Real>::copy(static_cast<const Real*>(window.dh), size_t(at_.H)).array);
    }

    nb::tuple read(Array<Real> parameters, Array<int64_t> x, Array<int64_t> y, Array<Real> state) {
        const Size n = checked_window(parameters, x, y, state), H = at_.H;
        constexpr Size most =
            64;  // characters of a block: few enough for L2, many enough for the output product
        const Turn turn(busy_);
        Window<Cell> window(at_, std::min(n, most));
        auto nats = Fresh<double>::make({size_t(n)});
        auto hidden = Fresh<Real>::make({size_t(n), size_t(H)});
        {
            nb::gil_scoped_release free_python;
            weights_.set(parameters.data());
            std::copy_n(state.data(), H, static_cast<Real*>(window.h));
            for (Size from = 0; from < n; from += most) {
                const Size T = std::min(most, n - from);
                std::copy_n(x.data() + from, T, static_cast<uint32_t*>(window.x)),
                    std::copy_n(y.data() + from, T, static_cast<uint32_t*>(window.y));
                window.read(weights_, T), window.foretell(weights_, T), window.weigh(T);
                std::copy_n(static_cast<Real*>(window.nats), T, nats.data + from);
                for (Size t = 0; t < T; ++t)
                    std::copy_n(window.h + (t + 1) * at_.ldh, H, hidden.data + (from + t) * H);
                std::copy_n(window.h + T * at_.ldh, at_.ldh, static_cast<Real*>(window.h));
            }
        }
        return nb::make_tuple(nats.array, hidden.array,
                              Fresh<Real>::copy(static_cast<const Real*>(window.h), size_t(H)).array);
    }

    nb::tuple step(Array<Real> parameters, Array<int64_t> ids, Array<Real> state) {
        require_vector("ids", ids);
        const Size M = Size(ids.size()), H = at_.H, K = at_.K;
        require_shape("parameters", parameters, {at_.parameters()});
        require_shape("state", state, {M, H});
        require_ids("ids", all_below(ids.data(), ids.size(), K), K);
        auto logits = Fresh<Real>::make({size_t(M), size_t(K)}),
             after = Fresh<Real>::make({size_t(M), size_t(H)});
        const Turn turn(busy_);
        Window<Cell> window(at_, 1);
        weights_.set(parameters.data());
        for (Size m = 0; m < M; ++m) {
            window.x[0] = uint32_t(ids.data()[m]);
            std::copy_n(state.data() + m * H, H, static_cast<Real*>(window.h));
            window.read(weights_, 1), window.foretell(weights_, 1);
            std::copy_n(window.h + at_.ldh, H, after.data + m * H),
                std::copy_n(static_cast<Real*>(window.o), K, logits.data + m * K);
        }
        return nb::make_tuple(logits.array, after.array);
    }

  private:
    const Layout<Cell> at_;
    const Size T_;
    Trainer<Cell> trainer_;
    Weights<Cell> weights_;  // of the calls that bring their own parameters
    std::atomic_flag busy_ = ATOMIC_FLAG_INIT;

    Size memories() const { return trainer_.settings.optimizer == Optimizer::adagrad ? 1 : 0; }

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

    // Only what these updates read is checked: a call of a few updates costs nothing however long the text
    // is.
    template <class Id> void check_text(const Array<Id>& ids, Size updates) const {
        const Size N = Size(ids.size()), first = (trainer_.progress.update % ((N - 1) / T_)) * T_;
        const bool wraps = updates > (N - 1 - first) / T_;
        const Id* from = ids.data() + (wraps ? 0 : first);
        require_ids("ids", all_below(from, size_t(wraps ? N : updates * T_ + 1), at_.K), at_.K);
    }

    Size checked_window(const Array<Real>& parameters, const Array<int64_t>& x, const Array<int64_t>& y,
                        const Array<Real>& state) const {
        require_vector("x", x);
        require(x.size() >= 1, "x: expected at least one character");
        require_shape("parameters", parameters, {at_.parameters()});
        require_shape("y", y, {Size(x.size())});
        require_shape("state", state, {at_.H});
        require_ids("x", all_below(x.data(), x.size(), at_.K), at_.K);
        require_ids("y", all_below(y.data(), y.size(), at_.K), at_.K);
        return checked_size("x", int64_t(x.size()), int64_t(1) << 30);
    }
};

template <class Cell> void bind_core(nb::module_& m, const char* name) {
    using C = Core<Cell>;
    nb::class_<C>(m, name)
        .def(nb::init<int64_t, int64_t, int64_t, const std::string&, const std::string&, double, double>(),
             nb::arg("vocabulary"), nb::arg("hidden"), nb::arg("seq_len"), nb::arg("optimizer") = "adagrad",
             nb::arg("clip") = "value", nb::arg("clip_limit") = 5.0, nb::arg("objective_scale") = 1.0)
        .def("set_state", &C::set_state, nb::arg("update"), exact("parameters"), exact("memory"),
             exact("hidden"), nb::arg("smooth"), nb::arg("best_smooth"), nb::arg("best_update"),
             exact("best_parameters"))
        .def("get_state", &C::get_state)
        .def("parameters", &C::parameters)
        .def("advance", &C::template advance<uint8_t>, exact("ids"), exact("rates"),
             nb::arg("measure_every") = 1)
        .def("advance", &C::template advance<uint16_t>, exact("ids"), exact("rates"),
             nb::arg("measure_every") = 1)
        .def("advance", &C::template advance<uint32_t>, exact("ids"), exact("rates"),
             nb::arg("measure_every") = 1)
        .def("loss_and_gradients", &C::loss_and_gradients, exact("parameters"), exact("x"), exact("y"),
             exact("state"), exact("dstate"))
        .def("read", &C::read, exact("parameters"), exact("x"), exact("y"), exact("state"))
        .def("step", &C::step, exact("parameters"), exact("ids"), exact("state"));
}

}  // namespace HORNBOOK_LEVEL
}  // namespace hornbook

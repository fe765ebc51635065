// The extension module of one level of processor: training, sampling, and what tests and benchmarks ask of
// the core itself.
#include <chrono>

#include "bind_network.hpp"
#include "bind_sampling.hpp"
#include "bind_training.hpp"
#include "network_checks.hpp"
#include "processor.hpp"

namespace hornbook {
inline namespace HORNBOOK_LEVEL {

// What a core reaches at best: independent fused multiply-adds on registers, in GFLOP/s of float.
double fma_peak(double seconds) {
    require(seconds > 0 && seconds <= 60, "seconds: expected more than 0 and at most 60");
    constexpr int chains = Registers == 32 ? 16 : 12;
    using clock = std::chrono::steady_clock;
    Vec<float> sum[chains];
    HORNBOOK_UNROLL
    for (int c = 0; c < chains; ++c)
        sum[c] = broadcast(float(c));  // all different, or one chain would serve for all
    Vec<float> x = broadcast(1.0f), y = broadcast(0.5f);
    nb::gil_scoped_release free_python;
    double flops = 0, spent = 0;
    for (const auto start = clock::now(); spent < seconds;
         spent = std::chrono::duration<double>(clock::now() - start).count()) {
        for (int i = 0; i < 20000; ++i) {
            HORNBOOK_UNROLL
            for (int c = 0; c < chains; ++c) sum[c] = fma(x, sum[c], y);
            __asm__ volatile("" : "+m"(x), "+m"(y));  // nothing may be worked out beforehand
        }
        flops += 2.0 * 20000 * chains * Lanes<float>;
    }
    Vec<float> all{};
    HORNBOOK_UNROLL
    for (int c = 0; c < chains; ++c) all += sum[c];
    volatile float kept = reduce_add<float>(all);
    (void)kept;
    return flops / spent / 1e9;
}

// How this build can mix products on this processor, the fastest last.
nb::list pairs() {
    nb::list names;
    for (const std::string& name : kinds_of_pairs()) names.append(name.c_str());
    return names;
}

#if defined(HORNBOOK_LISTS_LEVELS)
// The levels this processor can run, the plainest first.
nb::list levels() {
    nb::list names;
    for (const std::string& name : processor_levels()) names.append(name.c_str());
    return names;
}
#endif

// One of the functions of math.hpp over a whole array, for tests.
template <class Real, class Function> Result<Real> map(Array<Real> x, Function function) {
    require(x.ndim() == 1, "x: expected one dimension");
    const size_t n = x.size();
    auto y = Fresh<Real>::make({n});
    for (size_t i = 0; i < n; i += Lanes<Real>) {
        const size_t some = std::min(n - i, size_t(Lanes<Real>));
        Vec<Real> v{};
        std::memcpy(&v, x.data() + i, some * sizeof(Real));
        v = function(v);
        std::memcpy(y.data + i, &v, some * sizeof(Real));
    }
    return y.array;
}

template <class Real> void bind_functions(nb::module_& m) {
    using V = Vec<Real>;
    const auto x = exact("x");
    m.def("exp", [](Array<Real> a) { return map<Real>(a, [](V v) { return exp<Real>(v); }); }, x);
    m.def("tanh", [](Array<Real> a) { return map<Real>(a, [](V v) { return tanh<Real>(v); }); }, x);
    m.def("sigmoid", [](Array<Real> a) { return map<Real>(a, [](V v) { return sigmoid<Real>(v); }); }, x);
    m.def("log", [](Array<Real> a) { return map<Real>(a, [](V v) { return log<Real>(v); }); }, x);
    m.def(
        "over_root",
        [](Array<Real> a) {
            return map<Real>(a, [](V v) {
                const V one = broadcast(Real(1));
                return over_root<Real, false>(one, one, v);
            });
        },
        x);
}

}  // namespace HORNBOOK_LEVEL
}  // namespace hornbook

NB_MODULE(HORNBOOK_MODULE, m) {
    m.doc() = "hornbook's native core at one level of processor; see hornbook.engines.native.";
    hornbook::bind_core<hornbook::Vanilla<float>>(m, "Core32");
    hornbook::bind_core<hornbook::Vanilla<double>>(m, "Core64");
    hornbook::bind_sampler<hornbook::Vanilla<float>>(m, "Sampler32");
    hornbook::bind_sampler<hornbook::Vanilla<double>>(m, "Sampler64");
    hornbook::bind_networks(m);
    hornbook::bind_functions<float>(m);
    hornbook::bind_functions<double>(m);
    m.def("pairs", &hornbook::pairs);
    m.def("holds_tiles", &hornbook::holds_tiles);
    m.def("fma_peak", &hornbook::fma_peak, nb::arg("seconds") = 0.2);
#if defined(HORNBOOK_LISTS_LEVELS)
    m.def("levels", &hornbook::levels);
#endif
}

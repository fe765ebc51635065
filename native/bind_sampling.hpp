// Sampling as Python sees it.
//
//   S  streams     n  characters of each     K  symbols     H  hidden units
#pragma once

#include "arrays.hpp"
#include "checks.hpp"
#include "sampler.hpp"

namespace hornbook {
inline namespace HORNBOOK_LEVEL {

template <class Cell> class SamplerOf {
  public:
    using Real = typename Cell::Real;

    SamplerOf(int64_t K, int64_t H, Array<Real> parameters)
        : at_(checked_layout<Cell>(K, H)), weights_(at_), sampler_(weights_) {
        require_shape("parameters", parameters, {at_.parameters()});
        weights_.set(parameters.data());
    }

    Result<int64_t> sample(nb::ndarray<Real, nb::c_contig, nb::device::cpu> state,
                           nb::ndarray<int64_t, nb::c_contig, nb::device::cpu> last, int64_t n,
                           double temperature, int64_t top_k, double top_p, uint64_t seed, uint64_t position,
                           uint64_t purpose, uint64_t update, int64_t threads, uint64_t first_stream) {
        require_vector("last", last);
        const Size S = Size(last.size());
        require_shape("state", state, {S, at_.H});
        for (Size s = 0; s < S; ++s)
            if (last.data()[s] < -1 || last.data()[s] >= at_.K)
                refuse("last: expected ids from -1 (none) to " + std::to_string(at_.K - 1));
        require(n >= 0 && double(n) * double(S) < 0x1p40,
                "n: expected 0 or more, and less than 2^40 characters in all");
        require(temperature >= 0 && std::isfinite(temperature),
                "temperature: expected a finite number of 0 or more");
        require(top_k >= 0, "top_k: expected 0 (all) or more");
        require(top_p > 0 && top_p <= 1, "top_p: expected more than 0 and at most 1");
        require(threads >= 0 && threads <= 1024, "threads: expected 0 (one a core) to 1024");
        auto ids = Fresh<int64_t>::make({size_t(S), size_t(n)});
        {
            nb::gil_scoped_release free_python;
            const Size cores =
                threads > 0 ? Size(threads) : std::max<Size>(1, std::thread::hardware_concurrency());
            sampler_.sample(ids.data, state.data(), last.data(), S, n, {temperature, top_k, top_p},
                            {seed, purpose, first_stream, update}, position, cores);
        }
        return ids.array;
    }

  private:
    const Layout<Cell> at_;
    Weights<Cell> weights_;
    Sampler<Cell> sampler_;
};

template <class Cell> void bind_sampler(nb::module_& m, const char* name) {
    using S = SamplerOf<Cell>;
    using Real = typename Cell::Real;
    nb::class_<S>(m, name)
        .def(nb::init<int64_t, int64_t, Array<Real>>(), nb::arg("vocabulary"), nb::arg("hidden"),
             exact("parameters"))
        .def("sample", &S::sample, exact("state"), exact("last"), nb::arg("n"), nb::arg("temperature") = 1.0,
             nb::arg("top_k") = 0, nb::arg("top_p") = 1.0, nb::arg("seed") = 0, nb::arg("position") = 0,
             nb::arg("purpose") = 0, nb::arg("update") = 0, nb::arg("threads") = 0,
             nb::arg("first_stream") = 0);
}

}  // namespace HORNBOOK_LEVEL
}  // namespace hornbook

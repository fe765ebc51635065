// Parameters that come from Python, and writing with them.
//
//   K symbols   H units   L layers   S states of the cell   M streams   n characters of each
#pragma once

#include <memory>
#include <mutex>

#include "arrays.hpp"
#include "network_checks.hpp"
#include "network_portions.hpp"
#include "network_reader.hpp"

namespace hornbook {
inline namespace HORNBOOK_LEVEL {

// Parameters that a call brings along, ready for its products.
template <class Real> struct Given {
    Buffer<Real> block;
    NetworkWeights<Real> weights;
    using For = typename NetworkWeights<Real>::For;
    Given(const NetworkLayout<Real>& at, const Array<Real>& parameters, For purpose)
        : block(at.size), weights(at, purpose) {
        require_shape("parameters", parameters, {at.parameters()});
        at.pack(block, parameters.data());
        weights.pack(block);
    }
};

template <class Real> class NetworkSampler {
  public:
    NetworkSampler(const std::string& cell, int64_t K, int64_t H, int64_t L, Array<Real> parameters,
                   const std::string& pairs)
        : at_(checked_network<Real>(cell, K, H, L, pairs)),
          given_(at_, parameters, Given<Real>::For::reading) {}

    Result<int64_t> sample(nb::ndarray<Real, nb::c_contig, nb::device::cpu> state,
                           nb::ndarray<int64_t, nb::c_contig, nb::device::cpu> last, int64_t n,
                           double temperature, int64_t top_k, double top_p, uint64_t seed, uint64_t position,
                           uint64_t purpose, uint64_t update, int64_t threads, uint64_t first_stream) const {
        require_vector("last", last);
        const Size M = Size(last.size());
        require_shape("state", state, {at_.L, at_.cell.states, M, at_.H});
        for (Size m = 0; m < M; ++m)
            if (last.data()[m] < -1 || last.data()[m] >= at_.K)
                refuse("last: expected ids from -1 (none) to " + std::to_string(at_.K - 1));
        require(n >= 0 && double(n) * double(M) < 0x1p40,
                "n: expected 0 or more, and less than 2^40 characters in all");
        require(temperature >= 0 && std::isfinite(temperature),
                "temperature: expected a finite number of 0 or more");
        require(top_k >= 0, "top_k: expected 0 (all) or more");
        require(top_p > 0 && top_p <= 1, "top_p: expected more than 0 and at most 1");
        const Size cores = checked_threads(threads);
        auto ids = Fresh<int64_t>::make({size_t(M), size_t(n)});
        if (M > 0) {
            nb::gil_scoped_release free_python;
            write(ids.data, state.data(), last.data(), M, n, {temperature, top_k, top_p},
                  {seed, purpose, first_stream, update}, position, cores);
        }
        return ids.array;
    }

  private:
    const NetworkLayout<Real> at_;
    const Given<Real> given_;
    mutable std::mutex mutex_;  // held while a portioned network writes: its portions have room for one step
    mutable std::unique_ptr<PortionedNetwork<Real>> portioned_;  // null where no stream was worth it yet

    void write(int64_t* ids, Real* state, int64_t* last, Size M, Size n, const Taste& taste,
               const Place& place, uint64_t position, Size threads) const {
        constexpr Size least = 64;  // characters, for which it is worth starting a thread
        const Size parts = M == 1 && n >= least ? PortionedNetwork<Real>::worth(at_, threads) : 1;
        if (parts == 1)
            return write_text(given_.weights, ids, state, last, M, n, taste, place, position, threads);
        const std::lock_guard<std::mutex> lock(mutex_);
        if (!portioned_ || portioned_->parts() != parts)
            portioned_ = std::make_unique<PortionedNetwork<Real>>(given_.weights, parts);
        portioned_->write(ids, state, *last, n, taste, place, position);
    }
};

}  // namespace HORNBOOK_LEVEL
}  // namespace hornbook

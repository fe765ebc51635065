// Which outputs of a layer are dropped: a function of (seed, update, stream, layer, time, unit) only.
//
//   j  t · H + i for unit i at time t     block  j / 16: four words, sixteen pieces of 16 bits
//
// An output is kept where its piece is at least round(p · 65536), and then divided by 1 - p.
#pragma once

#include <cmath>

#include "philox.hpp"
#include "simd.hpp"

namespace hornbook {
inline namespace HORNBOOK_LEVEL {

struct Dropout {
    static constexpr uint64_t purpose = 5;
    double p = 0;  // 0: nothing is dropped
    uint64_t seed = 0;
    uint32_t threshold() const { return uint32_t(std::nearbyint(p * 65536)); }

    // factor (H,) = 0 or 1 / (1 - p), of one stream at one time
    template <class Real>
    void draw(Real* factor, uint64_t update, uint64_t stream, uint64_t layer, uint64_t t, uint64_t H) const {
        const uint32_t least = threshold();
        const Real kept = Real(1 / (1 - p));
        const Place place{seed, purpose, stream, update, layer};
        uint64_t j = t * H;
        Words drawn = words(place, j / 16);
        for (uint64_t i = 0; i < H; ++i, ++j) {
            if (j % 16 == 0) drawn = words(place, j / 16);
            const uint32_t piece = uint32_t(drawn.word[j % 16 / 4] >> (16 * (j % 4))) & 0xffff;
            factor[i] = piece >= least ? kept : Real(0);
        }
    }
};

}  // namespace HORNBOOK_LEVEL
}  // namespace hornbook

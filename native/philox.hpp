// Philox4x64-10 (Salmon et al., SC 2011): a random number as a function of where it is used, the same as
// NumPy's Philox.
//
//   key (seed, purpose)     counter (position + 1, stream, update, layer)     four words a position
//
// NumPy counts up before its first block, hence the + 1:
// Philox(key=[seed, purpose], counter=[position, stream, update, layer]).random_raw(4)
#pragma once

#include <cstdint>

namespace hornbook {

struct Place {
    uint64_t seed, purpose, stream, update, layer = 0;
};

struct Words {
    uint64_t word[4];
};

inline Words words(const Place& place, uint64_t position) {
    __extension__ using Wide = unsigned __int128;
    // the counter is one 256-bit number: a position of 2^64 - 1 carries on
    uint64_t c0 = position + 1, c1 = place.stream + (c0 == 0), c2 = place.update + (c0 == 0 && c1 == 0),
             c3 = place.layer + (c0 == 0 && c1 == 0 && c2 == 0);
    uint64_t k0 = place.seed, k1 = place.purpose;
    for (int round = 0; round < 10; ++round) {
        const Wide a = Wide(0xD2E7470EE14C6C93u) * c0, b = Wide(0xCA5A826395121157u) * c2;
        const uint64_t next0 = uint64_t(b >> 64) ^ c1 ^ k0, next2 = uint64_t(a >> 64) ^ c3 ^ k1;
        c0 = next0, c1 = uint64_t(b), c2 = next2, c3 = uint64_t(a);
        k0 += 0x9E3779B97F4A7C15u, k1 += 0xBB67AE8584CAA73Bu;
    }
    return {{c0, c1, c2, c3}};
}

// Uniform in [0, 1), 53 bits of the first word.
inline double uniform(const Place& place, uint64_t position) {
    return double(words(place, position).word[0] >> 11) * 0x1p-53;
}

}  // namespace hornbook

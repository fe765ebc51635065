// What Python may ask a network for; see checks.hpp.
#pragma once

#include "checks.hpp"
#include "network.hpp"

namespace hornbook {
inline namespace HORNBOOK_LEVEL {

template <class Table> std::string names_of(const Table& table) {
    std::string names;
    for (const auto& item : table) names += (names.empty() ? "" : ", ") + std::string(item.name);
    return names;
}

// How a network is mixed: not at all, or by one of kinds_of_pairs().
inline std::vector<std::string> kinds_of_pairs() {
    std::vector<std::string> kinds;
    if (has_pairs()) kinds.push_back("vector");
    if (has_tiles()) kinds.push_back("tiles");
    return kinds;
}

template <class Real> Mixed checked_pairs(const std::string& pairs) {
    if (pairs.empty()) return {};
    const std::vector<std::string> kinds = kinds_of_pairs();
    require(Mixable<Real> && std::find(kinds.begin(), kinds.end(), pairs) != kinds.end(),
            "pairs: expected none, or vector or tiles for a float32 network, where the processor multiplies "
            "bfloat16 so, at the level that has it");
    return {true, pairs == "tiles"};
}

template <class Real>
NetworkLayout<Real> checked_network(const std::string& cell, int64_t K, int64_t H, int64_t L,
                                    const std::string& pairs) {
    const Cell<Real>* found = cell_named<Real>(cell);
    if (!found) refuse("cell: expected one of " + names_of(family<Real>) + ", got " + cell);
    checked_size("vocabulary", K, int64_t(1) << 31);
    checked_size("hidden", H, int64_t(1) << 18);
    checked_size("layers", L, 64);
    const double gates = double(found->gates) * double(H);
    if (gates * (double(K) + 2.0 * double(L) * double(H)) + double(H) * double(K) > 0x1p36)
        refuse("vocabulary, hidden and layers: the parameters would exceed 2^36 numbers");
    return NetworkLayout<Real>(*found, Size(K), Size(H), Size(L), checked_pairs<Real>(pairs));
}

// T and B of a window that the core can hold.
template <class Real> void check_window(const NetworkLayout<Real>& at, int64_t T, int64_t B) {
    checked_size("seq_len", T, int64_t(1) << 30);
    checked_size("streams", B, int64_t(1) << 30);
    if (double(T) * double(B) * double(at.L) * double(at.ld_a + 4 * at.ld_h) > 0x1p40)
        refuse("seq_len and streams: a window would exceed 2^40 numbers");
}

inline int checked_threads(int64_t threads) {
    require(threads >= 0 && threads <= 1024, "threads: expected 0 (one a core) to 1024");
    return threads > 0 ? int(threads) : std::max(1, int(std::thread::hardware_concurrency()));
}

template <class Real>
NetworkSettings<Real> checked_settings(const std::string& optimizer, const std::string& clip, double limit,
                                       const std::string& objective, double weight_decay, double input_rate,
                                       double dropout, uint64_t seed) {
    const Optimization<Real>* rule = rule_named<Real>(optimizer);
    if (!rule) refuse("optimizer: expected one of " + names_of(rules<Real>) + ", got " + optimizer);
    if (clip != "value" && clip != "norm" && clip != "none")
        refuse("clip: expected value, norm or none, got " + clip);
    if (clip != "none" && !(limit > 0))
        refuse("clip_limit: expected a number above 0, got " + std::to_string(limit));
    if (objective != "sum" && objective != "mean")
        refuse("objective: expected sum or mean, got " + objective);
    require(weight_decay >= 0 && weight_decay <= 1e6, "weight_decay: expected 0 to 1e6");
    require(input_rate > 0 && input_rate <= 1e6, "input_rate: expected more than 0, at most 1e6");
    require(dropout >= 0 && dropout < 1, "dropout: expected 0 or more, and less than 1");
    return {*rule,          clip == "value" ? Clip::value : clip == "norm" ? Clip::norm : Clip::none,
            limit,          objective == "mean",
            weight_decay,   input_rate,
            {dropout, seed}};
}

}  // namespace HORNBOOK_LEVEL
}  // namespace hornbook

// Everything that comes from Python is checked here, once, so that nothing behind this file can be asked for
// what it cannot do. Every fault is a ValueError that says what was expected and what was given.
//
//   K  symbols     H  hidden units     n  numbers of an array
#pragma once

#include <nanobind/nanobind.h>

#include <atomic>
#include <stdexcept>
#include <string>

#include "trainer.hpp"

namespace nb = nanobind;

namespace hornbook {
inline namespace HORNBOOK_LEVEL {

[[noreturn]] inline void refuse(const std::string& text) { throw nb::value_error(text.c_str()); }
inline void require(bool condition, const char* text) {
    if (!condition) refuse(text);
}

inline std::string shape_text(std::initializer_list<Size> shape) {
    std::string text = "(";
    for (const Size n : shape) text += std::to_string(n) + ", ";
    return text.substr(0, text.size() - (shape.size() > 1 ? 2 : 1)) + ")";
}

// NumPy can hold numbers at addresses that are no multiple of their size; plain loops over them are
// undefined.
template <class A> void require_aligned(const char* name, const A& array) {
    if (reinterpret_cast<uintptr_t>(array.data()) % sizeof(*array.data()))
        refuse(std::string(name) + ": expected an aligned array");
}

template <class A> void require_vector(const char* name, const A& array) {
    if (array.ndim() != 1)
        refuse(std::string(name) + ": expected one dimension, got " + std::to_string(array.ndim()));
    require_aligned(name, array);
}

template <class A> void require_shape(const char* name, const A& array, std::initializer_list<Size> shape) {
    require_aligned(name, array);
    bool same = array.ndim() == shape.size();
    size_t i = 0;
    for (const Size n : shape) same = same && size_t(n) == array.shape(i++);
    if (same) return;
    std::string got = "(";
    for (size_t d = 0; d < array.ndim(); ++d)
        got += std::to_string(array.shape(d)) + (d + 1 < array.ndim() ? ", " : array.ndim() == 1 ? "," : "");
    refuse(std::string(name) + ": expected shape " + shape_text(shape) + ", got " + got + ")");
}

template <class Real> bool all_within(const Real* values, size_t n, Real least, Real most) {
    for (size_t i = 0; i < n; ++i)
        if (!(values[i] >= least && values[i] <= most)) return false;
    return true;
}

template <class Id> bool all_below(const Id* ids, size_t n, Size K) {
    uint64_t most = 0;
    for (size_t i = 0; i < n; ++i)
        most = std::max(most, uint64_t(ids[i]));  // a negative id becomes a huge one
    return n == 0 || most < uint64_t(K);
}

inline void require_ids(const char* name, bool below, Size K) {
    if (!below)
        refuse(std::string(name) + ": expected ids from 0 to " + std::to_string(K - 1) + ", got one outside");
}

inline Size checked_size(const char* name, int64_t n, int64_t most) {
    if (n < 1 || n > most)
        refuse(std::string(name) + ": expected 1 to " + std::to_string(most) + ", got " + std::to_string(n));
    return Size(n);
}

// K and H that the core can hold: indices of symbols and times are 32 bits, and a set of parameters is below
// 2^36 numbers.
template <class Cell> Layout<Cell> checked_layout(int64_t K, int64_t H) {
    checked_size("vocabulary", K, int64_t(1) << 31);
    checked_size("hidden", H, int64_t(1) << 18);
    if (double(H) * (2.0 * double(K) + double(Cell::gates * H)) > 0x1p36)
        refuse("vocabulary and hidden: the parameters would exceed 2^36 numbers");
    return Layout<Cell>(Size(K), Size(H));
}

// One call at a time: the lock of Python is released inside, so a second thread could otherwise enter the
// same core.
class Turn {
  public:
    explicit Turn(std::atomic_flag& busy) : busy_(busy) {
        if (busy_.test_and_set()) throw std::runtime_error("this core is already at work in another thread");
    }
    ~Turn() { busy_.clear(); }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

  private:
    std::atomic_flag& busy_;
};

inline Settings checked_settings(const std::string& optimizer, const std::string& clip, double limit,
                                 double scale) {
    if (optimizer != "sgd" && optimizer != "adagrad")
        refuse("optimizer: expected sgd or adagrad, got " + optimizer);
    if (clip != "value" && clip != "norm" && clip != "none")
        refuse("clip: expected value, norm or none, got " + clip);
    if (clip != "none" && !(limit > 0))
        refuse("clip_limit: expected a number above 0, got " + std::to_string(limit));
    if (!(scale > 0 && scale <= 1e6))
        refuse("objective_scale: expected a number above 0 and at most 1e6, got " + std::to_string(scale));
    return {optimizer == "sgd" ? Optimizer::sgd : Optimizer::adagrad,
            clip == "value"  ? Clip::value
            : clip == "norm" ? Clip::norm
                             : Clip::none,
            limit, scale};
}

}  // namespace HORNBOOK_LEVEL
}  // namespace hornbook

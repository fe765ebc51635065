// exp, tanh, sigmoid and log of a vector, without branches or tables: the same formula for every lane, in
// float and in double.
//
//   V  a vector of N lanes     n  a whole power of two     r  what remains of the argument after it
//
// Stated bounds, over the whole range with ±0, ±inf, NaN and denormal results: 3 ulp in float, 4 ulp in
// double (tests measure them).
// exp(x) = 2^n e^r with n = round(x / ln 2), |r| <= ln(2)/2; ln 2 is subtracted
// in two parts, the first with zeros at its end so that n times it is exact. The series of e^r leave less
// than a quarter of an ulp: Taylor's of degree 13 in double; in float the polynomial of degree 6 with the
// least relative error of e^r - 1 (1.4e-8; Remez).
#pragma once

#include "simd.hpp"

namespace hornbook {
inline namespace HORNBOOK_LEVEL {

template <class Real> struct Constants;
template <> struct Constants<float> {
    static constexpr int mantissa = 23, exponent_bias = 127;
    static constexpr float ln2_high = 0.693359375f, ln2_low = -2.12194440e-4f;
    static constexpr float magic =
        12582912.0f;  // 1.5 * 2^23: adding it rounds to a whole number, kept in the low bits
    static constexpr float exp_low = -104.5f, exp_normal = -87.3365f, exp_high = 89.0f, tanh_high = 10.0f,
                           smallest_normal = 1.17549435e-38f;
    static constexpr float series[] = {0.499999981542f, 0.166665436206f, 0.0416671998144f, 0.00836652061942f,
                                       0.00138825240011f};                     // (e^r - 1 - r) / r²
    static constexpr float tanh_series[] = {-0.33331272149f, 0.13110629338f};  // (tanh(r) / r - 1) / r²
};
template <> struct Constants<double> {
    static constexpr int mantissa = 52, exponent_bias = 1023;
    static constexpr double ln2_high = 6.93147180369123816490e-1, ln2_low = 1.90821492927058770002e-10;
    static constexpr double magic = 6755399441055744.0;  // 1.5 * 2^52
    static constexpr double exp_low = -747.0, exp_normal = -708.396, exp_high = 710.0, tanh_high = 20.0,
                            smallest_normal = 2.2250738585072014e-308;
    static constexpr double series[] = {1.0 / 2,       1.0 / 6,        1.0 / 24,        1.0 / 120,
                                        1.0 / 720,     1.0 / 5040,     1.0 / 40320,     1.0 / 362880,
                                        1.0 / 3628800, 1.0 / 39916800, 1.0 / 479001600, 1.0 / 6227020800};
    static constexpr double tanh_series[] = {-0.33333333333332485,   0.1333333333278275,
                                             -0.05396825278201437,   0.02186937071468073,
                                             -0.0088573087705173927, 0.0034448378116353005};
};

template <class Real, int N> struct Reduced {
    Vec<Real, N> r, n;
    IntVec<Real, N> whole;  // n as an integer
};

// x = n ln 2 + r
template <class Real, int N> HORNBOOK_INLINE Reduced<Real, N> reduce_by_ln2(Vec<Real, N> x) {
    using C = Constants<Real>;
    using V = Vec<Real, N>;
    const V magic = broadcast<Real, N>(C::magic);
    const V shifted = fma(x, broadcast<Real, N>(Real(1.4426950408889634)), magic), n = shifted - magic;
    V r = fma(n, broadcast<Real, N>(-C::ln2_high), x);
    r = fma(n, broadcast<Real, N>(-C::ln2_low), r);
    return {r, n, As<Real, N>::bits(shifted) - As<Real, N>::bits(magic)};
}

// 2^n, for n of a normal number
template <class Real, int N> HORNBOOK_INLINE Vec<Real, N> power_of_two(IntVec<Real, N> n) {
    return As<Real, N>::real((n + Constants<Real>::exponent_bias) << Constants<Real>::mantissa);
}

// x 2^n, rounded once, so that overflow and gradual underflow are right
//
// AVX-512 has an instruction for it. Elsewhere the power is multiplied in two halves: the first is exact.
template <class Real, int N>
HORNBOOK_INLINE Vec<Real, N> times_power_of_two(Vec<Real, N> x, const Reduced<Real, N>& by) {
#if defined(__AVX512F__)
    if constexpr (sizeof x == 64) return scale_by_power(x, by.n);
#endif
    const IntVec<Real, N> half = by.whole >> 1;
    return x * power_of_two<Real, N>(half) * power_of_two<Real, N>(by.whole - half);
}

// (e^r - 1 - r) / r² = 1/2 + r/6 + r²/24 ...
template <class Real, int N> HORNBOOK_INLINE Vec<Real, N> series_of_exp(Vec<Real, N> r) {
    constexpr auto& series = Constants<Real>::series;
    constexpr int last = sizeof series / sizeof(Real) - 1;
    Vec<Real, N> p = broadcast<Real, N>(series[last]);
    HORNBOOK_UNROLL
    for (int i = last - 1; i >= 0; --i) p = fma(p, r, broadcast<Real, N>(series[i]));
    return p;
}

template <class Real, int N = Lanes<Real>> HORNBOOK_INLINE Vec<Real, N> exp(Vec<Real, N> x) {
    using C = Constants<Real>;
    x = max(broadcast<Real, N>(C::exp_low), min(broadcast<Real, N>(C::exp_high), x));
    const Reduced<Real, N> by = reduce_by_ln2<Real, N>(x);
    const Vec<Real, N> expm1 = fma(series_of_exp<Real, N>(by.r), by.r * by.r, by.r);  // e^r - 1
    return times_power_of_two<Real, N>(expm1 + Real(1), by);
}

// e^x where that is a normal number, and 0 below: what becomes of differences from a largest one. One power
// of two will do for x <= 0.
template <class Real, int N = Lanes<Real>> HORNBOOK_INLINE Vec<Real, N> exp_or_zero(Vec<Real, N> x) {
    using C = Constants<Real>;
    using V = Vec<Real, N>;
    const V least = broadcast<Real, N>(C::exp_normal), one = broadcast<Real, N>(1);
    const Reduced<Real, N> by = reduce_by_ln2<Real, N>(max(least, x));
    const V y = fma(fma(series_of_exp<Real, N>(by.r), by.r, one), by.r, one);
    return select(x < least, V{}, y * power_of_two<Real, N>(by.whole));
}

// tanh x = (2^n e^2r - 1) / (2^n e^2r + 1) with n = round(2x / ln 2) and x = n ln(2)/2 + r. Where τ = tanh r,
// e^2r = (1 + τ) / (1 - τ), and what is left is
//     ((2^n + 1) τ - (1 - 2^n)) / ((2^n + 1) - (1 - 2^n) τ),
// which is τ itself where n = 0, down to the sign of zero. τ is r (1 + r² q), q the polynomial in r² with the
// least relative error of τ (6e-8 in float, 4e-18 in double; Remez). ln(2)/2 in one part will do: what its
// rounding and that of its multiple add, at most ε x, is worth ε 2x / sinh 2x of the result, ε at most.
template <class Real, int N = Lanes<Real>> HORNBOOK_INLINE Vec<Real, N> tanh(Vec<Real, N> x) {
    using C = Constants<Real>;
    using V = Vec<Real, N>;
    const V most = broadcast<Real, N>(C::tanh_high), magic = broadcast<Real, N>(C::magic);
    x = max(-most, min(most, x));
    const V shifted = fma(x, broadcast<Real, N>(Real(2.8853900817779268)), magic), n = shifted - magic;
    const V r = fma(n, broadcast<Real, N>(Real(-0.34657359027997265)), x), square = r * r;
    // Of the bits of magic + n none but those of n stay when they are moved to the exponent's place.
    const V scale = As<Real, N>::real((As<Real, N>::bits(shifted) << C::mantissa) +
                                      (Int<Real>(C::exponent_bias) << C::mantissa));
    constexpr int last = sizeof C::tanh_series / sizeof(Real) - 1;
    V q = broadcast<Real, N>(C::tanh_series[last]);
    HORNBOOK_UNROLL
    for (int i = last - 1; i >= 0; --i) q = fma(q, square, broadcast<Real, N>(C::tanh_series[i]));
    const V tau = fma(q, square, broadcast<Real, N>(1)) * r, above = scale + Real(1), below = Real(1) - scale;
    return (above * tau - below) / (above - below * tau);
}

// σ(x) = 1 / (1 + e^-x) where x >= 0, e^x / (1 + e^x) where not: e^-|x| never overflows and small results
// keep all their bits.
template <class Real, int N = Lanes<Real>> HORNBOOK_INLINE Vec<Real, N> sigmoid(Vec<Real, N> x) {
    const Vec<Real, N> e = exp<Real, N>(-absolute<Real, N>(x));
    return select(x >= Vec<Real, N>{}, broadcast<Real, N>(1), e) / (e + Real(1));
}

// log(2^n m) = n ln 2 + log m with sqrt(1/2) <= m < sqrt(2);
// log(1+f) = f - (f²/2 - s (f²/2 + R(s²))), s = f / (2+f) (fdlibm's e_log.c).
template <class Real, int N = Lanes<Real>> HORNBOOK_INLINE Vec<Real, N> log(Vec<Real, N> x) {
    using C = Constants<Real>;
    using V = Vec<Real, N>;
    using I = IntVec<Real, N>;
    const I is_small = x < broadcast<Real, N>(C::smallest_normal);  // denormal: bring it up by 2^64 first
    const V positive = select(x > V{}, x, broadcast<Real, N>(1));   // what is not gets its value at the end
    const V up = select(is_small, positive * Real(18446744073709551616.0), positive);
    constexpr Int<Real> below_root_half =
        sizeof(Real) == 4 ? Int<Real>(0x3f3504f3) : Int<Real>(0x3fe6a09e667f3bcd);
    const I shifted = As<Real, N>::bits(up) - below_root_half;
    const I n = (shifted >> C::mantissa) - (is_small & 64);
    const V f =
        As<Real, N>::real((shifted & ((Int<Real>(1) << C::mantissa) - 1)) + below_root_half) - Real(1);
    const V s = f / (f + Real(2)), z = s * s, half_square = f * f * Real(0.5);
    constexpr double series[] = {2.0 / 3,  2.0 / 5,  2.0 / 7,  2.0 / 9,  2.0 / 11,
                                 2.0 / 13, 2.0 / 15, 2.0 / 17, 2.0 / 19, 2.0 / 21};
    V p = V{};  // the series of 2 artanh(s) - 2s over s, |s| <= 0.172
    HORNBOOK_UNROLL
    for (int i = sizeof(Real) == 4 ? 4 : 9; i >= 0; --i) p = fma(p, z, broadcast<Real, N>(Real(series[i])));
    const V whole = __builtin_convertvector(n, V);
    const V tail = fma(s, fma(p, z, half_square), whole * C::ln2_low);
    const V y = fma(whole, broadcast<Real, N>(C::ln2_high), f - (half_square - tail));
    const V infinity = broadcast<Real, N>(Real(__builtin_inf()));
    V edge = select(x == V{}, -infinity, x + x);  // log 0 = -inf; +inf and NaN are their own
    edge = select(x < V{}, x - x + Real(__builtin_nan("")), edge);
    return select((x > V{}) & (x < infinity), y, edge);
}

}  // namespace HORNBOOK_LEVEL
}  // namespace hornbook

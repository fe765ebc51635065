// One vector of numbers and the few things done with it, over the vector types of GCC and Clang. Nothing here
// knows networks.
//
//   N  lanes of a vector     Lanes  lanes of the widest vector of this build (128, 256 or 512 bits)
//
// Each level of processor compiles this same source into its own extension module; the inline namespace gives
// its types and functions their own names, so that two levels loaded in one process never share a symbol.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <utility>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

#if defined(__AVX512F__)
#define HORNBOOK_LEVEL avx512
#define HORNBOOK_BYTES 64
#elif defined(__AVX2__)
#define HORNBOOK_LEVEL avx2
#define HORNBOOK_BYTES 32
#elif defined(__ARM_NEON)
#define HORNBOOK_LEVEL neon
#define HORNBOOK_BYTES 16
#else
#define HORNBOOK_LEVEL baseline
#define HORNBOOK_BYTES 16
#endif

#define HORNBOOK_INLINE inline __attribute__((always_inline))
#define HORNBOOK_UNROLL _Pragma("GCC unroll 16")

namespace hornbook {
inline namespace HORNBOOK_LEVEL {

template <class Real> inline constexpr int Lanes = HORNBOOK_BYTES / int(sizeof(Real));
inline constexpr int Registers = HORNBOOK_BYTES == 64 ? 32 : 16;

template <class Real> struct Bits;
template <> struct Bits<float> {
    using Int = int32_t;
};
template <> struct Bits<double> {
    using Int = int64_t;
};
template <class Real> using Int = typename Bits<Real>::Int;

template <class T, int N> struct VectorOf {
    typedef T type __attribute__((vector_size(N * sizeof(T))));
};
template <class Real, int N = Lanes<Real>> using Vec = typename VectorOf<Real, N>::type;
template <class Real, int N = Lanes<Real>> using IntVec = typename VectorOf<Int<Real>, N>::type;

template <class Real, int N = Lanes<Real>> HORNBOOK_INLINE Vec<Real, N> load(const Real* from) {
    Vec<Real, N> v;
    std::memcpy(&v, from, sizeof v);
    return v;
}

template <class Real, class V> HORNBOOK_INLINE void store(Real* to, V v) { std::memcpy(to, &v, sizeof v); }

// x - {} rather than x + {}: subtracting +0 keeps the sign of a zero, so this is a plain broadcast to the
// compiler.
template <class Real, int N = Lanes<Real>> HORNBOOK_INLINE Vec<Real, N> broadcast(Real x) {
    return x - Vec<Real, N>{};
}

// The builds allow contraction (-ffp-contract=fast): one fused instruction where the level has it.
template <class V> HORNBOOK_INLINE V fma(V a, V b, V c) { return a * b + c; }

template <class M, class V> HORNBOOK_INLINE V select(M where, V yes, V no) { return where ? yes : no; }

// Where either is NaN the second is returned, like the processor's own instruction: put the value whose NaN
// must survive second.
template <class V> HORNBOOK_INLINE V max(V a, V b) { return a > b ? a : b; }
template <class V> HORNBOOK_INLINE V min(V a, V b) { return a < b ? a : b; }
// GCC makes a comparison and a selection of the above, which keep multiplications waiting. (The unmasked
// forms of 512 bits draw a false warning, here and below.)
#if defined(__x86_64__)
HORNBOOK_INLINE Vec<float, 4> max(Vec<float, 4> a, Vec<float, 4> b) {
    return (Vec<float, 4>)_mm_max_ps((__m128)a, (__m128)b);
}
HORNBOOK_INLINE Vec<float, 4> min(Vec<float, 4> a, Vec<float, 4> b) {
    return (Vec<float, 4>)_mm_min_ps((__m128)a, (__m128)b);
}
#endif
#if defined(__AVX2__)
HORNBOOK_INLINE Vec<float, 8> max(Vec<float, 8> a, Vec<float, 8> b) {
    return (Vec<float, 8>)_mm256_max_ps((__m256)a, (__m256)b);
}
HORNBOOK_INLINE Vec<float, 8> min(Vec<float, 8> a, Vec<float, 8> b) {
    return (Vec<float, 8>)_mm256_min_ps((__m256)a, (__m256)b);
}
#endif
#if defined(__AVX512F__)
HORNBOOK_INLINE Vec<float, 16> max(Vec<float, 16> a, Vec<float, 16> b) {
    return (Vec<float, 16>)_mm512_maskz_max_ps(0xffff, (__m512)a, (__m512)b);
}
HORNBOOK_INLINE Vec<float, 16> min(Vec<float, 16> a, Vec<float, 16> b) {
    return (Vec<float, 16>)_mm512_maskz_min_ps(0xffff, (__m512)a, (__m512)b);
}
#endif

template <class Real, int N> struct As {
    using V = Vec<Real, N>;
    using I = IntVec<Real, N>;
    static HORNBOOK_INLINE I bits(V v) { return (I)v; }
    static HORNBOOK_INLINE V real(I i) { return (V)i; }
};

template <class Real, int N = Lanes<Real>> HORNBOOK_INLINE Vec<Real, N> absolute(Vec<Real, N> v) {
    constexpr Int<Real> all_but_sign = ~(Int<Real>(1) << (8 * sizeof(Real) - 1));
    return As<Real, N>::real(As<Real, N>::bits(v) & all_but_sign);
}

namespace detail {
template <int Distance, class V, int... I> HORNBOOK_INLINE V exchange(V v, std::integer_sequence<int, I...>) {
    return __builtin_shufflevector(v, v, (I ^ Distance)...);
}
template <class V, int... I> HORNBOOK_INLINE auto first(V v, std::integer_sequence<int, I...>) {
    return __builtin_shufflevector(v, v, I...);
}
template <class V, int... I> HORNBOOK_INLINE auto both(V a, V b, std::integer_sequence<int, I...>) {
    return __builtin_shufflevector(a, b, I...);
}
// Inside every E lanes, the first (or second) halves of a and b alternate.
template <int N, int E, bool High, class V, int... I>
HORNBOOK_INLINE V zip(V a, V b, std::integer_sequence<int, I...>) {
    return __builtin_shufflevector(a, b, (I / E * E + High * E / 2 + I % E / 2 + I % 2 * N)...);
}
// Of the stretches of E lanes of a and then of b, the even (or odd) ones.
template <int N, int E, bool Odd, class V, int... I>
HORNBOOK_INLINE V unzip(V a, V b, std::integer_sequence<int, I...>) {
    return __builtin_shufflevector(a, b, ((2 * (I / E) + Odd) * E + I % E)...);
}
}  // namespace detail

// The first N lanes of a wider vector: the same register under a narrower name.
template <class Real, int N, int Wide> HORNBOOK_INLINE Vec<Real, N> narrow(Vec<Real, Wide> v) {
    return detail::first(v, std::make_integer_sequence<int, N>{});
}

// A vector, and zeros behind it.
template <class Real, int Wide, int N> HORNBOOK_INLINE Vec<Real, Wide> widen(Vec<Real, N> v) {
    if constexpr (N == Wide)
        return v;
    else
        return widen<Real, Wide, 2 * N>(
            detail::both(v, Vec<Real, N>{}, std::make_integer_sequence<int, 2 * N>{}));
}

// G numbers, over and over in all lanes; and such a vector in which lane i has number (At + i) / N of them.
// The second is a shuffle inside every G lanes, and leaves the load ports to the weights.
template <class Real> inline constexpr int Group = std::min(4, Lanes<Real>);

namespace detail {
template <class Real> HORNBOOK_INLINE Vec<Real> repeat(Vec<Real, Group<Real>> v) { return v; }
#if defined(__AVX512F__)
template <> HORNBOOK_INLINE Vec<float> repeat<float>(Vec<float, 4> v) {
    return (Vec<float>)_mm512_maskz_broadcast_f32x4(0xffff, (__m128)v);
}
template <> HORNBOOK_INLINE Vec<double> repeat<double>(Vec<double, 4> v) {
    return (Vec<double>)_mm512_maskz_broadcast_f64x4(0xff, (__m256d)v);
}
#elif defined(__AVX2__)
template <> HORNBOOK_INLINE Vec<float> repeat<float>(Vec<float, 4> v) {
    return (Vec<float>)_mm256_broadcastsi128_si256((__m128i)v);
}
#endif
template <class Real, int N, int At, int... I>
HORNBOOK_INLINE Vec<Real> spread(Vec<Real> v, std::integer_sequence<int, I...>) {
    constexpr int G = Group<Real>;
    return __builtin_shufflevector(v, v, (I / G * G + (At + I) / N)...);
}
template <class V, int... I> HORNBOOK_INLINE auto second(V v, std::integer_sequence<int, I...>) {
    return __builtin_shufflevector(v, v, (int(sizeof...(I)) + I)...);
}
}  // namespace detail
template <class Real> HORNBOOK_INLINE Vec<Real> repeat(const Real* from) {
    return detail::repeat<Real>(load<Real, Group<Real>>(from));
}
template <class Real, int N, int At> HORNBOOK_INLINE Vec<Real> spread(Vec<Real> v) {
    return detail::spread<Real, N, At>(v, std::make_integer_sequence<int, Lanes<Real>>{});
}

// The sum of the parts of a vector that are N lanes wide.
template <class Real, int N, int Wide> HORNBOOK_INLINE Vec<Real, N> fold(Vec<Real, Wide> v) {
    if constexpr (Wide == N) {
        return v;
    } else {
        constexpr std::make_integer_sequence<int, Wide / 2> half{};
        return fold<Real, N, Wide / 2>(detail::first(v, half) + detail::second(v, half));
    }
}

// f(0) ... f(n - 1), each number known to the compiler.
template <class F, int... I>
HORNBOOK_INLINE void each(std::integer_sequence<int, I...>, [[maybe_unused]] F f) {
    (f(std::integral_constant<int, I>{}), ...);
}

// Every lane folded into one by exchanging lanes at distance N/2, N/4 ... 1: the order is fixed, so the bits
// are.
template <class Real, int N, int Distance = N / 2, class Op>
HORNBOOK_INLINE Real reduce(Vec<Real, N> v, Op op) {
    if constexpr (Distance == 0) {
        return v[0];
    } else {
        v = op(v, detail::exchange<Distance>(v, std::make_integer_sequence<int, N>{}));
        return reduce<Real, N, Distance / 2>(v, op);
    }
}
template <class Real, int N = Lanes<Real>> HORNBOOK_INLINE Real reduce_add(Vec<Real, N> v) {
    return reduce<Real, N>(v, [](Vec<Real, N> a, Vec<Real, N> b)
                                  __attribute__((always_inline)) { return a + b; });
}
template <class Real, int N = Lanes<Real>> HORNBOOK_INLINE Real reduce_max(Vec<Real, N> v) {
    return reduce<Real, N>(v, [](Vec<Real, N> a, Vec<Real, N> b)
                                  __attribute__((always_inline)) { return max(a, b); });
}

// rows = rows.T, N x N, in registers: squares of E x E, E the lanes of 128 bits, are turned one by one, then
// change places. Zipping row i with row i + E/2 is a perfect shuffle of the address of an element of a
// square, and so is unzipping rows of squares; log2 of their number of them exchange row and column.
// (Shuffles inside 128 bits, and of whole 128 bits, are the cheap ones.)
template <class Real, int N, int E, int Pass = 1> HORNBOOK_INLINE void turn_squares(Vec<Real, N> (&rows)[N]) {
    constexpr std::make_integer_sequence<int, N> lanes{};
    Vec<Real, N> zipped[N];
    HORNBOOK_UNROLL
    for (int i = 0; i < N / 2; ++i) {
        const int first = i / (E / 2) * E, j = i % (E / 2);
        const Vec<Real, N> a = rows[first + j], b = rows[first + j + E / 2];
        zipped[first + 2 * j] = detail::zip<N, E, false>(a, b, lanes);
        zipped[first + 2 * j + 1] = detail::zip<N, E, true>(a, b, lanes);
    }
    HORNBOOK_UNROLL
    for (int i = 0; i < N; ++i) rows[i] = zipped[i];
    if constexpr (Pass * 2 < E) turn_squares<Real, N, E, Pass * 2>(rows);
}
template <class Real, int N, int E, int Pass = 1>
HORNBOOK_INLINE void exchange_squares(Vec<Real, N> (&rows)[N]) {
    constexpr std::make_integer_sequence<int, N> lanes{};
    Vec<Real, N> unzipped[N];
    HORNBOOK_UNROLL
    for (int i = 0; i < N / 2; ++i) {
        const int to = i, from = i / E * 2 * E + i % E;
        unzipped[to] = detail::unzip<N, E, false>(rows[from], rows[from + E], lanes);
        unzipped[to + N / 2] = detail::unzip<N, E, true>(rows[from], rows[from + E], lanes);
    }
    HORNBOOK_UNROLL
    for (int i = 0; i < N; ++i) rows[i] = unzipped[i];
    if constexpr (Pass * 2 < N / E) exchange_squares<Real, N, E, Pass * 2>(rows);
}
template <class Real, int N = Lanes<Real>> HORNBOOK_INLINE void transpose(Vec<Real, N> (&rows)[N]) {
    constexpr int E = 16 / sizeof(Real);
    turn_squares<Real, N, E>(rows);
    if constexpr (N > E) exchange_squares<Real, N, E>(rows);
}

namespace detail {
#if defined(__x86_64__)
HORNBOOK_INLINE Vec<float, 4> root(Vec<float, 4> v) { return (Vec<float, 4>)_mm_sqrt_ps((__m128)v); }
HORNBOOK_INLINE Vec<double, 2> root(Vec<double, 2> v) { return (Vec<double, 2>)_mm_sqrt_pd((__m128d)v); }
#endif
#if defined(__AVX2__)
HORNBOOK_INLINE Vec<float, 8> root(Vec<float, 8> v) { return (Vec<float, 8>)_mm256_sqrt_ps((__m256)v); }
HORNBOOK_INLINE Vec<double, 4> root(Vec<double, 4> v) { return (Vec<double, 4>)_mm256_sqrt_pd((__m256d)v); }
#endif
#if defined(__AVX512F__)
HORNBOOK_INLINE Vec<float, 16> root(Vec<float, 16> v) {
    return (Vec<float, 16>)_mm512_maskz_sqrt_ps(0xffff, (__m512)v);
}
HORNBOOK_INLINE Vec<double, 8> root(Vec<double, 8> v) {
    return (Vec<double, 8>)_mm512_maskz_sqrt_pd(0xff, (__m512d)v);
}
#endif
#if defined(__ARM_NEON)
HORNBOOK_INLINE Vec<float, 4> root(Vec<float, 4> v) { return (Vec<float, 4>)vsqrtq_f32((float32x4_t)v); }
HORNBOOK_INLINE Vec<double, 2> root(Vec<double, 2> v) { return (Vec<double, 2>)vsqrtq_f64((float64x2_t)v); }
#endif
}  // namespace detail

template <class V> HORNBOOK_INLINE V root(V v) { return detail::root(v); }

#if defined(__AVX512F__)
// x 2^n for whole n, rounded once.
HORNBOOK_INLINE Vec<float, 16> scale_by_power(Vec<float, 16> x, Vec<float, 16> n) {
    return (Vec<float, 16>)_mm512_maskz_scalef_ps(0xffff, (__m512)x, (__m512)n);
}
HORNBOOK_INLINE Vec<double, 8> scale_by_power(Vec<double, 8> x, Vec<double, 8> n) {
    return (Vec<double, 8>)_mm512_maskz_scalef_pd(0xff, (__m512d)x, (__m512d)n);
}
#endif

namespace detail {
#if defined(__AVX512F__)
HORNBOOK_INLINE Vec<float, 16> near_over_root(Vec<float, 16> v) {
    return (Vec<float, 16>)_mm512_maskz_rsqrt14_ps(0xffff, (__m512)v);
}
#elif defined(__AVX2__)
HORNBOOK_INLINE Vec<float, 8> near_over_root(Vec<float, 8> v) {
    return (Vec<float, 8>)_mm256_rsqrt_ps((__m256)v);
}
#endif
}  // namespace detail

// scale · x / sqrt(v) for v > 0; +inf included, unless v is known to be `finite`. In float, square root and
// quotient keep the divider busy for 8 to 15 cycles; the processor's guess and one Newton step take half of
// that, and are within 2^-21 of it where the guess has 14 bits (AVX-512) or 12 (AVX2; tests measure it). At
// +inf the guess is 0 and stays it. The last digits of the guess are its maker's own: what a training records
// of its processor has them (roots_of).
template <class Real, bool finite>
HORNBOOK_INLINE Vec<Real> over_root(Vec<Real> scale, Vec<Real> x, Vec<Real> v) {
#if defined(__AVX2__)
    if constexpr (sizeof(Real) == 4) {
        const Vec<Real> guess = detail::near_over_root(v),
                        bounded = finite ? v : min(broadcast(Real(3.4028234e38)), v),
                        error = fma(-bounded * guess, guess, broadcast(Real(1)));
        return x * guess * fma(scale * Real(0.5), error, scale);  // guess (1 + error / 2)
    }
#endif
    return scale * x / root(v);
}

}  // namespace HORNBOOK_LEVEL
}  // namespace hornbook

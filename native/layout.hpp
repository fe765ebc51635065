// Where U W b V c stand in one block of memory, and the way from and to the flat buffer that engines
// exchange.
//
//   K  symbols     H  hidden units     G  gates (columns of U, W and b come in G groups of H)
//   flat: U (K, G·H), W (H, G·H), b (G·H,), V (H, K), c (K,) one after the other, nothing between
//   here: rows of U, b and c padded to whole vectors; W and V in panels; optimizer memory and gradients lie
//   in the same way
#pragma once

#include <cstdlib>
#include <limits>
#include <new>

#include "panels.hpp"

namespace hornbook {
inline namespace HORNBOOK_LEVEL {

// Zeroed memory that begins on a cache line. A slack line behind it lets a vector step past the last tile.
template <class T> class Buffer {
  public:
    explicit Buffer(Size n = 0) : raw_(std::calloc(size_t(n) + 256 / sizeof(T), sizeof(T))) {
        if (!raw_) throw std::bad_alloc();
        data_ = reinterpret_cast<T*>((reinterpret_cast<uintptr_t>(raw_) + 63) & ~uintptr_t(63));
    }
    ~Buffer() { std::free(raw_); }
    Buffer(const Buffer&) = delete;
    Buffer& operator=(const Buffer&) = delete;
    void swap(Buffer& other) { std::swap(raw_, other.raw_), std::swap(data_, other.data_); }
    operator T*() { return data_; }
    operator const T*() const { return data_; }

  private:
    void* raw_;
    T* data_;
};

template <class Cell> struct Layout {
    using Real = typename Cell::Real;
    Size K, H, GH, ldk, ldh, ldg;           // symbols, units, gates·units; the same padded to whole vectors
    Panels<Real> w, v, w_turned, v_turned;  // (H, GH) (H, K) (GH, H) (K, H)
    Size U, W, b, V, c, size;               // where each begins
    Size Wt, Vt, turned_size;               // the transposed copies, in a block of their own

    Layout(Size K_, Size H_)
        : K(K_), H(H_), GH(Cell::gates * H_), ldk(round_up<Real>(K)), ldh(round_up<Real>(H)),
          ldg(round_up<Real>(GH)), w(H, GH), v(H, K), w_turned(GH, H), v_turned(K, H) {
        U = 0, W = U + K * ldg, b = W + line(w.size()), V = b + line(ldg), c = V + line(v.size()),
        size = c + line(ldk);
        Wt = 0, Vt = line(w_turned.size()), turned_size = Vt + line(v_turned.size());
    }

    static Size line(Size n) { return round_up<Real>(n, 64 / sizeof(Real)); }
    Size parameters() const { return K * GH + H * GH + GH + H * K + K; }

    void pack(Real* block, const Real* flat) const {
        flat = pack_rows(block + U, flat, K, GH, ldg);
        w.pack(block + W, flat), flat += H * GH;
        flat = pack_rows(block + b, flat, 1, GH, ldg);
        v.pack(block + V, flat), flat += H * K;
        pack_rows(block + c, flat, 1, K, ldk);
    }
    void unpack(Real* flat, const Real* block) const {
        flat = unpack_rows(flat, block + U, K, GH, ldg);
        w.unpack(flat, block + W), flat += H * GH;
        flat = unpack_rows(flat, block + b, 1, GH, ldg);
        v.unpack(flat, block + V), flat += H * K;
        unpack_rows(flat, block + c, 1, K, ldk);
    }

    // A bias of minus infinity gives the columns that only fill up the last vector of a row no probability,
    // whatever happens.
    void close_padding(Real* block) const {
        std::fill(block + c + K, block + c + ldk, -std::numeric_limits<Real>::infinity());
    }

    void turn(Real* turned, const Real* block) const {
        turn_matrix(turned + Wt, w_turned, block + W, w);
        turn_matrix(turned + Vt, v_turned, block + V, v);
    }

  private:
    static const Real* pack_rows(Real* to, const Real* flat, Size rows, Size n, Size stride) {
        for (Size i = 0; i < rows; ++i) std::copy_n(flat + i * n, n, to + i * stride);
        return flat + rows * n;
    }
    static Real* unpack_rows(Real* flat, const Real* from, Size rows, Size n, Size stride) {
        for (Size i = 0; i < rows; ++i) std::copy_n(from + i * stride, n, flat + i * n);
        return flat + rows * n;
    }
    static void turn_matrix(Real* turned, const Panels<Real>& to, const Real* matrix,
                            const Panels<Real>& from) {
        from.each_strip([&](Size i, Size n, Size j, Size columns, Size place, Size stride) {
            transpose_strip(turned, to, matrix + place, i, n, j, columns, stride);
        });
    }
};

// One set of parameters, ready for every product.
template <class Cell> struct Weights {
    using Real = typename Cell::Real;
    const Layout<Cell>& at;
    Buffer<Real> block, turned;  // (at.size,) (at.turned_size,)

    explicit Weights(const Layout<Cell>& layout)
        : at(layout), block(layout.size), turned(layout.turned_size) {
        at.close_padding(block);
    }
    void set(const Real* flat) { at.pack(block, flat), at.turn(turned, block); }
    const Real* row_of_u(Size symbol) const { return block + at.U + symbol * at.ldg; }
};

}  // namespace HORNBOOK_LEVEL
}  // namespace hornbook

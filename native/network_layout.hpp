// Where the parameters of a network stand in one block of memory, and the way from and to the flat buffer
// that engines exchange. Gradients and optimizer memory lie in the same way.
//
//   K  symbols     H  hidden units     n  H padded to whole vectors     G  gates     L  layers     l  layer
//   flat: U_l (K or H, G·H), W_l (H, G·H), b_l (G·H,) for each layer, then V (H, K), c (K,), nothing between
//   here: every gate padded to n columns, every matrix above the symbols to n rows, every row to `ld`; what
//   fills up is zero and stays zero
#pragma once

#include <deque>
#include <vector>

#include "family.hpp"
#include "products.hpp"

namespace hornbook {
inline namespace HORNBOOK_LEVEL {

// A row length of at least n numbers, a whole number of cache lines; an odd number of them where rows are
// long, or equal columns of many rows would fall into the same few places of the cache.
template <class Real> constexpr Size spaced(Size n) {
    const Size lines = (n * Size(sizeof(Real)) + 63) / 64;
    return (lines >= 8 ? lines | 1 : lines) * 64 / Size(sizeof(Real));
}

template <class Real> struct NetworkLayout {
    struct Layer {
        Size U, W, b;  // where each begins
    };
    const Cell<Real>& cell;
    const Size K, H, L, n, k;           // k: K padded to whole vectors
    const Mixed mixed;                  // products are in bfloat16, with sums of Real
    const Size ld_h, ld_a, ld_w, ld_v;  // rows of states, of a cell's blocks, of U, W and b, of V and c
    std::vector<Layer> layers;
    Size V, c, size;

    NetworkLayout(const Cell<Real>& cell_, Size K_, Size H_, Size L_, Mixed mixed_)
        : cell(cell_), K(K_), H(H_), L(L_), n(round_up<Real>(H_)), k(round_up<Real>(K_)), mixed(mixed_),
          ld_h(spaced<Real>(n)), ld_a(spaced<Real>(cell_.blocks * n)), ld_w(spaced<Real>(cell_.gates * n)),
          ld_v(spaced<Real>(k)) {
        Size at = 0;
        for (Size l = 0; l < L; ++l) {
            const Size rows = l ? n : K;
            layers.push_back({at, at + rows * ld_w, at + (rows + n) * ld_w});
            at += (rows + n + 1) * ld_w;
        }
        V = at, c = V + n * ld_v, size = c + ld_v;
    }

    Size columns() const { return cell.gates * n; }                   // of U and W
    Size v_column() const { return (cell.blocks - cell.gates) * n; }  // where v begins in a cell's row
    Size inputs(Size l) const { return l ? H : K; }                   // rows of U
    Size widest() const { return std::max(columns(), k); }            // of all sums of products
    Size read_each_time() const { return H * ((2 * L - 1) * columns() + k); }  // weights a character needs
    Size parameters() const {
        Size P = H * K + K;
        for (Size l = 0; l < L; ++l) P += (inputs(l) + H + 1) * cell.gates * H;
        return P;
    }

    // Calls visit(place in the flat buffer, place in the block, how many) for every run of parameters.
    template <class Visit> void each_run(Visit visit) const {
        Size flat = 0;
        const auto gates = [&](Size at, Size rows, const Size* block) {
            for (Size r = 0; r < rows; ++r)
                for (Size g = 0; g < cell.gates; ++g, flat += H) visit(flat, at + r * ld_w + block[g] * n, H);
        };
        for (Size l = 0; l < L; ++l) {
            gates(layers[size_t(l)].U, inputs(l), cell.of_u);
            gates(layers[size_t(l)].W, H, cell.of_v);
            gates(layers[size_t(l)].b, 1, cell.of_u);
        }
        for (Size r = 0; r < H; ++r, flat += K) visit(flat, V + r * ld_v, K);
        visit(flat, c, K);
    }
    void pack(Real* block, const Real* flat) const {
        each_run([&](Size from, Size to, Size count) { std::copy_n(flat + from, count, block + to); });
    }
    void unpack(Real* flat, const Real* block) const {
        each_run([&](Size to, Size from, Size count) { std::copy_n(block + from, count, flat + to); });
    }
};

// A block of parameters made ready for every product: the matrices packed in panels, as they are and turned.
// U of the first layer and the biases are read where they stand.
template <class Real> class NetworkWeights {
  public:
    enum class For { reading, learning };
    struct Layer {
        Packed<Real> W, W_turned, U, U_turned;  // (n, G·n) (G·n, n); U of the layers above the first only
        Layer(bool first, bool learns, Size n, Size g, Mixed mixed, Size widest = TileVectors)
            : W(n, g, mixed, widest), W_turned(learns * g, learns * n, mixed),
              U(!first * n, !first * g, mixed, widest),
              U_turned(!first * learns * g, !first * learns * n, mixed) {}
    };
    const NetworkLayout<Real>& at;
    const Real* block = nullptr;  // the parameters that were packed last
    std::deque<Layer> layers;
    Packed<Real> V, V_turned;
    Buffer<Real> c;  // (ld_v,) with minus infinity behind the last symbol: no probability, whatever happens

    NetworkWeights(const NetworkLayout<Real>& layout, For purpose)
        : at(layout), V(at.n, at.k, at.mixed),
          V_turned(learns(purpose) * at.k, learns(purpose) * at.n, at.mixed), c(at.ld_v) {
        std::fill(c + at.K, c + at.ld_v, -std::numeric_limits<Real>::infinity());
        for (Size l = 0; l < at.L; ++l)
            layers.emplace_back(l == 0, learns(purpose), at.n, at.columns(), at.mixed);
    }

    // Packs one share of all panels; the shares together are everything.
    void pack(const Real* parameters, Size part, Size parts) {
        Size task = 0;
        const auto mine = [&] { return task++ % parts == part; };
        const auto straight = [&](Packed<Real>& to, Size from, Size row) {
            for (Size p = 0; p < to.in.parts; ++p)
                if (mine()) to.pack(p, parameters + from, row);
        };
        const auto turned = [&](Packed<Real>& to, Size from, Size row) {
            for (Size p = 0; p < to.in.parts; ++p)
                if (mine()) to.pack_turned(p, parameters + from, row);
        };
        for (Size l = 0; l < at.L; ++l) {
            Layer& layer = layers[size_t(l)];
            const auto& from = at.layers[size_t(l)];
            straight(layer.W, from.W, at.ld_w), turned(layer.W_turned, from.W, at.ld_w);
            straight(layer.U, from.U, at.ld_w), turned(layer.U_turned, from.U, at.ld_w);
        }
        straight(V, at.V, at.ld_v), turned(V_turned, at.V, at.ld_v);
        if (part == 0) std::copy_n(parameters + at.c, at.K, static_cast<Real*>(c)), block = parameters;
    }
    void pack(const Real* parameters) { pack(parameters, 0, 1); }

    const Real* row_of_u(Size symbol) const { return block + at.layers[0].U + symbol * at.ld_w; }
    const Real* bias(Size l) const { return block + at.layers[size_t(l)].b; }

  private:
    static bool learns(For purpose) { return purpose == For::learning; }
};

}  // namespace HORNBOOK_LEVEL
}  // namespace hornbook

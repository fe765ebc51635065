// Arrays of Python, in and out of the core. A wrong dtype, or rows that are not contiguous, get nanobind's
// own TypeError.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <algorithm>
#include <memory>

#include "simd.hpp"

namespace nb = nanobind;

namespace hornbook {
inline namespace HORNBOOK_LEVEL {

template <class T> using Array = nb::ndarray<const T, nb::c_contig, nb::device::cpu>;
template <class T> using Result = nb::ndarray<nb::numpy, T>;

// A fresh array of Python's own.
template <class T> struct Fresh {
    T* data;
    Result<T> array;
    static Fresh make(std::initializer_list<size_t> shape) {
        size_t n = 1;
        for (const size_t s : shape) n *= s;
        std::unique_ptr<T[]> memory(new T[n > 0 ? n : 1]());
        T* data = memory.get();
        nb::capsule owner(data, [](void* p) noexcept { delete[] static_cast<T*>(p); });
        memory.release();
        return {data, Result<T>(data, shape, owner)};
    }
    template <class From> static Fresh copy(const From* from, size_t n) {
        Fresh fresh = make({n});
        std::copy_n(from, n, fresh.data);
        return fresh;
    }
};

// An argument that must be of the right type already: converting would copy, and results would be written to
// the copy.
inline auto exact(const char* name) { return nb::arg(name).noconvert(); }

}  // namespace HORNBOOK_LEVEL
}  // namespace hornbook

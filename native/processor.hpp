// What this processor can run. The processor is asked directly: the compilers' own __builtin_cpu_supports
// needs a runtime that not every one of them links.
//
//   leaf, subleaf  a question to cpuid     XCR0  the registers that the system saves when it switches threads
#pragma once

#include <string>
#include <vector>

#if defined(__x86_64__)
#include <cpuid.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif
#endif

namespace hornbook {
inline namespace HORNBOOK_LEVEL {

#if defined(__x86_64__)
struct Answer {
    unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
};

inline Answer ask(unsigned leaf, unsigned subleaf) {
    Answer a;
    __get_cpuid_count(leaf, subleaf, &a.eax, &a.ebx, &a.ecx, &a.edx);  // all zero where there is no such leaf
    return a;
}

inline bool has(unsigned word, std::initializer_list<int> bits) {
    for (const int bit : bits)
        if (!(word >> bit & 1)) return false;
    return true;
}

// The low half of XCR0; only where cpuid says that the system has switched it on.
inline unsigned saved_registers() {
    unsigned low, high;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

inline std::vector<std::string> processor_levels() {
    const Answer one = ask(1, 0), seven = ask(7, 0);
    const unsigned saved = has(one.ecx, {27}) ? saved_registers() : 0;
    std::vector<std::string> names{"baseline"};
    const bool avx2 = has(one.ecx, {12, 28}) && has(seven.ebx, {5}) && has(saved, {1, 2});  // fma avx, avx2
    if (avx2) names.push_back("avx2");
    // avx512: f dq cd bw vl, and the system saves masks and both halves of the wide registers
    if (avx2 && has(seven.ebx, {16, 17, 28, 30, 31}) && has(saved, {5, 6, 7})) names.push_back("avx512");
    return names;
}

// avx512_bf16
inline bool processor_has_pairs() { return has(ask(7, 1).eax, {5}); }

// amx_bf16 amx_tile, and the system saves tiles and lets this process use them, once it has asked
inline bool processor_has_tiles() {
#if defined(__linux__)
    constexpr long ask_for = 0x1023, tiles = 18;  // ARCH_REQ_XCOMP_PERM, the number of the tiles in XCR0
    static const bool given = has(ask(7, 0).edx, {22, 24}) && has(ask(1, 0).ecx, {27}) &&
                              has(saved_registers(), {17, 18}) &&
                              syscall(SYS_arch_prctl, ask_for, tiles) == 0;
    return given;
#else
    return false;
#endif
}

// Whether this thread has tiles that the system must save.
inline bool processor_holds_tiles() {
    unsigned low, high;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(1));
    return low >> 17 & 3;
}
#else
inline std::vector<std::string> processor_levels() { return {"neon"}; }
#endif

}  // namespace HORNBOOK_LEVEL
}  // namespace hornbook

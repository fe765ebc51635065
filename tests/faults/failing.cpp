// Calls of the system that fail: preloaded, the n-th write, fsync, rename, truncation, removal, new file or new
// folder from here on fails with an error, alone or with all after it; or the process is killed before it.
// Standard input, output and error are left alone.

#include <cerrno>
#include <cstdarg>
#include <csignal>
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

namespace {

long left = 0;  // calls until the one that fails; 0 where none does
int with = 0;   // the error, or 0 for SIGKILL
bool on = false;  // whether all after it fail too

bool fails() {
    if (left == 0 || --left > 0) return false;
    if (with == 0) raise(SIGKILL);
    if (on) left = 1;
    errno = with;
    return true;
}

template <class F>
F* next(const char* name) { return reinterpret_cast<F*>(dlsym(RTLD_NEXT, name)); }

}  // namespace

extern "C" {

void arm(long n, int error, int lasting) { left = n, with = error, on = lasting != 0; }
long calls_left() { return left; }

ssize_t write(int file, const void* from, size_t size) {
    static auto* real = next<ssize_t(int, const void*, size_t)>("write");
    return file > 2 && fails() ? -1 : real(file, from, size);
}

ssize_t pwrite64(int file, const void* from, size_t size, off64_t at) {
    static auto* real = next<ssize_t(int, const void*, size_t, off64_t)>("pwrite64");
    return fails() ? -1 : real(file, from, size, at);
}

int fsync(int file) {
    static auto* real = next<int(int)>("fsync");
    return fails() ? -1 : real(file);
}

int rename(const char* from, const char* to) {
    static auto* real = next<int(const char*, const char*)>("rename");
    return fails() ? -1 : real(from, to);
}

int renameat(int from_folder, const char* from, int to_folder, const char* to) {
    static auto* real = next<int(int, const char*, int, const char*)>("renameat");
    return fails() ? -1 : real(from_folder, from, to_folder, to);
}

int ftruncate64(int file, off64_t size) {
    static auto* real = next<int(int, off64_t)>("ftruncate64");
    return fails() ? -1 : real(file, size);
}

int unlink(const char* path) {
    static auto* real = next<int(const char*)>("unlink");
    return fails() ? -1 : real(path);
}

int unlinkat(int folder, const char* path, int flags) {
    static auto* real = next<int(int, const char*, int)>("unlinkat");
    return fails() ? -1 : real(folder, path, flags);
}

int openat64(int folder, const char* path, int flags, ...) {
    static auto* real = next<int(int, const char*, int, ...)>("openat64");
    if (!(flags & O_CREAT)) return real(folder, path, flags);
    va_list rest;
    va_start(rest, flags);
    const mode_t mode = va_arg(rest, mode_t);
    va_end(rest);
    return fails() ? -1 : real(folder, path, flags, mode);
}

int open64(const char* path, int flags, ...) {
    static auto* real = next<int(const char*, int, ...)>("open64");
    if (!(flags & O_CREAT)) return real(path, flags);
    va_list rest;
    va_start(rest, flags);
    const mode_t mode = va_arg(rest, mode_t);
    va_end(rest);
    return fails() ? -1 : real(path, flags, mode);
}

int mkdir(const char* path, mode_t mode) {
    static auto* real = next<int(const char*, mode_t)>("mkdir");
    return fails() ? -1 : real(path, mode);
}

}  // extern "C"

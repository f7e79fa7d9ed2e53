// What the process's memory is used for, as far as the engine and the C library know.

#include "enginebridge/src/ffi.rs.h"

#include <support/lockedpool.h>

#include <cstdio>
#include <cstdlib>

#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace bridge {
LockedEntry locked_memory()
{
    const LockedPool::Stats stats{LockedPoolManager::Instance().stats()};
    return {
        .used = stats.used,
        .free = stats.free,
        .total = stats.total,
        .locked = stats.locked,
        .chunks_used = stats.chunks_used,
        .chunks_free = stats.chunks_free,
    };
}

//! Empty where the C library does not tell.
rust::String malloc_state()
{
    rust::String text;
#ifdef __GLIBC__
    char* buffer{nullptr};
    std::size_t size{0};
    if (std::FILE* file{open_memstream(&buffer, &size)}) {
        malloc_info(0, file);
        std::fclose(file);
        if (buffer) text = rust::String::lossy(buffer, size);
        std::free(buffer);
    }
#endif
    return text;
}
} // namespace bridge

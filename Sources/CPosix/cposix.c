#define _GNU_SOURCE
#include "cposix.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/openat2.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

int cposix_rename_noreplace(int old_dir, const char *old_name, int new_dir, const char *new_name) {
    return renameat2(old_dir, old_name, new_dir, new_name, RENAME_NOREPLACE);
}

int cposix_open_tmpfile(int dir) { return openat(dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600); }

int cposix_link_fd(int fd, int dir, const char *name) {
    char path[40];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return linkat(AT_FDCWD, path, dir, name, AT_SYMLINK_FOLLOW);
}

// Kernels before 5.12 lack RESOLVE_CACHED, sandboxes openat2; then nothing is known to be in memory.
#ifndef RESOLVE_CACHED
#define RESOLVE_CACHED 0x20
#endif

static int cannot_tell(int error) {
    return error == ENOSYS || error == EINVAL || error == EOPNOTSUPP || error == EPERM || error == E2BIG;
}

int cposix_open_cached(int dir, const char *path, int flags) {
    struct open_how how = {.flags = (uint64_t)(uint32_t)flags, .resolve = RESOLVE_CACHED};
    int fd = (int)syscall(SYS_openat2, dir, path, &how, sizeof how);
    if (fd < 0 && cannot_tell(errno)) errno = EAGAIN;
    return fd;
}

int cposix_find_cached(int dir, const char *path) {
    return cposix_open_cached(dir, path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
}

int64_t cposix_read_cached(int fd, void *buffer, size_t size, int64_t offset) {
    struct iovec piece = {.iov_base = buffer, .iov_len = size};
    ssize_t n = preadv2(fd, &piece, 1, offset, RWF_NOWAIT);
    if (n < 0 && cannot_tell(errno)) errno = EAGAIN;
    return n;
}

static _Thread_local int32_t waiting;

int32_t cposix_waiting(void) { return waiting; }

void cposix_set_waiting(int32_t state) { waiting = state; }

static _Thread_local void *current_work;

void *cposix_work(void) { return current_work; }

void cposix_set_work(void *work) { current_work = work; }

int64_t cposix_getdents64(int fd, void *buffer, size_t size) { return syscall(SYS_getdents64, fd, buffer, size); }

int cposix_flock(int fd, int operation) { return flock(fd, operation); }

int cposix_syncfs(int fd) { return syncfs(fd); }

int64_t cposix_file_system_type(const char *path) {
    struct statfs s;
    if (statfs(path, &s) != 0) return -1;
    return (int64_t)(uint32_t)s.f_type;
}

int cposix_random(void *buffer, size_t size) {
    unsigned char *p = buffer;
    while (size > 0) {
        ssize_t n = getrandom(p, size, 0);
        if (n < 0) {
            if (errno == EINTR) continue;
            return -1;
        }
        p += n;
        size -= (size_t)n;
    }
    return 0;
}

int cposix_become(const char *user, uint32_t uid, uint32_t gid) {
    if (initgroups(user, gid) != 0 || setresgid(gid, gid, gid) != 0 || setresuid(uid, uid, uid) != 0) return -1;
    return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

void cposix_pause(uint64_t nanoseconds) {
    struct timespec t = {.tv_sec = (time_t)(nanoseconds / 1000000000u), .tv_nsec = (long)(nanoseconds % 1000000000u)};
    nanosleep(&t, NULL);
}

// CRC-32C, reflected polynomial 0x82F63B78: with the SSE4.2 instruction where the processor has it, else bit by bit.
static uint32_t crc_soft(uint32_t crc, const unsigned char *p, size_t n) {
    for (; n > 0; n--, p++) {
        crc ^= *p;
        for (int k = 0; k < 8; k++) crc = (crc >> 1) ^ (0x82F63B78u & (0u - (crc & 1u)));
    }
    return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t crc_hard(uint32_t crc, const unsigned char *p, size_t n) {
    uint64_t c = crc;
    for (; n >= 8; n -= 8, p += 8) {
        uint64_t v;
        memcpy(&v, p, 8);
        c = _mm_crc32_u64(c, v);
    }
    for (; n > 0; n--, p++) c = _mm_crc32_u8((uint32_t)c, *p);
    return (uint32_t)c;
}
#endif

uint32_t cposix_crc32c(uint32_t crc, const void *bytes, size_t size) {
    crc = ~crc;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("sse4.2")) return ~crc_hard(crc, bytes, size);
#endif
    return ~crc_soft(crc, bytes, size);
}

size_t cposix_check_records(const void *records, size_t from, size_t count, uint32_t seed) {
    const unsigned char *p = (const unsigned char *)records + from * 64;
    for (size_t i = from; i < count; i++, p += 64) {
        uint32_t stored;
        memcpy(&stored, p, 4);
        if (stored != cposix_crc32c(seed, p + 4, 60)) return i;
    }
    return count;
}

void cposix_set_malloc(int32_t largest_in_heap, int32_t most_kept) {
    mallopt(M_MMAP_THRESHOLD, largest_in_heap);
    mallopt(M_TRIM_THRESHOLD, most_kept);
}

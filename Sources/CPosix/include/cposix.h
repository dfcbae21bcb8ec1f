// Thin shims for calls and constants that Swift's Glibc module does not export. The header uses only basic and
// fixed-width types, so that it can be imported alongside any other C module.
#ifndef CPOSIX_H
#define CPOSIX_H

#include <stddef.h>
#include <stdint.h>

/// renameat2(2) with RENAME_NOREPLACE; -1 and errno on failure.
int cposix_rename_noreplace(int old_dir, const char *old_name, int new_dir, const char *new_name);

/// open(2) with O_TMPFILE | O_RDWR | O_CLOEXEC, mode 0600, in the directory `dir`; -1 and errno on failure.
int cposix_open_tmpfile(int dir);

/// Links the open file `fd`, unnamed or not, as `name`; fails with EEXIST and never replaces.
int cposix_link_fd(int fd, int dir, const char *name);

/// openat(2) of what the kernel has in memory, without waiting for a disk (RESOLVE_CACHED); -1 and EAGAIN where it would
/// have to wait, or cannot say.
int cposix_open_cached(int dir, const char *path, int flags);

/// A descriptor for fstat(2) alone (O_PATH), not of what a symbolic link leads to; otherwise as cposix_open_cached.
int cposix_find_cached(int dir, const char *path);

/// pread(2) of what is in memory, without waiting for a disk (RWF_NOWAIT): the number of bytes, which may be fewer than
/// the file has; -1 and EAGAIN where it would have to wait, or cannot say.
int64_t cposix_read_cached(int fd, void *buffer, size_t size, int64_t offset);

/// Sets mallopt(3)'s M_MMAP_THRESHOLD and M_TRIM_THRESHOLD, in bytes.
void cposix_set_malloc(int32_t largest_in_heap, int32_t most_kept);

/// A number that each thread has for itself, 0 at first: whether it may wait.
int32_t cposix_waiting(void);
void cposix_set_waiting(int32_t state);

/// A pointer that each thread has for itself, null at first: the turn that it works in.
void *cposix_work(void);
void cposix_set_work(void *work);

/// getdents64(2): the number of bytes read, 0 at the end, -1 and errno on failure.
int64_t cposix_getdents64(int fd, void *buffer, size_t size);

/// flock(2), wrapped because Swift resolves the name to the struct.
int cposix_flock(int fd, int operation);

/// syncfs(2) of the file system that holds `fd`.
int cposix_syncfs(int fd);

/// The type of the file system that holds `path` (f_type of statfs(2)); -1 and errno on failure.
int64_t cposix_file_system_type(const char *path);

/// getrandom(2), repeated until `size` bytes are filled; -1 and errno on failure.
int cposix_random(void *buffer, size_t size);

/// CRC-32C (Castagnoli) of `bytes`, continued from `crc`: 0, a seed, or the result for the preceding bytes. Inverts the
/// value before and after, as is usual.
uint32_t cposix_crc32c(uint32_t crc, const void *bytes, size_t size);

/// Checks 64-byte records, whose first 4 bytes are the CRC-32C of the other 60, seeded with `seed`. Returns the index
/// of the first record in `[from, count)` with a wrong checksum, else `count`.
size_t cposix_check_records(const void *records, size_t from, size_t count, uint32_t seed);

/// Becomes `user` with its groups, `gid` as the first, in all threads and for good; -1 and errno on failure, after which
/// the process is neither the one nor the other. The process stays readable to itself in /proc, which the kernel would
/// else end with the change of the user.
int cposix_become(const char *user, uint32_t uid, uint32_t gid);

/// Puts the calling thread to sleep for `nanoseconds`; a signal may end the sleep early.
void cposix_pause(uint64_t nanoseconds);

#endif

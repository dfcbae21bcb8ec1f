// Thin shims for calls and constants that Swift's Glibc module does not show. The header takes only
// fixed-width types, so that it can be imported beside any other C module.
#ifndef CPOSIX_H
#define CPOSIX_H

#include <stddef.h>
#include <stdint.h>

/// renameat2(2) with RENAME_NOREPLACE; -1 and errno on failure.
int cposix_rename_noreplace(int old_dir, const char *old_name, int new_dir, const char *new_name);

/// open(2) with O_TMPFILE | O_RDWR | O_CLOEXEC, mode 0600, in the directory behind `dir`.
int cposix_open_tmpfile(int dir);

/// Gives the unnamed (or any open) file behind `fd` a name; fails with EEXIST, never replaces.
int cposix_link_fd(int fd, int dir, const char *name);

/// getdents64(2): bytes read, 0 at the end, -1 and errno.
int64_t cposix_getdents64(int fd, void *buffer, size_t size);

/// flock(2); a function, because Swift takes the name for the struct.
int cposix_flock(int fd, int operation);

/// syncfs(2) of the file system that holds `fd`.
int cposix_syncfs(int fd);

/// The kind of file system that holds `path` (f_type of statfs(2)); -1 and errno on failure.
int64_t cposix_file_system_type(const char *path);

/// getrandom(2), looped until `size` bytes are there; -1 on failure.
int cposix_random(void *buffer, size_t size);

/// CRC-32C (Castagnoli) continued from `crc`; start with the seed, no final inversion is hidden.
uint32_t cposix_crc32c(uint32_t crc, const void *bytes, size_t size);

/// The offset of the first record in `[from, count)` of 64-byte records whose checksum is wrong, else `count`.
size_t cposix_check_records(const void *records, size_t from, size_t count, uint32_t seed);

/// Lets the calling thread be the owner of a pause of `nanoseconds`.
void cposix_pause(uint64_t nanoseconds);

#endif

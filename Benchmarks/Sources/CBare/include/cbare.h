// The bare system calls that an operation of the store cannot do without, timed in C: what the benchmark compares
// the engine with. Every function answers seconds, or a negative number when a call failed.
#ifndef CBARE_H
#define CBARE_H

#include <stdint.h>

double bare_now(void);
/// Makes stdout line-buffered, so that a pipe shows rows as they come.
void bare_line_buffered(void);
/// `count` renames of one file in a directory of `files` files.
double bare_rename(const char *dir, int files, int count);
/// `count` files of `size` bytes: O_TMPFILE in `stage`, write, linkat into `dir`; with `sync` also fsync of file and
/// directory. The engine stages in the mailbox's directory: the same one here, so that both get inodes of one block group.
double bare_append(const char *stage, const char *dir, int first, int count, int size, int sync);
/// The same by `threads` threads, each in `stages[i]` and `dirs[i]`.
double bare_append_threads(const char *const *stages, const char *const *dirs, int threads, int count, int size);
/// getdents64 of the shard directories of a mailbox, parse, sort, and read of its log; the messages found in `*found`.
double bare_open(const char *mailbox, int *found);
/// `count` hard links from one directory to another, fdatasync of a file, fsync of the directory, fdatasync.
double bare_copy(const char *from, const char *to, int first, int count);
/// `count` renames from one directory to another, fsync of both.
double bare_move(const char *from, const char *to, int first, int count);

#endif

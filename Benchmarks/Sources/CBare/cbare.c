#define _GNU_SOURCE
#include "cbare.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

double bare_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

void bare_line_buffered(void) { setvbuf(stdout, NULL, _IOLBF, 0); }

double bare_rename(const char *dir, int files, int count) {
    char a[32], b[32];
    int d = open(dir, O_RDONLY | O_DIRECTORY);
    if (d < 0) return -1;
    for (int i = 0; i < files; i++) {
        snprintf(a, sizeof a, "%08d_.eml", i + 1);
        int fd = openat(d, a, O_CREAT | O_WRONLY, 0600);
        if (fd < 0) return -1;
        close(fd);
    }
    double start = bare_now();
    for (int i = 0; i < count; i++) {
        int n = i / 2 % files + 1;
        snprintf(a, sizeof a, "%08d_.eml", n);
        snprintf(b, sizeof b, "%08d_S.eml", n);
        if (renameat2(d, i & 1 ? b : a, d, i & 1 ? a : b, RENAME_NOREPLACE) != 0) return -1;
    }
    double seconds = bare_now() - start;
    close(d);
    return seconds;
}

static int append_one(int s, int d, int n, const char *bytes, int size, int sync) {
    char name[32], path[40];
    int fd = openat(s, ".", O_TMPFILE | O_RDWR, 0600);
    if (fd < 0 || write(fd, bytes, (size_t)size) != size) return -1;
    if (sync && fsync(fd) != 0) return -1;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    snprintf(name, sizeof name, "%08d_.eml", n);
    if (linkat(AT_FDCWD, path, d, name, AT_SYMLINK_FOLLOW) != 0) return -1;
    if (sync && fsync(d) != 0) return -1;
    return close(fd);
}

double bare_append(const char *stage, const char *dir, int first, int count, int size, int sync) {
    char *bytes = malloc((size_t)size);
    memset(bytes, 'x', (size_t)size);
    int s = open(stage, O_RDONLY | O_DIRECTORY), d = open(dir, O_RDONLY | O_DIRECTORY);
    if (s < 0 || d < 0) return -1;
    double start = bare_now();
    for (int i = 0; i < count; i++)
        if (append_one(s, d, first + i, bytes, size, sync) != 0) return -1;
    double seconds = bare_now() - start;
    close(s);
    close(d);
    free(bytes);
    return seconds;
}

struct job {
    const char *stage, *dir;
    int first, count, size, failed;
};

static void *append_thread(void *argument) {
    struct job *job = argument;
    job->failed = bare_append(job->stage, job->dir, job->first, job->count, job->size, 1) < 0;
    return NULL;
}

double bare_append_threads(const char *const *stages, const char *const *dirs, int threads, int count, int size) {
    pthread_t ids[64];
    struct job jobs[64];
    double start = bare_now();
    for (int i = 0; i < threads; i++) {
        jobs[i] = (struct job){stages[i], dirs[i], 1 + i * 1000000, count, size, 0};
        pthread_create(&ids[i], NULL, append_thread, &jobs[i]);
    }
    int failed = 0;
    for (int i = 0; i < threads; i++) {
        pthread_join(ids[i], NULL);
        failed |= jobs[i].failed;
    }
    return failed ? -1 : bare_now() - start;
}

struct dirent64_raw {
    uint64_t inode;
    int64_t offset;
    unsigned short length;
    unsigned char type;
    char name[];
};

struct entry {
    uint32_t uid;
    uint64_t flags;
};

static int by_uid(const void *a, const void *b) {
    uint32_t x = ((const struct entry *)a)->uid, y = ((const struct entry *)b)->uid;
    return (x > y) - (x < y);
}

double bare_open(const char *mailbox, int *found) {
    double start = bare_now();
    int m = open(mailbox, O_RDONLY | O_DIRECTORY);
    if (m < 0) return -1;
    size_t capacity = 1 << 16, count = 0;
    struct entry *entries = malloc(capacity * sizeof *entries);
    static char outer[1 << 16], inner[1 << 16];
    for (long n; (n = syscall(SYS_getdents64, m, outer, sizeof outer)) > 0;)
        for (long at = 0; at < n;) {
            struct dirent64_raw *shard = (void *)(outer + at);
            at += shard->length;
            if (shard->name[0] < '0' || shard->name[0] > '9') continue;
            int d = openat(m, shard->name, O_RDONLY | O_DIRECTORY);
            if (d < 0) continue;
            for (long k; (k = syscall(SYS_getdents64, d, inner, sizeof inner)) > 0;)
                for (long i = 0; i < k;) {
                    struct dirent64_raw *file = (void *)(inner + i);
                    i += file->length;
                    char *p = file->name;
                    uint32_t uid = 0;
                    while (*p >= '0' && *p <= '9') uid = uid * 10 + (uint32_t)(*p++ - '0');
                    if (p == file->name || *p++ != '_') continue;
                    uint64_t flags = 0;
                    while (*p && *p != '.') flags |= 1ull << (*p++ & 63);
                    if (count == capacity) entries = realloc(entries, (capacity *= 2) * sizeof *entries);
                    entries[count++] = (struct entry){uid, flags};
                }
            close(d);
        }
    qsort(entries, count, sizeof *entries, by_uid);
    int log = openat(m, "changes.log", O_RDONLY);
    static char buffer[1 << 20];
    for (ssize_t n; log >= 0 && (n = read(log, buffer, sizeof buffer)) > 0;) {
    }
    if (log >= 0) close(log);
    close(m);
    free(entries);
    *found = (int)count;
    return bare_now() - start;
}

double bare_copy(const char *from, const char *to, int first, int count) {
    char name[32];
    int a = open(from, O_RDONLY | O_DIRECTORY), b = open(to, O_RDONLY | O_DIRECTORY);
    int log = openat(b, "log", O_CREAT | O_WRONLY | O_APPEND, 0600);
    if (a < 0 || b < 0 || log < 0) return -1;
    char record[64] = {0};
    double start = bare_now();
    if (write(log, record, sizeof record) < 0 || fdatasync(log) != 0) return -1;
    for (int i = 0; i < count; i++) {
        snprintf(name, sizeof name, "%08d_.eml", first + i);
        if (linkat(a, name, b, name, 0) != 0) return -1;
    }
    if (fsync(b) != 0) return -1;
    for (int i = 0; i < count; i++)
        if (write(log, record, sizeof record) < 0) return -1;
    if (fdatasync(log) != 0) return -1;
    double seconds = bare_now() - start;
    close(a);
    close(b);
    close(log);
    return seconds;
}

double bare_move(const char *from, const char *to, int first, int count) {
    char name[32];
    int a = open(from, O_RDONLY | O_DIRECTORY), b = open(to, O_RDONLY | O_DIRECTORY);
    if (a < 0 || b < 0) return -1;
    double start = bare_now();
    for (int i = 0; i < count; i++) {
        snprintf(name, sizeof name, "%08d_.eml", first + i);
        if (renameat2(a, name, b, name, RENAME_NOREPLACE) != 0) return -1;
    }
    if (fsync(b) != 0 || fsync(a) != 0) return -1;
    double seconds = bare_now() - start;
    close(a);
    close(b);
    return seconds;
}

// blocklog MOUNTPOINT BACKING LOG SEED HOLD_US
//
// A FUSE file system with two files. `disk` is the backing file; every write
// and every fsync of it is appended to the log in the order of arrival. A
// write to `mark` puts its text into the same stream, so that a workload can
// say when, in the order of the block writes, it acknowledged a message.
//
// A write is answered only after a random pause. A file system that sends a
// flush without having waited for a write gets that flush recorded before the
// write's completion, so the replay knows that the flush does not cover it.
#define FUSE_USE_VERSION 34
#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { DISK = 2, MARK = 3, MAX_PENDING = 4096 };

// A record is this header, little endian and packed, then `length` bytes.
//   'W' offset, bytes    a write arrived; its number is its rank among the 'W'
//   'D' offset = number  that write was answered
//   'F'                  a flush arrived (and was answered at once)
//   'M' text             a mark
struct __attribute__((packed)) record { uint8_t type; uint64_t offset; uint32_t length; };

struct pending { fuse_req_t request; size_t size; uint64_t number, due; };

static int backing;
static FILE *logFile;
static off_t diskSize;
static uint64_t random_state, holdMicroseconds, writes;
static struct pending pending[MAX_PENDING];
static size_t pendingCount;

static void put(uint8_t type, uint64_t offset, const void *bytes, uint32_t length) {
    struct record record = { type, offset, length };
    if (fwrite(&record, sizeof record, 1, logFile) != 1 ||
        (length && fwrite(bytes, length, 1, logFile) != 1)) {
        perror("blocklog: log");
        exit(1);
    }
}

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_nsec / 1000;
}

static uint64_t randomNumber(void) {
    uint64_t z = (random_state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static void answer(size_t index) {
    // Recorded before the reply: whoever sees the reply comes later in the log.
    put('D', pending[index].number, NULL, 0);
    fuse_reply_write(pending[index].request, pending[index].size);
    pending[index] = pending[--pendingCount];
}

static void attributes(fuse_ino_t inode, struct stat *stat) {
    memset(stat, 0, sizeof *stat);
    stat->st_ino = inode;
    stat->st_nlink = 1;
    stat->st_blksize = 4096;
    stat->st_mode = inode == FUSE_ROOT_ID ? S_IFDIR | 0700 : S_IFREG | 0600;
    stat->st_size = inode == DISK ? diskSize : 0;
}

static void blLookup(fuse_req_t request, fuse_ino_t parent, const char *name) {
    struct fuse_entry_param entry = { .attr_timeout = 1, .entry_timeout = 1 };
    if (parent == FUSE_ROOT_ID && !strcmp(name, "disk")) entry.ino = DISK;
    else if (parent == FUSE_ROOT_ID && !strcmp(name, "mark")) entry.ino = MARK;
    else { fuse_reply_err(request, ENOENT); return; }
    attributes(entry.ino, &entry.attr);
    fuse_reply_entry(request, &entry);
}

static void blGetattr(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *file) {
    (void)file;
    struct stat stat;
    attributes(inode, &stat);
    fuse_reply_attr(request, &stat, 1);
}

static void blOpen(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *file) {
    (void)inode;
    file->direct_io = 1; // nothing of the page cache stands between disk and log
    fuse_reply_open(request, file);
}

static void blRead(fuse_req_t request, fuse_ino_t inode, size_t size, off_t offset,
                   struct fuse_file_info *file) {
    (void)file;
    char *buffer = malloc(size);
    ssize_t count = inode == DISK ? pread(backing, buffer, size, offset) : 0;
    if (count < 0) fuse_reply_err(request, errno);
    else fuse_reply_buf(request, buffer, (size_t)count);
    free(buffer);
}

static void blWrite(fuse_req_t request, fuse_ino_t inode, const char *bytes, size_t size,
                    off_t offset, struct fuse_file_info *file) {
    (void)file;
    if (inode == MARK) {
        put('M', 0, bytes, (uint32_t)size);
        fflush(logFile);
        fuse_reply_write(request, size);
        return;
    }
    if (offset < 0 || offset + (off_t)size > diskSize) { fuse_reply_err(request, ENOSPC); return; }
    // Readers see the write at once; only the answer waits.
    if (pwrite(backing, bytes, size, offset) != (ssize_t)size) { fuse_reply_err(request, EIO); return; }
    put('W', (uint64_t)offset, bytes, (uint32_t)size);
    if (pendingCount == MAX_PENDING) answer(0);
    uint64_t hold = holdMicroseconds ? randomNumber() % holdMicroseconds : 0;
    pending[pendingCount++] = (struct pending){ request, size, writes++, now() + hold };
    if (!hold) answer(pendingCount - 1);
}

static void blFsync(fuse_req_t request, fuse_ino_t inode, int datasync,
                    struct fuse_file_info *file) {
    (void)datasync; (void)file;
    if (inode == DISK) put('F', 0, NULL, 0);
    fuse_reply_err(request, 0);
}

static void blFallocate(fuse_req_t request, fuse_ino_t inode, int mode, off_t offset, off_t length,
                        struct fuse_file_info *file) {
    (void)inode; (void)mode; (void)offset; (void)length; (void)file;
    fuse_reply_err(request, EOPNOTSUPP); // no discards: zeroing comes as writes
}

static void blInit(void *data, struct fuse_conn_info *connection) {
    (void)data;
    connection->max_background = 1024; // or a held answer would hold up the flush behind it
    connection->congestion_threshold = 1024;
    connection->want &= ~(unsigned)FUSE_CAP_WRITEBACK_CACHE;
}

static const struct fuse_lowlevel_ops operations = {
    .init = blInit, .lookup = blLookup, .getattr = blGetattr, .open = blOpen, .read = blRead,
    .write = blWrite, .fsync = blFsync, .fallocate = blFallocate,
};

int main(int argc, char **argv) {
    if (argc != 6) {
        fprintf(stderr, "usage: blocklog MOUNTPOINT BACKING LOG SEED HOLD_US\n");
        return 2;
    }
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    struct stat stat;
    backing = open(argv[2], O_RDWR | O_CLOEXEC);
    logFile = fopen(argv[3], "wbe");
    if (backing < 0 || fstat(backing, &stat) || !logFile) { perror("blocklog"); return 1; }
    diskSize = stat.st_size;
    random_state = strtoull(argv[4], NULL, 10);
    holdMicroseconds = strtoull(argv[5], NULL, 10);

    char *arguments[] = { "blocklog", NULL };
    struct fuse_args args = FUSE_ARGS_INIT(1, arguments);
    struct fuse_session *session = fuse_session_new(&args, &operations, sizeof operations, NULL);
    if (!session || fuse_set_signal_handlers(session) || fuse_session_mount(session, argv[1])) return 1;

    struct fuse_buf buffer = { 0 };
    struct pollfd descriptor = { .fd = fuse_session_fd(session), .events = POLLIN };
    while (!fuse_session_exited(session)) {
        uint64_t time = now(), next = UINT64_MAX;
        for (size_t i = 0; i < pendingCount;) {
            if (pending[i].due <= time) { answer(i); continue; }
            if (pending[i].due < next) next = pending[i].due;
            i++;
        }
        struct timespec wait = { (time_t)((next - time) / 1000000), (long)((next - time) % 1000000) * 1000 };
        int ready = ppoll(&descriptor, 1, next == UINT64_MAX ? NULL : &wait, NULL);
        if (ready <= 0) continue; // a time-out, or a signal which ended the session
        int size = fuse_session_receive_buf(session, &buffer);
        if (size == -EINTR) continue;
        if (size <= 0) break;
        fuse_session_process_buf(session, &buffer);
    }
    while (pendingCount) answer(0);
    fclose(logFile);
    fuse_session_unmount(session);
    fuse_session_destroy(session);
    free(buffer.mem);
    return 0;
}

// workload VARIANT DIRECTORY MARKFILE COUNT SEED [GROUP [NEIGHBOUR]]
//
// The bare calls of one order of writing, without the store around them. Every
// message follows from its number and the seed, so that a checker can tell
// whole from broken. A mark "ack FIRST LAST" is written after the call which
// makes the messages durable has returned. With MARKFILE "-" it measures: all
// messages of 4096 bytes, no pauses, no neighbour, prints the seconds taken.
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define BTRFS_IOC_START_SYNC _IOR(0x94, 24, uint64_t)
#define BTRFS_IOC_WAIT_SYNC _IOW(0x94, 22, uint64_t)

static const size_t sizes[] = { 0, 1, 100, 4096, 5000, 70000 };
static uint64_t seed, chance;
static int root, a, b, markFile = -1;
static int measuring, neighbourKind = -1; // -1: all by turns
static atomic_int neighbourWorks, neighbourEnds, current; // current: where the work goes on

static void die(const char *what) { perror(what); exit(1); }

static uint64_t mix(uint64_t z) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static uint64_t randomNumber(void) { return mix(chance += 0x9e3779b97f4a7c15u); }

static void mark(const char *format, ...) {
    if (measuring) return;
    char text[64];
    va_list list;
    va_start(list, format);
    int length = vsnprintf(text, sizeof text, format, list);
    va_end(list);
    if (write(markFile, text, (size_t)length) != length) die("mark");
}

// Lets a commit of the neighbour, or a write of the kernel's, fall in between.
static void pause_(void) {
    if (measuring || randomNumber() % 2) return;
    usleep((unsigned)(randomNumber() % 3000));
}

static size_t content(int number, unsigned char *buffer) {
    size_t size = measuring ? 4096 : sizes[mix(seed * 1000003 + (uint64_t)number) % 6];
    uint64_t state = mix(seed + 77) + (uint64_t)number;
    for (size_t i = 0; i < size; i += 8) {
        uint64_t word = mix(state += 0x9e3779b97f4a7c15u);
        memcpy(buffer + i, &word, 8);
    }
    char header[64];
    size_t length = (size_t)snprintf(header, sizeof header, "message %d %zu\n", number, size);
    memcpy(buffer, header, length < size ? length : size);
    return size;
}

// Leaves the written file without a name and open.
static int writeFile(int directory, int number) {
    static unsigned char buffer[70016];
    int file = openat(directory, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (file < 0) die("O_TMPFILE");
    size_t size = content(number, buffer);
    if (write(file, buffer, size) != (ssize_t)size) die("write");
    struct timespec times[2] = { { 0, UTIME_OMIT }, { 1000000000 + number * 1000, number } };
    if (futimens(file, times)) die("futimens");
    pause_();
    return file;
}

static const char *nameOf(int number) {
    static char name[32];
    snprintf(name, sizeof name, "%d.eml", number);
    return name;
}

static void writeOut(int file) {
    if (sync_file_range(file, 0, 0, SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
                                    SYNC_FILE_RANGE_WAIT_AFTER)) die("sync_file_range");
    pause_();
}

static void link_(int file, int directory, int number) {
    char path[40];
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    if (linkat(AT_FDCWD, path, directory, nameOf(number), AT_SYMLINK_FOLLOW)) die("linkat");
    pause_();
}

static void sync_(int file) { if (fsync(file)) die("fsync"); }

static void today(int directory, int number) {
    int file = writeFile(directory, number);
    sync_(file);
    pause_();
    link_(file, directory, number);
    sync_(directory);
    close(file);
}

static int openIn(int directory, const char *name, int flags) {
    int file = openat(directory, name, flags | O_CLOEXEC);
    if (file < 0) die(name);
    return file;
}

// Does the data sync of another file, which takes the journal's place, bring
// the name along? In place nothing but the data changes; at the end the size does.
static void logged(int log, int number, int append) {
    char entry[64] = { 0 };
    snprintf(entry, sizeof entry, "linked %d\n", number);
    int file = writeFile(a, number);
    writeOut(file);
    link_(file, a, number);
    off_t offset = append ? lseek(log, 0, SEEK_END) : (off_t)(number * sizeof entry);
    if (pwrite(log, entry, sizeof entry, offset) != sizeof entry) die("log");
    if (fdatasync(log)) die("fdatasync");
    close(file);
}

static void syncNamed(int directory, int number) {
    int file = openIn(directory, nameOf(number), O_RDONLY);
    sync_(file);
    close(file);
}

// Someone else's fsync commits whatever the journal holds at that moment: this
// is what brings a name to the disk before its owner's own fsync. By turns a
// file elsewhere, the whole transaction, the same directory (another session's
// expunge), a new file in the same directory (another session's append).
static void *neighbour(void *unused) {
    (void)unused;
    int file = openat(root, "neighbour", O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    if (file < 0) die("neighbour");
    for (unsigned turn = 0; !neighbourEnds; turn++) {
        usleep(200 + (unsigned)(mix(seed + turn) % 2500));
        if (!neighbourWorks) continue;
        char text[16] = "neighbour";
        uint64_t transaction = 0; // btrfs only: commits without writing out others' data
        int directory = mix(seed * 3 + turn) % 3 ? current : b;
        switch (neighbourKind < 0 ? (int)(mix(seed + 5 * turn) % 4) : neighbourKind) {
        case 0:
            if (!ioctl(root, BTRFS_IOC_START_SYNC, &transaction)) {
                ioctl(root, BTRFS_IOC_WAIT_SYNC, &transaction);
                break;
            } // fall through
        case 1:
            if (pwrite(file, text, sizeof text, turn % 64 * sizeof text) < 0) die("neighbour");
            sync_(file);
            break;
        case 2:
            sync_(directory);
            break;
        default: {
            char name[32];
            snprintf(name, sizeof name, "neighbour-%u", turn);
            int other = openat(directory, name, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
            if (other < 0 || write(other, text, sizeof text) < 0) die("neighbour");
            sync_(other);
            close(other);
        } }
    }
    close(file);
    return NULL;
}

static void set(const char *variant, int first, int last) {
    int files[64], directory = a;
    int moving = !strncmp(variant, "move", 4) || !strcmp(variant, "expunge");
    int copying = !strncmp(variant, "copy", 4);
    if (!moving && !copying)
        for (int n = first; n <= last; n++) writeOut(files[n - first] = writeFile(a, n));
    for (int n = first; n <= last; n++) {
        char name[32];
        strcpy(name, nameOf(n));
        if (moving) { directory = b; if (renameat(a, name, b, name)) die("rename"); pause_(); }
        else if (copying) { directory = b; if (linkat(a, name, b, name, 0)) die("linkat"); pause_(); }
        else link_(files[n - first], a, n);
    }
    if (!strcmp(variant, "set") || !strcmp(variant, "copy") || !strcmp(variant, "move"))
        syncNamed(directory, last);
    else sync_(directory);
    mark("ack %d %d\n", first, last);
    if (!moving && !copying) for (int n = first; n <= last; n++) close(files[n - first]);
}

int main(int argc, char **argv) {
    if (argc < 6) {
        fprintf(stderr, "usage: workload VARIANT DIRECTORY MARKFILE|- COUNT SEED [GROUP [NEIGHBOUR]]\n");
        return 2;
    }
    const char *variant = argv[1];
    int count = atoi(argv[4]), group = argc > 6 ? atoi(argv[6]) : 0;
    chance = seed = strtoull(argv[5], NULL, 10);
    if (argc > 7) neighbourKind = atoi(argv[7]);
    measuring = !strcmp(argv[3], "-");
    root = openIn(AT_FDCWD, argv[2], O_RDONLY | O_DIRECTORY);
    if (!measuring) markFile = openIn(AT_FDCWD, argv[3], O_WRONLY);
    if ((mkdirat(root, "a", 0700) || mkdirat(root, "b", 0700)) && errno != EEXIST) die("mkdir");
    a = openIn(root, "a", O_RDONLY | O_DIRECTORY);
    b = openIn(root, "b", O_RDONLY | O_DIRECTORY);
    current = a;
    int existing = !strncmp(variant, "copy", 4) || !strncmp(variant, "move", 4) || !strcmp(variant, "expunge");
    if (existing) for (int n = 0; n < count; n++) today(a, n);
    int log = openat(root, "log", O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    static const char zeros[65536];
    if (log < 0 || pwrite(log, zeros, sizeof zeros, 0) != sizeof zeros) die("log");
    if (syncfs(root)) die("syncfs");
    mark("begin\n");

    pthread_t thread;
    if (!measuring && pthread_create(&thread, NULL, neighbour, NULL)) die("thread");
    struct timespec start, end;
    clock_gettime(CLOCK_MONOTONIC, &start);
    int shard = -1;
    for (int n = 0; n < count; n++) {
        neighbourWorks = n / 4 % 2; // half of the messages without any help from others
        if (!strcmp(variant, "today")) today(a, n);
        else if (!strcmp(variant, "ordered") || !strcmp(variant, "ordered-newdir")) {
            int directory = a;
            if (!strcmp(variant, "ordered-newdir")) {
                if (n % 2 == 0) {
                    char name[32];
                    snprintf(name, sizeof name, "shard-%d", n / 2);
                    if (mkdirat(root, name, 0700)) die("mkdir");
                    // The neighbour may still use the old one: none is closed.
                    current = shard = openIn(root, name, O_RDONLY | O_DIRECTORY);
                    pause_();
                }
                directory = shard;
            }
            int file = writeFile(directory, n);
            writeOut(file);
            link_(file, directory, n);
            sync_(file);
            close(file);
        } else if (!strncmp(variant, "log-", 4)) {
            logged(log, n, !strcmp(variant, "log-append"));
        } else if (!strcmp(variant, "early-ack") || !strcmp(variant, "link-first")) {
            int file = writeFile(a, n);
            link_(file, a, n);
            if (!strcmp(variant, "early-ack")) mark("ack %d %d\n", n, n);
            sync_(file);
            close(file);
        } else {
            int size = group ? group : strncmp(variant, "move", 4) ? 2 + (int)(randomNumber() % 5) : 1;
            int last = n + size - 1 < count ? n + size - 1 : count - 1;
            set(variant, n, last);
            n = last;
            continue;
        }
        if (strcmp(variant, "early-ack")) mark("ack %d %d\n", n, n);
        pause_();
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    mark("end\n");
    neighbourEnds = 1;
    if (!measuring) pthread_join(thread, NULL);
    if (measuring) printf("%.6f\n", (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) / 1e9);
    return 0;
}

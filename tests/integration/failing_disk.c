/* Loaded before libc: lets writes or syncs of journal segments fail, as a full, a read-only or a
 * broken disk does. DISK_FAULT is "write:ERRNO:AFTER" or "sync:ERRNO:AFTER"; so many calls succeed
 * before. A write that fails leaves half of its bytes behind. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static atomic_long calls;

static int is_journal(int file) {
    char name[64], path[4096];
    snprintf(name, sizeof name, "/proc/self/fd/%d", file);
    ssize_t length = readlink(name, path, sizeof path);
    return length > 8 && memcmp(path + length - 8, ".journal", 8) == 0;
}

/* Return the errno with which this call is to fail, 0 to let it pass. */
static int fault_of(const char *operation, int file) {
    char wanted[16];
    int code;
    long after;
    const char *setting = getenv("DISK_FAULT");
    if (!setting || sscanf(setting, "%15[^:]:%d:%ld", wanted, &code, &after) != 3) return 0;
    if (strcmp(wanted, operation) != 0 || !is_journal(file)) return 0;
    return atomic_fetch_add(&calls, 1) >= after ? code : 0;
}

ssize_t pwrite64(int file, const void *data, size_t size, off64_t offset) {
    ssize_t (*next)(int, const void *, size_t, off64_t) = dlsym(RTLD_NEXT, "pwrite64");
    int code = fault_of("write", file);
    if (!code) return next(file, data, size, offset);
    (void)!next(file, data, size / 2, offset);
    errno = code;
    return -1;
}

int fdatasync(int file) {
    int (*next)(int) = dlsym(RTLD_NEXT, "fdatasync");
    int code = fault_of("sync", file);
    if (!code) return next(file);
    errno = code;
    return -1;
}

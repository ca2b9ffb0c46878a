/* Kills the program that loads it (LD_PRELOAD) with SIGKILL exactly at a record of its journal, or lets its disk fail.
 *
 * RUNBOOK_CRASH=before:N   when it is about to write record N: nothing of it is in the file
 * RUNBOOK_CRASH=within:N   with the first half of record N in the file
 * RUNBOOK_CRASH=after:N    when record N is in the file, before the program does anything else
 * RUNBOOK_CRASH=fail:N:E   from record N on nothing can be written: each write is refused with the error number E
 *
 * A record is one write to a file called journal.jsonl; N counts from 1 in this process. Everything else passes through,
 * so that the processes the program starts do not notice it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static const char NAME[] = "/journal.jsonl";

static int is_journal(int fd) {
    char link[32], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path);
    size_t name = sizeof NAME - 1;
    return length >= (ssize_t)name && memcmp(path + length - name, NAME, name) == 0;
}

/* The word of RUNBOOK_CRASH when this write is the one it names, and "" when it is not. */
static const char *due(int fd) {
    static atomic_long written;
    const char *order = getenv("RUNBOOK_CRASH");
    if (order == NULL || !is_journal(fd)) return "";
    long number = atomic_fetch_add(&written, 1) + 1;
    const char *at = strchr(order, ':');
    if (at == NULL) return "";
    return number == atol(at + 1) || (number > atol(at + 1) && strncmp(order, "fail:", 5) == 0) ? order : "";
}

static void die(void) {
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

/* Whether this write is refused; the error is set then. */
static int refused(const char *order) {
    if (strncmp(order, "fail:", 5) != 0) return 0;
    errno = atoi(strchr(order + 5, ':') + 1);
    return 1;
}

static void before(const char *order, int fd, const void *bytes, size_t length) {
    if (strncmp(order, "within:", 7) == 0) syscall(SYS_write, fd, bytes, length / 2);
    if (strncmp(order, "before:", 7) == 0 || strncmp(order, "within:", 7) == 0) die();
}

ssize_t write(int fd, const void *bytes, size_t length) {
    const char *order = due(fd);
    if (refused(order)) return -1;
    before(order, fd, bytes, length);
    ssize_t wrote = syscall(SYS_write, fd, bytes, length);
    if (strncmp(order, "after:", 6) == 0) die();
    return wrote;
}

ssize_t writev(int fd, const struct iovec *pieces, int count) {
    const char *order = due(fd);
    if (refused(order)) return -1;
    before(order, fd, count > 0 ? pieces[0].iov_base : NULL, count > 0 ? pieces[0].iov_len : 0);
    ssize_t wrote = syscall(SYS_writev, fd, pieces, count);
    if (strncmp(order, "after:", 6) == 0) die();
    return wrote;
}

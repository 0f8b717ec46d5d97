/*
 * A member is one slot. A process takes a free slot, or that of a member that has ended
 * without leaving, by compare-and-swap on the pid. A reader may see a slot while it is
 * being written: the texts always end within their arrays, and the pid is set last.
 */
#include "probe/preload/family.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MEMBERS_MAX 256
#define BEING_WRITTEN (-1)

struct member {
    atomic_int pid; /* 0: free */
    char name[24];
    char url[136];
};

static struct member *members; /* MEMBERS_MAX of them; NULL: no family */

int probe_family_start(void)
{
    void *memory = mmap(NULL, MEMBERS_MAX * sizeof(struct member),
                        PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        return -errno;
    }
    members = memory;
    return 0;
}

/* Whether the process is there. One of another user, or in another namespace of
 * processes, may be another process with the same number: it counts as living if the
 * kernel knows the number. */
static bool is_alive(pid_t pid)
{
    return kill(pid, 0) == 0 || errno == EPERM;
}

/* Takes a slot, which is then being written; NULL if all are taken. */
static struct member *slot_take(void)
{
    for (size_t i = 0; i < MEMBERS_MAX; i++) {
        int pid = atomic_load(&members[i].pid);
        bool usable =
            pid == 0 || pid == getpid() || (pid != BEING_WRITTEN && !is_alive(pid));
        if (usable &&
            atomic_compare_exchange_strong(&members[i].pid, &pid, BEING_WRITTEN)) {
            return &members[i];
        }
    }
    return NULL;
}

void probe_family_join(const char *name, const char *url)
{
    if (members == NULL) {
        return;
    }
    probe_family_leave();
    struct member *member = slot_take();
    if (member != NULL) {
        snprintf(member->name, sizeof(member->name), "%s", name);
        snprintf(member->url, sizeof(member->url), "%s", url);
        atomic_store(&member->pid, getpid());
    }
}

void probe_family_leave(void)
{
    for (size_t i = 0; members != NULL && i < MEMBERS_MAX; i++) {
        int pid = getpid();
        if (atomic_compare_exchange_strong(&members[i].pid, &pid, 0)) {
            return;
        }
    }
}

static void member_add(struct buffer *text, const struct member *member, pid_t pid)
{
    struct member copy = *member;
    copy.name[sizeof(copy.name) - 1] = '\0';
    copy.url[sizeof(copy.url) - 1] = '\0';
    bool is_link = strncmp(copy.url, "http://", 7) == 0;
    buffer_text(text, is_link ? "<li><a href=\"" : "<li>");
    if (is_link) {
        buffer_html(text, copy.url);
        buffer_text(text, "debug/pprof/\">");
    }
    buffer_html(text, copy.name);
    buffer_printf(text, ", pid %d%s", (int)pid, is_link ? "</a>" : ": ");
    if (!is_link) {
        buffer_html(text, copy.url);
    }
    buffer_text(text, pid == getpid() ? " (this process)</li>\n" : "</li>\n");
}

void probe_family_add(struct buffer *text)
{
    size_t alive = 0;
    for (size_t i = 0; members != NULL && i < MEMBERS_MAX; i++) {
        int pid = atomic_load(&members[i].pid);
        alive += pid > 0 && is_alive(pid) ? 1 : 0;
    }
    if (alive < 2) {
        return;
    }
    buffer_text(text, "<h2>The family</h2>\n<p>Processes of this program that were "
                      "forked from each other, each with its own pages:</p>\n<ul>\n");
    for (size_t i = 0; i < MEMBERS_MAX; i++) {
        int pid = atomic_load(&members[i].pid);
        if (pid > 0 && is_alive(pid)) {
            member_add(text, &members[i], pid);
        }
    }
    buffer_text(text, "</ul>\n");
}

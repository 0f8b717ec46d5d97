#include "probe/resources/child_notes.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "probe/recorder/visit.h"

/* When there are so many more notes than after the last sweep, those are swept away
 * whose children have ended unseen. */
#define SWEEP_AFTER 256

/* Where glibc's popen keeps the child: behind the stream and its table of functions
 * (struct _IO_proc_file in libio/iopopen.c). */
#define BEHIND_STREAM (sizeof(FILE) + sizeof(void *))

struct note_table probe_child_notes;
static _Atomic size_t sweep_at = SWEEP_AFTER;

/* Whether there is such a child, living or ended. A system call of its own: the C
 * library's function is one of those that are noted. */
static bool is_child(pid_t child)
{
    siginfo_t info;
    return syscall(SYS_waitid, P_PID, child, &info,
                   WEXITED | WNOHANG | WNOWAIT | __WALL, NULL) == 0;
}

static bool is_gone(const struct note_entry *entry, void *unused)
{
    (void)unused;
    return !is_child((pid_t)entry->key);
}

/* A program that ignores SIGCHLD never waits for its children. */
static void sweep(void)
{
    if (probe_child_notes.count >= sweep_at) {
        probe_note_sweep(&probe_child_notes, is_gone, NULL);
        sweep_at = probe_child_notes.count + SWEEP_AFTER;
    }
}

void probe_child_made(pid_t child, const void *frame)
{
    if (child <= 0 || !probe_resources_wanted()) {
        return;
    }
    struct probe_visit visit = probe_visit_begin();
    struct note_entry entry = {.key = (uint64_t)child,
                               .note = probe_resource_note(frame)};
    sweep();
    probe_note_put(&probe_child_notes, entry);
    probe_visit_end(visit);
}

void probe_child_spawned(int error, pid_t child, pid_t *ret_child, const void *frame)
{
    if (error == 0) {
        if (ret_child != NULL) {
            *ret_child = child;
        }
        probe_child_made(child, frame);
    }
}

void probe_child_gone(pid_t child)
{
    if (child > 0 && probe_child_notes.count > 0 && probe_resources_forget()) {
        struct probe_visit visit = probe_visit_begin();
        probe_note_take(&probe_child_notes, (uint64_t)child, NULL);
        probe_visit_end(visit);
    }
}

bool probe_child_ended(pid_t child, const int *status, int options)
{
    if (child <= 0 || status == NULL) {
        return (options & (WUNTRACED | WCONTINUED)) == 0;
    }
    return WIFEXITED(*status) || WIFSIGNALED(*status);
}

pid_t probe_child_behind(FILE *stream)
{
    pid_t child = 0;
    if (stream != NULL && probe_resources_forget()) {
        int saved = errno;
        memcpy(&child, (const char *)stream + BEHIND_STREAM, sizeof(child));
        child = child > 0 && is_child(child) ? child : 0;
        errno = saved;
    }
    return child;
}

void probe_child_hold(void)
{
    probe_note_hold(&probe_child_notes);
}

void probe_child_release(void)
{
    probe_note_release(&probe_child_notes);
}

void probe_child_forget_all(void)
{
    probe_note_forget_all(&probe_child_notes);
    sweep_at = SWEEP_AFTER;
}

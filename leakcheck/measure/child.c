/*
 * What was started is found by its parents in /proc. leakcheck is a subreaper, so that
 * orphans become its own children (prctl(2)). Children that it had before, from a shell
 * that called exec, are left alone; then it is no subreaper, because their orphans
 * would look the same.
 *
 * One thread waits for the signals that end leakcheck. It keeps the lock for ever: then
 * no more children can be started, and no other result can be printed.
 */
#include "leakcheck/measure/child.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "leakcheck/measure/task.h"

#define EARLIER_MAX 64      /* children that were there before */
#define PAUSE_MS 10         /* between two looks */
#define INTERRUPTED_MS 2000 /* for what was started to end by itself */
#define KILLED_MS 5000      /* SIGKILL works at once, but for a process in the kernel */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static sigset_t ending;      /* the signals that end leakcheck */
static sigset_t mask_before; /* blocked signals, as children get them */
static int earlier[EARLIER_MAX];
static size_t earlier_count;
static void (*on_interrupt)(void); /* NULL: nothing to do */

/* All processes of the machine, or of what this one sees of it. */
struct relative {
    int pid;
    int parent;
    bool ours;
};

struct table {
    struct relative *items;
    size_t count;
    size_t capacity;
};

static bool relative_read(int pid, struct relative *ret_relative)
{
    struct task leader;
    if (!task_read(pid, pid, &leader)) {
        return false;
    }
    *ret_relative = (struct relative){.pid = pid, .parent = leader.parent};
    return true;
}

static bool table_add(struct table *table, const struct relative *relative)
{
    if (table->count == table->capacity) {
        size_t capacity = table->capacity == 0 ? 256 : 2 * table->capacity;
        struct relative *items =
            realloc(table->items, capacity * sizeof(*table->items));
        if (items == NULL) {
            return false;
        }
        table->items = items;
        table->capacity = capacity;
    }
    table->items[table->count++] = *relative;
    return true;
}

/* Reads the processes; the caller frees the items. */
static struct table table_read(void)
{
    struct table table = {0};
    DIR *directory = opendir("/proc");
    const struct dirent *entry;
    bool more = directory != NULL;
    while (more && (entry = readdir(directory)) != NULL) {
        struct relative relative;
        int pid = atoi(entry->d_name);
        if (pid > 0 && relative_read(pid, &relative)) {
            more = table_add(&table, &relative);
        }
    }
    if (directory != NULL) {
        closedir(directory);
    }
    return table;
}

static bool was_earlier(int pid)
{
    for (size_t i = 0; i < earlier_count; i++) {
        if (earlier[i] == pid) {
            return true;
        }
    }
    return false;
}

/* Marks the children of `parent` that leakcheck has started, and theirs. Their depth is
 * bounded, because each is marked once. */
static void table_mark(struct table *table, int parent)
{
    for (size_t i = 0; i < table->count; i++) {
        struct relative *one = &table->items[i];
        if (one->parent == parent && !one->ours && !was_earlier(one->pid)) {
            one->ours = true;
            table_mark(table, one->pid);
        }
    }
}

/* Sends a signal (0: none) to everything that this process has started. Returns how
 * many of them run. */
static size_t descendants_signal(int number)
{
    struct table table = table_read();
    size_t running = 0;
    table_mark(&table, getpid());
    for (size_t i = 0; i < table.count; i++) {
        int pid = table.items[i].pid;
        if (table.items[i].ours && task_living(pid) != 0) {
            running++;
            kill(pid, number);
        }
    }
    free(table.items);
    return running;
}

bool child_all_have_ended(unsigned patience_ms)
{
    int64_t start = clock_now_ms();
    while (descendants_signal(0) > 0) {
        if (clock_now_ms() - start >= patience_ms) {
            return false;
        }
        clock_sleep_ms(PAUSE_MS);
    }
    return true;
}

void child_end_all(unsigned patience_ms)
{
    int64_t start = clock_now_ms();
    size_t running = descendants_signal(SIGTERM);
    while (running > 0 && clock_now_ms() - start < patience_ms) {
        clock_sleep_ms(PAUSE_MS);
        running = descendants_signal(0);
    }
    start = clock_now_ms();
    while (running > 0 && clock_now_ms() - start < KILLED_MS) {
        running = descendants_signal(SIGKILL);
        clock_sleep_ms(running > 0 ? PAUSE_MS : 0);
    }
}

static void *guard_main(void *argument)
{
    int number = 0;
    (void)argument;
    if (sigwait(&ending, &number) != 0) {
        return NULL;
    }
    pthread_mutex_lock(&lock);
    child_end_all(INTERRUPTED_MS);
    if (on_interrupt != NULL) {
        on_interrupt();
    }
    sigset_t one;
    sigemptyset(&one);
    sigaddset(&one, number);
    pthread_sigmask(SIG_UNBLOCK, &one, NULL);
    raise(number);
    return NULL;
}

/* A signal that is ignored (nohup, a background job) stays ignored. */
static void ending_fill(void)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    sigemptyset(&ending);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        struct sigaction action;
        if (sigaction(numbers[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN) {
            sigaddset(&ending, numbers[i]);
        }
    }
}

/* Notes the children that a program before exec has left to this process. */
static int earlier_find(struct failure *failure)
{
    struct table table = table_read();
    for (size_t i = 0; i < table.count && earlier_count < EARLIER_MAX; i++) {
        if (table.items[i].parent == getpid()) {
            earlier[earlier_count++] = table.items[i].pid;
        }
    }
    free(table.items);
    if (earlier_count == EARLIER_MAX) {
        return failure_set(failure, ECHILD, "leakcheck has too many children already");
    }
    return 0;
}

int child_guard(struct failure *failure)
{
    pthread_t thread;
    int error = earlier_find(failure);
    if (error < 0) {
        return error;
    }
    if (earlier_count == 0) {
        prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    }
    ending_fill();
    pthread_sigmask(SIG_BLOCK, &ending, &mask_before);
    if (pthread_create(&thread, NULL, guard_main, NULL) != 0) {
        return failure_set(failure, EAGAIN, "cannot start a thread");
    }
    pthread_detach(thread);
    return 0;
}

/* Makes a group of its own, with no input and its output in the pipe. */
static bool child_stand_apart(int output)
{
    setpgid(0, 0);
    int input = open("/dev/null", O_RDONLY | O_CLOEXEC);
    return input >= 0 && dup2(input, STDIN_FILENO) >= 0 &&
           dup2(output, STDOUT_FILENO) >= 0 && dup2(output, STDERR_FILENO) >= 0;
}

/* In the new process. It ends if leakcheck is killed. `output` is -1 if it stays in
 * leakcheck's group. */
static void child_become(const char *const *arguments, int output, int parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent || (output >= 0 && !child_stand_apart(output))) {
        _exit(126);
    }
    sigprocmask(SIG_SETMASK, &mask_before, NULL);
    execv(arguments[0], (char *const *)(uintptr_t)arguments);
    _exit(127);
}

/* Starts it with this end of a pipe, or -1. Returns its pid or -errno. */
static int child_fork(const char *const *arguments, int output, struct failure *failure)
{
    int parent = getpid();
    pthread_mutex_lock(&lock);
    int pid = fork();
    if (pid == 0) {
        child_become(arguments, output, parent);
    }
    int error = errno;
    if (pid > 0 && output >= 0) {
        setpgid(pid, pid); /* both do it: then it is done, whoever is first */
    }
    pthread_mutex_unlock(&lock);
    return pid > 0 ? pid
                   : failure_set(failure, error, "cannot start a command: %s",
                                 strerror(error));
}

static void child_note(struct child *child, int pid, int output)
{
    *child = (struct child){
        .pid = pid, .output = output, .ended_fd = (int)syscall(SYS_pidfd_open, pid, 0)};
}

int child_start(struct child *child, const char *const *arguments,
                struct failure *failure)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0) {
        return failure_set(failure, errno, "cannot start a command: %s",
                           strerror(errno));
    }
    int pid = child_fork(arguments, ends[1], failure);
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return pid;
    }
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    child_note(child, pid, ends[0]);
    return 0;
}

int child_start_here(struct child *child, const char *const *arguments,
                     struct failure *failure)
{
    int pid = child_fork(arguments, -1, failure);
    if (pid < 0) {
        return pid;
    }
    child_note(child, pid, -1);
    return 0;
}

void child_on_interrupt(void (*act)(void))
{
    pthread_mutex_lock(&lock);
    on_interrupt = act;
    pthread_mutex_unlock(&lock);
}

bool child_has_ended(const struct child *child, unsigned patience_ms)
{
    int64_t start = clock_now_ms();
    for (;;) {
        siginfo_t info = {0};
        pthread_mutex_lock(&lock);
        int error = waitid(P_PID, (id_t)child->pid, &info, WEXITED | WNOHANG | WNOWAIT);
        pthread_mutex_unlock(&lock);
        int64_t left = patience_ms - (clock_now_ms() - start);
        if (error != 0 || info.si_pid != 0 || left <= 0) {
            return error != 0 || info.si_pid != 0;
        }
        clock_sleep_ms(left < PAUSE_MS ? (unsigned)left : PAUSE_MS);
    }
}

void child_finish(struct child *child)
{
    if (child->pid == 0) {
        return;
    }
    pthread_mutex_lock(&lock);
    /* Not waited for yet, so the id cannot belong to another group. */
    if (child->output >= 0) {
        kill(-child->pid, SIGKILL);
    }
    while (waitpid(child->pid, &child->status, 0) < 0 && errno == EINTR) {
    }
    pthread_mutex_unlock(&lock);
    if (child->output >= 0) {
        close(child->output);
    }
    if (child->ended_fd >= 0) {
        close(child->ended_fd);
    }
    child->pid = 0;
}

struct child_end child_end_text(int status)
{
    struct child_end text;
    if (WIFSIGNALED(status)) {
        const char *name = sigabbrev_np(WTERMSIG(status));
        snprintf(text.at, sizeof(text.at), "signal %s%.20s", name == NULL ? "" : "SIG",
                 name == NULL ? "of real time" : name);
    } else {
        snprintf(text.at, sizeof(text.at), "exit status %d", WEXITSTATUS(status));
    }
    return text;
}

/*
 * The order of events:
 *
 *   constructor:   settings, recorder, threads, listener, thread; says the address
 *   fork:          prepare waits for a page that is being made; the child closes its
 *                  copies of the sockets, and starts a listener and a thread of its own
 *                  at its first wait (waits.h): most children execute another program
 *                  before
 *   set*id, ...:   pause, resume (process_calls.c). A thread that is at its work for
 *                  longer than the program has patience ends later: then the next one
 *                  is started at a wait of the program
 *   destructor:    the file of --at-exit; the thread ends
 */
#include "probe/preload/agent.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "probe/calls/calls.h"
#include "probe/figures/figures.h"
#include "probe/figures/memory_trace.h"
#include "probe/heap/heap.h"
#include "probe/heap/heap_difference.h"
#include "probe/http/route.h"
#include "probe/listener/listener.h"
#include "probe/locks/lock_waits.h"
#include "probe/pages/pages.h"
#include "probe/preload/agent_work.h"
#include "probe/preload/exit_file.h"
#include "probe/preload/family.h"
#include "probe/preload/leakprobe.h"
#include "probe/preload/malloc_calls.h"
#include "probe/preload/next_program.h"
#include "probe/preload/say.h"
#include "probe/preload/settings.h"
#include "probe/preload/waits.h"
#include "probe/process/descriptors.h"
#include "probe/reach/reach.h"
#include "probe/recorder/inside.h"
#include "probe/recorder/recorder.h"
#include "probe/recorder/visit.h"
#include "probe/resources/descriptor_alarm.h"
#include "probe/resources/mapping_notes.h"
#include "probe/resources/resources.h"
#include "probe/resources/resources_fork.h"
#include "probe/resources/thread_notes.h"
#include "probe/stacks/maps.h"
#include "probe/symbols/symbols.h"
#include "probe/threads/threads.h"
#include "probe/trace/trace.h"

#define PORTS_TRIED 100
#define STACK_BYTES ((size_t)1024 * 1024)
/* How often to look whether only the probe is left, once the main thread has ended. */
#define LAST_LOOK_NS (20 * CLOCK_NS_PER_MS)
/* How long a program that opens many descriptors at once takes for it. */
#define BURST_NS (10 * CLOCK_NS_PER_MS)

static struct {
    struct settings settings;
    struct site site;
    char name[64];
    char url[160];
    char socket_path[SETTINGS_SOCKET_MAX];
    pid_t pid;
    bool first; /* this process was started with the probe, not forked */

    pthread_mutex_t lock; /* of the thread's life, below */
    struct listener *listener;
    pthread_t thread;
    bool running;         /* the thread has been started and not joined */
    bool is_late;         /* its end was asked for, and the next one is to follow it */
    atomic_int tid;       /* its number in the kernel; 0: none yet */
    atomic_bool stopping; /* it is to end soon: long work is given up */
    unsigned paused;
    bool given_up;
    atomic_bool main_left;  /* the main thread has ended */
    pthread_key_t main_key; /* its value's destructor sees that */
    bool watches_main;
} agent = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* ---- The thread ---- */

/* Whether every thread but the calling one has ended: 1 or 0, or -errno. The main
 * thread stays in the list after its end, in the state Z. */
static int is_alone(void)
{
    char text[512];
    int fd = probe_proc_open("self/stat", O_RDONLY);
    if (fd < 0) {
        return fd;
    }
    ssize_t got = read(fd, text, sizeof(text) - 1);
    close(fd);
    text[got < 0 ? 0 : got] = '\0';
    /* The name may have any characters. Of the fields behind it (proc(5)) the first is
     * the state, and the eighteenth the number of threads. */
    const char *name_end = strrchr(text, ')');
    char state = '\0';
    long threads = 0;
    if (name_end == NULL ||
        sscanf(
            name_end + 1,
            " %c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %ld",
            &state, &threads) != 2) {
        return -EPROTO;
    }
    return state == 'Z' && threads <= 2;
}

/* The earlier of two times; 0 is never. */
static int64_t earlier(int64_t one, int64_t other)
{
    return one == 0 || (other != 0 && other < one) ? other : one;
}

static int64_t on_tick(int64_t now_ns)
{
    if (probe_fd_alarm_is_due(now_ns)) {
        probe_listener_make_room(agent.listener);
    }
    int64_t next =
        earlier(probe_memory_trace_tick(now_ns), probe_fd_alarm_tick(now_ns));
    if (atomic_load(&agent.main_left)) {
        int alone = is_alone();
        if (alone > 0) {
            exit(0); /* as the C library does when the last thread ends */
        }
        if (alone < 0) {
            /* Without /proc it is not known when to end the process: so this thread
             * ends, and the C library does it. */
            probe_listener_stop(agent.listener);
            return 0;
        }
        next = earlier(next, now_ns + LAST_LOOK_NS);
    }
    return next;
}

static bool is_stopping(void)
{
    return atomic_load(&agent.stopping);
}

static void on_work(bool begins)
{
    if (begins) {
        probe_work_begin();
    } else {
        probe_work_end();
    }
}

static void *thread_main(void *unused)
{
    (void)unused;
    probe_inside = 1; /* for ever: nothing that it does is the program's */
    pthread_setname_np(pthread_self(), "leakprobe");
    probe_thread_own(gettid());
    atomic_store(&agent.tid, gettid());
    int error = probe_listener_run(agent.listener, on_tick);
    if (error != 0) {
        probe_say("%s, pid %d: the debug port is closed: %s", agent.name,
                  (int)agent.pid, strerror(-error));
    }
    return NULL;
}

/* Starts the thread, with every signal blocked: they are for the program's threads.
 * Returns when it has its number. */
static int thread_start(void)
{
    sigset_t all;
    sigset_t before;
    pthread_attr_t attributes;
    sigfillset(&all);
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    atomic_store(&agent.tid, 0);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = -pthread_create(&agent.thread, &attributes, thread_main, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    agent.running = error == 0;
    while (error == 0 && atomic_load(&agent.tid) == 0) {
        sched_yield();
    }
    return error;
}

/* The thread was joined. Waits until the kernel no longer counts it, which is a little
 * later. */
static void thread_joined(void)
{
    probe_listener_stop_not(agent.listener);
    atomic_store(&agent.stopping, false);
    agent.running = false;
    agent.is_late = false;
    while (syscall(SYS_tgkill, agent.pid, atomic_load(&agent.tid), 0) == 0) {
        sched_yield();
    }
}

/* Ends the thread, and waits for that. */
static void thread_stop(void)
{
    const struct timespec until = probe_patience_end();
    atomic_store(&agent.stopping, true);
    probe_listener_stop(agent.listener);
    if (pthread_clockjoin_np(agent.thread, NULL, CLOCK_MONOTONIC, &until) == 0) {
        thread_joined();
    }
}

static void thread_start_again(void)
{
    int error = thread_start();
    if (error != 0) {
        /* After unshare(CLONE_NEWPID) the kernel allows no new thread. */
        agent.given_up = true;
        probe_say("%s, pid %d: stands aside: no thread can be started: %s", agent.name,
                  (int)agent.pid, strerror(-error));
    }
}

/* Starts the next thread if the one that was late has ended; else a later wait does. */
static void thread_follow(void)
{
    if (pthread_tryjoin_np(agent.thread, NULL) != 0) {
        probe_waits_wake_up();
        return;
    }
    thread_joined();
    thread_start_again();
}

/* ---- The debug port ---- */

static void url_format(void)
{
    if (agent.settings.socket_path != NULL) {
        snprintf(agent.url, sizeof(agent.url), "unix:%s", agent.socket_path);
    } else {
        snprintf(agent.url, sizeof(agent.url), "http://127.0.0.1:%d/",
                 probe_listener_port(agent.listener));
    }
}

/* Opens the listener at the port that is free, or at the Unix socket `path`. */
static int listener_open(const char *path)
{
    const struct listener_settings settings = {
        .site = &agent.site,
        .port = agent.settings.port,
        .ports = PORTS_TRIED,
        .path = path,
        .fd_from = probe_descriptors_from(),
        .find = probe_pages_find,
        .work = on_work,
    };
    int error = probe_listener_open(&agent.listener, &settings);
    if (error != 0) {
        agent.listener = NULL;
    }
    return error;
}

/* Opens the listener at the Unix socket PATH: in a forked child, and if another process
 * answers there, at PATH.PID. */
static int socket_open(void)
{
    const char *wanted = agent.settings.socket_path;
    int error = -EADDRINUSE;
    if (agent.first) {
        snprintf(agent.socket_path, sizeof(agent.socket_path), "%s", wanted);
        error = listener_open(agent.socket_path);
    }
    if (error == -EADDRINUSE) {
        int length = snprintf(agent.socket_path, sizeof(agent.socket_path), "%s.%d",
                              wanted, (int)agent.pid);
        error = length < (int)sizeof(agent.socket_path)
                    ? listener_open(agent.socket_path)
                    : -ENAMETOOLONG;
        if (error == 0 && agent.first) {
            probe_say("%s is taken, this process has %s", wanted, agent.socket_path);
        }
    }
    return error;
}

/* Opens the debug port, starts the thread, and says the address. */
static int port_open(void)
{
    int error =
        agent.settings.socket_path != NULL ? socket_open() : listener_open(NULL);
    if (error != 0) {
        return error;
    }
    url_format();
    error = thread_start();
    if (error != 0) {
        probe_listener_close(agent.listener, false);
        agent.listener = NULL;
        return error;
    }
    int port = probe_listener_port(agent.listener);
    if (agent.first && agent.settings.port != 0 && port != 0 &&
        port != agent.settings.port) {
        probe_say("port %d is taken, the next free one is %d", agent.settings.port,
                  port);
    }
    probe_family_join(agent.name, agent.url);
    probe_say("%s, pid %d: %s", agent.name, (int)agent.pid, agent.url);
    return 0;
}

static void port_open_or_say(void)
{
    int error = port_open();
    if (error != 0) {
        probe_say("%s, pid %d: no debug port: %s", agent.name, (int)agent.pid,
                  strerror(-error));
    }
}

/* ---- The program's threads in here ---- */

/* The first wait of a forked child, or one after the thread was late: see waits.h. */
static void on_first_wait(void)
{
    struct probe_visit visit = probe_visit_begin();
    pthread_mutex_lock(&agent.lock);
    bool wanted = !agent.given_up && agent.paused == 0 && getpid() == agent.pid;
    if (wanted && agent.is_late) {
        thread_follow();
    } else if (wanted && agent.listener == NULL && !agent.first &&
               agent.settings.follow_fork) {
        port_open_or_say();
    }
    pthread_mutex_unlock(&agent.lock);
    probe_visit_end(visit);
}

/* Wakes the thread because there are many descriptors. If it does not run now, it looks
 * when it starts. */
static bool on_many_descriptors(void)
{
    struct probe_visit visit = probe_visit_begin();
    bool taken = pthread_mutex_trylock(&agent.lock) == 0;
    if (taken) {
        if (agent.listener != NULL && agent.running) {
            probe_listener_wake(agent.listener);
        }
        pthread_mutex_unlock(&agent.lock);
    }
    probe_visit_end(visit);
    return taken;
}

static void descriptors_say(const char *line)
{
    probe_say("%s, pid %d: %s", agent.name, (int)agent.pid, line);
}

/* ---- What stops it for a while, or for good ---- */

bool probe_agent_is_own_process(void)
{
    return (pid_t)syscall(SYS_getpid) == agent.pid;
}

static bool is_agent(void)
{
    return gettid() == atomic_load(&agent.tid);
}

/* Whether a thread of the program has an agent to stop. */
static bool is_own(void)
{
    return probe_active && probe_agent_is_own_process() && !is_agent();
}

void probe_agent_pause(void)
{
    if (!is_own()) {
        return;
    }
    struct probe_visit visit = probe_visit_begin();
    pthread_mutex_lock(&agent.lock);
    if (agent.paused++ == 0 && agent.running) {
        thread_stop();
    }
    pthread_mutex_unlock(&agent.lock);
    probe_visit_end(visit);
}

void probe_agent_resume(void)
{
    if (!is_own()) {
        return;
    }
    struct probe_visit visit = probe_visit_begin();
    pthread_mutex_lock(&agent.lock);
    if (--agent.paused == 0 && agent.listener != NULL && !agent.given_up) {
        /* Where it could not be stopped, its end was asked for, and is near. */
        agent.is_late = agent.running;
        if (agent.is_late) {
            probe_waits_wake_up();
        } else {
            thread_start_again();
        }
    }
    pthread_mutex_unlock(&agent.lock);
    probe_visit_end(visit);
}

struct agent_hold probe_agent_hold(void)
{
    struct agent_hold hold = {.work = WORK_NOT_HELD};
    if (probe_inside == 0 && is_own()) {
        hold.visit = probe_visit_begin();
        hold.work = probe_work_hold();
        if (hold.work == WORK_NOT_HELD) {
            probe_visit_end(hold.visit);
        }
    }
    return hold;
}

void probe_agent_let_go(struct agent_hold hold)
{
    if (hold.work != WORK_NOT_HELD) {
        int now = errno;
        probe_work_let_go(hold.work);
        hold.visit.error = now;
        probe_visit_end(hold.visit);
    }
}

void probe_agent_stand_aside(const char *why)
{
    if (!is_own()) {
        return;
    }
    struct probe_visit visit = probe_visit_begin();
    pthread_mutex_lock(&agent.lock);
    if (agent.running) {
        thread_stop();
        probe_family_leave();
        probe_listener_close(agent.listener, false);
        agent.listener = NULL;
        probe_say("%s, pid %d: stands aside: %s", agent.name, (int)agent.pid, why);
    }
    agent.given_up = true;
    pthread_mutex_unlock(&agent.lock);
    probe_visit_end(visit);
}

bool probe_agent_has_thread(void)
{
    return is_own() && atomic_load(&agent.tid) != 0 && agent.running;
}

void probe_agent_before_chroot(void)
{
    if (!is_own()) {
        return;
    }
    struct probe_visit visit = probe_visit_begin();
    if (probe_work_take()) {
        probe_symbols_read_all();
        probe_work_give();
    }
    probe_visit_end(visit);
}

/* ---- The end of the main thread ---- */

/* Runs when the main thread ends but the process does not: by pthread_exit or
 * thrd_exit, or cancelled. The process then ends with its last thread, which the agent
 * must not be. */
static void main_ends(void *unused)
{
    (void)unused;
    if (is_own() && gettid() == agent.pid) {
        atomic_store(&agent.main_left, true);
        probe_agent_pause(); /* so that the agent looks at its clock again */
        probe_agent_resume();
    }
}

/* Called in the main thread, also in that of a forked child. */
static void main_watch(void)
{
    if (agent.watches_main) {
        pthread_setspecific(agent.main_key, &agent);
    }
}

/* ---- fork ---- */

/* This thread forks without the probe's locks: in a signal handler that has interrupted
 * the probe, which may hold any of them; or a page is being made for so long that this
 * thread may hold what it waits for. */
static _Thread_local bool forks_within;

/* Takes both locks of the agent. Returns whether that was possible. */
static bool locks_take(void)
{
    const struct timespec until = probe_patience_end();
    if (pthread_mutex_clocklock(&agent.lock, CLOCK_MONOTONIC, &until) != 0) {
        return false;
    }
    bool taken = probe_work_take();
    if (!taken) {
        pthread_mutex_unlock(&agent.lock);
    }
    return taken;
}

static void before_fork(void)
{
    forks_within = probe_inside != 0 && !is_agent();
    if (!forks_within && probe_inside == 0) {
        probe_inside++; /* this wait is not the program's */
        forks_within = !locks_take();
        probe_inside--;
    }
    if (!forks_within) {
        probe_inside++;
        probe_lock_waits_fork_prepare();
        probe_resources_fork_prepare();
        probe_recorder_fork_prepare();
    }
}

static void after_fork_in_parent(void)
{
    if (forks_within) {
        forks_within = false;
        return;
    }
    probe_recorder_fork_parent();
    probe_resources_fork_parent();
    if (--probe_inside == 0) {
        probe_work_give();
        pthread_mutex_unlock(&agent.lock);
    }
}

/* The child has the calling thread alone, and a copy of everything else. */
static void after_fork_in_child(void)
{
    if (forks_within) {
        /* Nothing that the probe has noted can be relied on. */
        forks_within = false;
        probe_active = false;
        probe_resources_stop();
        return;
    }
    probe_recorder_fork_child();
    probe_resources_fork_child();
    probe_work_fork_child();
    pthread_mutex_init(&agent.lock, NULL);
    agent.pid = getpid();
    agent.first = false;
    agent.running = false;
    agent.is_late = false;
    agent.paused = 0;
    atomic_store(&agent.main_left, false);
    main_watch();
    atomic_store(&agent.tid, 0);
    if (agent.listener != NULL) {
        probe_listener_close(agent.listener, true);
        agent.listener = NULL;
    }
    probe_maps_fork_child();
    probe_symbols_fork_child();
    probe_figures_fork_child();
    probe_threads_fork_child();
    probe_waits_fork_child();
    probe_lock_waits_fork_child();
    probe_heap_difference_fork_child();
    probe_reach_fork_child();
    probe_trace_fork_child();
    probe_inside--;
    if (agent.settings.follow_fork && !agent.given_up) {
        probe_waits_wake_up();
    }
}

/* ---- The beginning and the end ---- */

/* Waits without a debug port have no meaning to a page: it is told to give up. */
static int no_sleep(void *owner, unsigned ms)
{
    (void)owner, (void)ms;
    return -ECANCELED;
}

static void site_fill(void)
{
    static char host_name[256];
    gethostname(host_name, sizeof(host_name) - 1);
    snprintf(agent.name, sizeof(agent.name), "%s", program_invocation_short_name);
    agent.site = (struct site){
        .name = agent.name,
        .version = LAB_VERSION,
        .started_ms = clock_now_ms(),
        .bind = "127.0.0.1",
        .host_name = host_name,
        .hints =
            {
                .memory = "the program has no memory left: see ulimit -v",
                .fds = "the program has no descriptor left: see ulimit -n",
                .mappings = "the program has too many mappings",
                .no_profile = "start the program with LEAKPROBE_HEAP=exact, or "
                              "leakprobe --heap exact",
                .no_reach = "start the program with LEAKPROBE_HEAP=exact, or "
                            "leakprobe --heap exact",
                .no_resources = "start the program with LEAKPROBE_RESOURCES=on, or "
                                "leakprobe --resources on",
                .no_build = "this build of the probe has no recorder",
                .dump = "fetch /pprof/heap, and keep it where you like",
                .cross_site = "open the program's own pages, or use curl",
            },
        .sleep = no_sleep,
    };
}

/* Where the probe's descriptors go: high, but below what select can hold, and never so
 * high that the kernel's table of descriptors must grow for them. */
static int descriptors_from(void)
{
    struct rlimit limit = {.rlim_cur = 1024};
    getrlimit(RLIMIT_NOFILE, &limit);
    int end = limit.rlim_cur > 1024 ? 1024 : (int)limit.rlim_cur;
    return end > 128 ? end - 64 : end / 2;
}

/* Called for each loaded object: the addresses of this library's code. */
static int own_code_skip(struct dl_phdr_info *object, size_t size, void *unused)
{
    (void)size, (void)unused;
    uintptr_t within = (uintptr_t)own_code_skip;
    for (size_t i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &object->dlpi_phdr[i];
        uintptr_t start = object->dlpi_addr + part->p_vaddr;
        if (part->p_type == PT_LOAD && within >= start &&
            within < start + part->p_memsz) {
            probe_recorder_skip(start, start + part->p_memsz);
            return 1;
        }
    }
    return 0;
}

static void recorder_begin(void)
{
    dl_iterate_phdr(own_code_skip, NULL);
    if (agent.settings.heap == RECORDER_OFF) {
        probe_recorder_stop_early();
        return;
    }
    if (!probe_malloc_seen()) {
        probe_say(
            "%s, pid %d: its allocator is part of the program, so the heap is not "
            "seen",
            agent.name, (int)agent.pid);
        agent.site.hints.no_reach = agent.site.hints.no_profile =
            "its allocator is part of the program's own file, "
            "where no library can stand before it";
        probe_recorder_stop_early();
        return;
    }
    int error = probe_recorder_start(agent.settings.heap, agent.settings.period);
    if (error != 0) {
        probe_say("%s, pid %d: no heap profile: %s", agent.name, (int)agent.pid,
                  error == -ENOSYS
                      ? "libunwind.so.8 cannot be opened (package libunwind8)"
                      : strerror(-error));
    }
}

/* Whether the program calls our functions of locks. */
static bool locks_are_seen(void)
{
    uintptr_t found = (uintptr_t)dlsym(RTLD_DEFAULT, "pthread_mutex_lock");
    return found >= (uintptr_t)probe_calls_begin && found < (uintptr_t)probe_calls_end;
}

static void resources_begin(void)
{
    if (!agent.settings.resources) {
        return;
    }
    int error = probe_resources_start();
    probe_lock_waits_start(
        locks_are_seen() ? NULL : "the program has a pthread_mutex_lock of its own");
    if (error == 0) {
        probe_thread_notes_start();
        probe_mapping_notes_start();
    } else {
        probe_say("%s, pid %d: no profiles of descriptors and the like: %s", agent.name,
                  (int)agent.pid,
                  error == -ENOSYS
                      ? "libunwind.so.8 cannot be opened (package libunwind8)"
                      : strerror(-error));
        return;
    }
    probe_fd_alarm_start(on_many_descriptors, descriptors_say, BURST_NS);
}

static void instruments_begin(void)
{
    resources_begin();
    int error = probe_threads_start();
    error = error != 0 ? error : probe_waits_start(on_first_wait);
    if (error != 0) {
        probe_say("%s, pid %d: no thread profile: %s", agent.name, (int)agent.pid,
                  strerror(-error));
    }
    probe_symbols_read_when_needed(is_stopping);
    (void)probe_family_start(); /* without it every process is alone */
    probe_page_index_extend(probe_family_add);
}

/* The loader calls this before main, after the constructors of the libraries that the
 * program itself names. */
__attribute__((constructor)) static void agent_begin(void)
{
    int saved = errno;
    probe_inside++;
    probe_malloc_prepare();
    probe_next_start();
    /* A program with more rights than its user gets no instruments, as the loader has
     * it, too, for LD_PRELOAD. */
    if (getauxval(AT_SECURE) == 0 && probe_settings_wanted()) {
        probe_settings_read(&agent.settings);
        agent.pid = getpid();
        agent.first = true;
        site_fill();
        int error = probe_descriptors_protect(descriptors_from());
        if (error != 0) {
            probe_say("%s, pid %d: /proc cannot be opened: %s", agent.name,
                      (int)agent.pid, strerror(-error));
        }
        recorder_begin();
        instruments_begin();
        agent.watches_main = gettid() == agent.pid &&
                             pthread_key_create(&agent.main_key, main_ends) == 0;
        main_watch();
        pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
        probe_active = true;
        if (agent.settings.trace_seconds != 0) {
            (void)probe_memory_trace_begin(agent.name, agent.settings.trace_seconds);
        }
        pthread_mutex_lock(&agent.lock);
        port_open_or_say();
        pthread_mutex_unlock(&agent.lock);
    } else {
        probe_recorder_stop_early();
    }
    probe_malloc_early_end();
    probe_inside--;
    errno = saved;
}

/* Without "%p" only the process that was started writes: its forked children would
 * write over it. */
static bool exit_file_wanted(void)
{
    return agent.settings.at_exit != NULL &&
           (agent.first || strstr(agent.settings.at_exit, "%p") != NULL);
}

/* The loader calls this when the program has returned from main or called exit, after
 * the program's own last functions; not after _exit or a signal. */
__attribute__((destructor)) static void agent_end(void)
{
    bool within = probe_inside != 0 && !is_agent();
    if (!probe_active || !probe_agent_is_own_process() || within) {
        return; /* within: as for fork, a handler has called exit in the probe */
    }
    struct probe_visit visit = probe_visit_begin();
    if (exit_file_wanted()) {
        probe_exit_file_write(agent.settings.at_exit, agent.name, agent.pid,
                              agent.given_up);
    }
    pthread_mutex_lock(&agent.lock);
    probe_family_leave();
    agent.given_up = true;
    if (agent.running && !is_agent()) {
        probe_listener_stop(agent.listener);
        const struct timespec until = probe_patience_end();
        if (pthread_clockjoin_np(agent.thread, NULL, CLOCK_MONOTONIC, &until) == 0) {
            probe_listener_close(agent.listener, false);
            probe_fd_alarm_end();
        }
    }
    pthread_mutex_unlock(&agent.lock);
    probe_visit_end(visit);
}

/* ---- leakprobe.h ---- */

const char *leakprobe_url(void)
{
    return probe_active && agent.listener != NULL ? agent.url : NULL;
}

const char *leakprobe_version(void)
{
    return LAB_VERSION;
}

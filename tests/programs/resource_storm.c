/*
 * Some threads make and end descriptors, threads, timers, mappings and children as fast
 * as they can, and check what every call returns, while signals come whose handler
 * opens and closes a file. It is quiet at first; for each line of its input it does one
 * thing:
 *
 *   go      makes and ends things
 *   pause   stops that, with things alive
 *   drain   stops that, and ends everything that it has made since the start
 *
 * When it is quiet, it prints for each way to make something, and each profile, how
 * many things made in that way are alive: "fds fd_open 3 0". The second number belongs
 * to the profile's second value. Then "quiet N". At the end of its input it ends with
 * 9.
 *
 *   usage: resource_storm
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "resources/storm.h"

enum { WORKERS = 3, FIRST_PRIVATE = 300, HAIL_NUMBER = 299, HAIL_US = 300 };
enum wish { GO, PAUSE, DRAIN, END };

static const char *const way_names[] = {
#define NAME(profile, function) #profile " " #function,
    WAYS(NAME)
#undef NAME
};

static atomic_int things[WAY_COUNT];
static atomic_long seconds[WAY_COUNT];
static struct storm storms[WORKERS];
static pthread_t hailer;
static _Thread_local bool never_cancelled;
static _Thread_local bool always_hails;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static _Atomic enum wish wish = DRAIN;
static unsigned wishes; /* how many there were */
static int quiet;       /* threads that have nothing to do */

void alive_add(enum way way, int count, long second)
{
    atomic_fetch_add(&things[way], count);
    atomic_fetch_add(&seconds[way], second);
}

void must(bool condition, const char *text, const char *file, int line)
{
    if (!condition) {
        fprintf(stderr, "resource_storm: %s:%d: %s: %s\n", file, line, text,
                strerror(errno));
        _exit(1);
    }
}

unsigned choose(struct storm *storm, unsigned bound)
{
    storm->chance = storm->chance * 6364136223846793005U + 1442695040888963407U;
    return (unsigned)((storm->chance >> 33) % bound);
}

/* -- threads ---------------------------------------------------------------------- */

/* Waits while the program is quiet. */
static void rest(void)
{
    pthread_mutex_lock(&lock);
    unsigned known = wishes;
    quiet++;
    pthread_cond_broadcast(&changed);
    while (wishes == known) {
        pthread_cond_wait(&changed, &lock);
    }
    pthread_mutex_unlock(&lock);
}

/* One step; the smaller the number, the rarer. */
static void step(struct storm *storm)
{
    unsigned what = choose(storm, 1000);
    storm->steps++;
    if (what < 8) {
        child_step(storm);
    } else if (what < 50) {
        thread_step(storm);
    } else if (what < 120) {
        timer_step(storm);
    } else if (what < 130) {
        fd_fail(storm);
        map_fail(storm);
    } else if (what < 350) {
        map_step(storm);
    } else {
        fd_step(storm);
    }
}

static void drain(struct storm *storm)
{
    child_drain(storm);
    thread_drain(storm);
    timer_drain(storm);
    map_drain(storm);
    fd_drain(storm);
}

static void *worker_main(void *argument)
{
    struct storm *storm = argument;
    storm->thread_id = gettid();
    never_cancelled = true;
    while (wish != END) {
        if (wish == GO) {
            step(storm);
            continue;
        }
        if (wish == DRAIN) {
            drain(storm);
        }
        child_settle(storm);
        rest();
    }
    drain(storm);
    return NULL;
}

/* Opens at a number of its own, which is no place where a thread can be cancelled; and,
 * in threads that nobody cancels, opens and closes. */
static __attribute__((noipa)) void on_hail(int number)
{
    (void)number;
    if (wish == GO || always_hails) {
        int saved = errno;
        MUST(dup2(storms[0].source, HAIL_NUMBER) == HAIL_NUMBER);
        atomic_store(&things[fds_on_hail], 1);
        if (never_cancelled) {
            int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
            MUST(fd >= 0 && close(fd) == 0);
        }
        errno = saved;
    }
}

static void *hail(void *unused)
{
    for (unsigned turn = 0; wish != END; turn++) {
        if (wish != GO) {
            rest();
            continue;
        }
        MUST(pthread_kill(storms[turn % WORKERS].thread, SIGUSR2) == 0);
        usleep(HAIL_US);
    }
    return unused;
}

static __attribute__((noipa)) void workers_start(void)
{
    for (unsigned i = 0; i < WORKERS; i++) {
        MUST(pthread_create(&storms[i].thread, NULL, worker_main, &storms[i]) == 0);
        alive_add(threadcreate_workers_start, 1, 0);
    }
    MUST(pthread_create(&hailer, NULL, hail, NULL) == 0);
    alive_add(threadcreate_workers_start, 1, 0);
}

/* -- the whole -------------------------------------------------------------------- */

static __attribute__((noipa)) void storm_begin(struct storm *storm, unsigned number)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memset(storm, 0, sizeof(*storm));
    storm->number = number;
    storm->chance = number + 1;
    storm->first = FIRST_PRIVATE + (int)number * PRIVATE;
    snprintf(storm->path, sizeof(storm->path), "/tmp/storm-%d-%u", (int)getpid(),
             number);
    storm->source = memfd_create("source", MFD_CLOEXEC);
    MUST(storm->source >= 0 && ftruncate(storm->source, 1 << 20) == 0);
    MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, storm->ends) == 0);
    storm->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    /* An address of the kernel's choice. */
    MUST(bind(storm->listener, (struct sockaddr *)&address, sizeof(sa_family_t)) == 0);
    MUST(listen(storm->listener, 8) == 0);
    alive_add(fds_storm_begin, 4, 0);
    for (int i = 0; i < ORDINARY; i++) {
        storm->ordinary[i].way = NOTHING;
    }
    for (int i = 0; i < PRIVATE; i++) {
        storm->private[i].way = NOTHING;
    }
    for (int i = 0; i < CHILDREN; i++) {
        storm->children[i].way = NOTHING;
    }
    for (int i = 0; i < THREADS; i++) {
        storm->threads[i].way = NOTHING;
    }
    for (int i = 0; i < TIMERS; i++) {
        storm->timers[i].way = NOTHING;
    }
    for (int i = 0; i < MAPS; i++) {
        storm->maps[i].way = NOTHING;
    }
}

/* What a handler opens that has interrupted the probe is made unseen. The last one to
 * do so may be such a handler, so here is another. */
static void hail_settle(void)
{
    if (wish == DRAIN && atomic_exchange(&things[fds_on_hail], 0) == 1) {
        MUST(close(HAIL_NUMBER) == 0);
    } else if (things[fds_on_hail] == 1) {
        always_hails = true;
        MUST(raise(SIGUSR2) == 0);
        always_hails = false;
    }
}

/* Waits until all threads are quiet, and says what is alive. */
static void say_alive(void)
{
    pthread_mutex_lock(&lock);
    while (quiet < WORKERS + 1) {
        pthread_cond_wait(&changed, &lock);
    }
    pthread_mutex_unlock(&lock);
    hail_settle();
    unsigned long steps = 0;
    for (int i = 0; i < WORKERS; i++) {
        steps += storms[i].steps;
    }
    for (int way = 0; way < WAY_COUNT; way++) {
        printf("%s %d %ld\n", way_names[way], things[way], seconds[way]);
    }
    printf("steps %lu\nquiet %u\n", steps, wishes);
    fflush(stdout);
}

static void wish_set(enum wish wanted)
{
    pthread_mutex_lock(&lock);
    wish = wanted;
    wishes++;
    quiet = 0;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
    if (wanted == PAUSE || wanted == DRAIN) {
        say_alive();
    }
}

int main(void)
{
    struct sigaction action = {.sa_handler = on_hail, .sa_flags = SA_RESTART};
    MUST(sigaction(SIGUSR2, &action, NULL) == 0);
    for (unsigned i = 0; i < WORKERS; i++) {
        storm_begin(&storms[i], i);
    }
    workers_start();
    say_alive();
    char line[16];
    while (fgets(line, sizeof(line), stdin) != NULL) {
        wish_set(strcmp(line, "go\n") == 0      ? GO
                 : strcmp(line, "drain\n") == 0 ? DRAIN
                                                : PAUSE);
    }
    wish_set(END);
    for (int i = 0; i < WORKERS; i++) {
        pthread_join(storms[i].thread, NULL);
        unlink(storms[i].path);
    }
    pthread_join(hailer, NULL);
    return 9;
}

/*
 * Threads that lock as fast as they can, all in the right order: mutexes of every type,
 * rwlocks, condition variables, in memory that is soon another's, in threads that end
 * at once. Nobody waits for ever, though it looks like that often: some try what is out
 * of order, or wait for it with a time limit. With the argument "planted" some threads
 * do wait for ever beside the storm; it prints them, a line each:
 *
 *   deadlock TID...      in the order of the cycle
 *   stuck TID            behind a deadlock
 *   never OWNER TID      waits for a lock that OWNER has not released
 *
 * It prints "ready", and "reused" if a thread gets the number of that OWNER. When its
 * input ends it prints "taken LOCKS in MILLISECONDS ms", and exits 0 if all that the
 * locks guard is as it should be.
 */
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "lock_planted.h"
#include "lock_storm.h"

enum {
    FAST = 48, /* mutexes that nobody has for long */
    SLOW = 8,  /* those after them */
    MUTEXES = FAST + SLOW,
    RWLOCKS = 12,
    BOXES = 4,
    SLOTS = 4,
    WORKERS = 6,
    SLEEPERS = 6, /* threads that sleep while they have a lock */
    SPAWNERS = 2,
    ALL = WORKERS + SLEEPERS + SPAWNERS,
    SHORT_LIVED = 4, /* threads at a time, of each spawner */
    PAGE = 4096,
};

/* A box for one letter. */
struct box {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool is_full;
};

/* A lock in memory that its last user unmaps. */
struct slot {
    pthread_mutex_t mutex;
    struct guarded *thing;
    int users;
};

static struct guarded mutexes[MUTEXES];
static struct guarded rwlocks[RWLOCKS];
static struct box boxes[BOXES];
static struct slot slots[SLOTS];
static struct worker workers[ALL];
static atomic_bool over;

/* ---- mutexes, in the order of their numbers ---- */

/* Two mutexes, of the two halves of a part of them, the second one to be taken later.
 */
struct pair {
    struct guarded *first;
    struct guarded *second;
    bool inherits; /* the first one does */
};

static struct pair pair_draw(struct worker *worker, int part, int size)
{
    int first = part + (int)draw(worker, (unsigned)size / 2);
    int second = part + size / 2 + (int)draw(worker, (unsigned)size / 2);
    return (struct pair){&mutexes[first], &mutexes[second], inherits(first)};
}

static void in_order(struct worker *worker, struct pair pair, int microseconds)
{
    bool crossed = draw(worker, 2) == 0;
    take(worker, pair.first);
    nap(microseconds);
    take(worker, pair.second);
    nap(microseconds);
    pthread_mutex_unlock(crossed ? &pair.first->mutex : &pair.second->mutex);
    pthread_mutex_unlock(crossed ? &pair.second->mutex : &pair.first->mutex);
}

/* That would be a deadlock in time, but for the trial or the limit. A cycle of mutexes
 * that inherit priorities is one in spite of a limit: the kernel sees it, and glibc
 * then lets the other thread sleep for ever. */
static void out_of_order(struct worker *worker, struct pair pair, int microseconds)
{
    pthread_mutex_t *first = &pair.first->mutex;
    bool tries = pair.inherits || (microseconds == 0 && draw(worker, 4) != 0);
    take(worker, pair.second);
    nap(microseconds);
    struct timespec end = soon();
    if (is_taken(worker, pair.first,
                 tries ? pthread_mutex_trylock(first)
                       : pthread_mutex_timedlock(first, &end))) {
        pthread_mutex_unlock(first);
    }
    pthread_mutex_unlock(&pair.second->mutex);
}

/* ---- rwlocks ---- */

static void read_and_write(struct worker *worker)
{
    struct guarded *first = &rwlocks[draw(worker, RWLOCKS / 2)];
    struct guarded *second = &rwlocks[RWLOCKS / 2 + draw(worker, RWLOCKS / 2)];
    struct timespec end = soon();
    pthread_rwlock_rdlock(&first->rwlock);
    worker->taken++;
    if (draw(worker, 4) == 0) {
        pthread_rwlock_wrlock(&second->rwlock);
        second->count++;
        worker->writes++;
    } else {
        pthread_rwlock_rdlock(&second->rwlock);
    }
    worker->taken++;
    pthread_rwlock_unlock(&first->rwlock);
    if (draw(worker, 16) == 0 && /* out of order */
        pthread_rwlock_timedwrlock(&first->rwlock, &end) == 0) {
        pthread_rwlock_unlock(&first->rwlock);
    }
    pthread_rwlock_unlock(&second->rwlock);
}

/* ---- condition variables ---- */

/* Waits until the box is as it is wanted, and leaves it the other way. */
static void post(struct worker *worker)
{
    struct box *box = &boxes[draw(worker, BOXES)];
    bool is_full = draw(worker, 2) == 0;
    bool timed = draw(worker, 2) == 0;
    struct timespec end = soon();
    int result = 0;
    pthread_mutex_lock(&box->mutex);
    worker->taken++;
    while (box->is_full != is_full && result == 0 && !atomic_load(&over)) {
        result = timed ? pthread_cond_timedwait(&box->changed, &box->mutex, &end)
                       : pthread_cond_wait(&box->changed, &box->mutex);
        worker->taken++;
    }
    box->is_full = !is_full;
    pthread_cond_broadcast(&box->changed);
    pthread_mutex_unlock(&box->mutex);
}

/* So that nobody waits for ever, even if all workers want boxes to be the same way. */
static void boxes_turn(void)
{
    for (int i = 0; i < BOXES; i++) {
        pthread_mutex_lock(&boxes[i].mutex);
        boxes[i].is_full = !boxes[i].is_full;
        pthread_cond_broadcast(&boxes[i].changed);
        pthread_mutex_unlock(&boxes[i].mutex);
    }
}

/* ---- memory that is soon another's ---- */

/* What it holds before it is a lock: the numbers of threads, as an owner would be. */
static struct guarded *thing_new(struct worker *worker)
{
    int *words =
        mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    need(words != MAP_FAILED, "mmap");
    pid_t process = getpid();
    for (size_t i = 0; i < PAGE / sizeof(*words); i++) {
        words[i] = process + (int)draw(worker, 30000);
    }
    struct guarded *thing = (void *)words;
    thing->count = 0;
    pthread_mutex_init(&thing->mutex, NULL);
    return thing;
}

static void use_and_unmap(struct worker *worker)
{
    struct slot *slot = &slots[draw(worker, SLOTS)];
    pthread_mutex_lock(&slot->mutex);
    if (slot->users++ == 0) {
        slot->thing = thing_new(worker);
    }
    struct guarded *thing = slot->thing;
    pthread_mutex_unlock(&slot->mutex);
    for (int i = 0; i < 20; i++) {
        pthread_mutex_lock(&thing->mutex);
        thing->count++;
        pthread_mutex_unlock(&thing->mutex);
    }
    pthread_mutex_lock(&slot->mutex);
    bool last = --slot->users == 0;
    pthread_mutex_unlock(&slot->mutex);
    worker->taken += 22;
    if (last) {
        pthread_mutex_destroy(&thing->mutex);
        munmap(thing, PAGE);
    }
}

/* ---- the threads ---- */

static void *worker_run(void *argument)
{
    struct worker *worker = argument;
    while (!atomic_load(&over)) {
        unsigned chance = draw(worker, 1000);
        if (chance < 4) {
            use_and_unmap(worker);
        } else if (chance < 8) {
            post(worker);
        } else if (chance < 40) {
            out_of_order(worker, pair_draw(worker, 0, FAST), 0);
        } else if (chance < 200) {
            read_and_write(worker);
        } else {
            in_order(worker, pair_draw(worker, 0, FAST), 0);
        }
    }
    return NULL;
}

static void *sleeper_run(void *argument)
{
    struct worker *worker = argument;
    while (!atomic_load(&over)) {
        struct pair pair = pair_draw(worker, FAST, SLOW);
        if (draw(worker, 4) == 0) {
            out_of_order(worker, pair, 100);
        } else {
            in_order(worker, pair, 100);
        }
    }
    return NULL;
}

/* It has a lock until just before its end; or until its end, if that is robust. */
static void *short_run(void *argument)
{
    struct worker *worker = argument;
    int number = (int)draw(worker, 2) * FAST;
    number += (int)draw(worker, number == 0 ? FAST : SLOW);
    if (gettid() == atomic_load(&planted_owner)) {
        printf("reused\n");
    }
    take(worker, &mutexes[number]);
    nap(number < FAST ? 0 : 50);
    if (!is_robust(number)) {
        pthread_mutex_unlock(&mutexes[number].mutex);
    }
    return NULL;
}

static void *spawner_run(void *argument)
{
    struct worker *self = argument;
    struct worker others[SHORT_LIVED] = {0};
    while (!atomic_load(&over)) {
        for (int i = 0; i < SHORT_LIVED; i++) {
            others[i].random = self->random + (uint64_t)i + 1;
            need(pthread_create(&others[i].thread, NULL, short_run, &others[i]) == 0,
                 "pthread_create");
        }
        for (int i = 0; i < SHORT_LIVED; i++) {
            pthread_join(others[i].thread, NULL);
        }
        (void)draw(self, 2); /* others than before */
        usleep(1500);
    }
    for (int i = 0; i < SHORT_LIVED; i++) {
        self->taken += others[i].taken;
        self->counts += others[i].counts;
    }
    return NULL;
}

static void all_begin(void)
{
    for (int i = 0; i < MUTEXES; i++) {
        mutex_init(&mutexes[i].mutex, i);
    }
    for (int i = 0; i < RWLOCKS; i++) {
        pthread_rwlock_init(&rwlocks[i].rwlock, NULL);
    }
    for (int i = 0; i < BOXES; i++) {
        pthread_mutex_init(&boxes[i].mutex, NULL);
        pthread_cond_init(&boxes[i].changed, NULL);
    }
    for (int i = 0; i < SLOTS; i++) {
        pthread_mutex_init(&slots[i].mutex, NULL);
    }
    for (int i = 0; i < ALL; i++) {
        workers[i].random = 0x9E3779B97F4A7C15U * (uint64_t)(i + 1);
        void *(*run)(void *argument) = i < WORKERS              ? worker_run
                                       : i < WORKERS + SLEEPERS ? sleeper_run
                                                                : spawner_run;
        need(pthread_create(&workers[i].thread, NULL, run, &workers[i]) == 0,
             "pthread_create");
    }
}

/* Ends the storm and checks what the locks guard. Returns how many were taken. */
static long all_end(void)
{
    long taken = 0;
    long counts = 0;
    long writes = 0;
    atomic_store(&over, true);
    for (int i = 0; i < ALL; i++) {
        boxes_turn();
        pthread_join(workers[i].thread, NULL);
        taken += workers[i].taken;
        counts += workers[i].counts;
        writes += workers[i].writes;
    }
    for (int i = 0; i < MUTEXES; i++) {
        counts -= mutexes[i].count;
    }
    for (int i = 0; i < RWLOCKS; i++) {
        writes -= rwlocks[i].count;
    }
    need(counts == 0 && writes == 0, "the counts");
    return taken;
}

static long milliseconds(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

int main(int argc, char **argv)
{
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc > 1 && strcmp(argv[1], "planted") == 0) {
        planted_begin();
    }
    long begin = milliseconds();
    all_begin();
    printf("ready\n");
    while (poll(&input, 1, 5) == 0) {
        boxes_turn();
    }
    long taken = all_end();
    printf("taken %ld in %ld ms\n", taken, milliseconds() - begin);
    _exit(0);
}

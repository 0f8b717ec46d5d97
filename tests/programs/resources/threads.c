/* Threads and POSIX timers. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <threads.h>
#include <unistd.h>

#include "storm.h"

/* What a thread waits for; it belongs to who waits for the thread's end: the thread
 * itself if it is detached. */
struct thread_ticket {
    sem_t go;
    bool is_own;
};

static struct thread_ticket *ticket_make(bool is_own, unsigned goes)
{
    struct thread_ticket *ticket = malloc(sizeof(*ticket));
    MUST(ticket != NULL && sem_init(&ticket->go, 0, goes) == 0);
    ticket->is_own = is_own;
    return ticket;
}

static void *thread_main(void *argument)
{
    struct thread_ticket *ticket = argument;
    while (sem_wait(&ticket->go) != 0) {
        MUST(errno == EINTR);
    }
    if (ticket->is_own) {
        free(ticket);
        return NULL;
    }
    return ticket;
}

static int thread_main_c11(void *argument)
{
    return thread_main(argument) == argument ? 7 : 1;
}

MAKER thread_joined(struct thread_slot *slot)
{
    slot->ticket = ticket_make(false, 0);
    MUST(pthread_create(&slot->thread, NULL, thread_main, slot->ticket) == 0);
}

/* It ends by itself: who has not joined it, still has it. */
MAKER thread_ended(struct thread_slot *slot)
{
    slot->ticket = ticket_make(false, 1);
    MUST(pthread_create(&slot->thread, NULL, thread_main, slot->ticket) == 0);
}

MAKER thread_cancelled(struct thread_slot *slot)
{
    slot->ticket = ticket_make(false, 0);
    MUST(pthread_create(&slot->thread, NULL, thread_main, slot->ticket) == 0);
}

MAKER thread_c11(struct thread_slot *slot)
{
    slot->ticket = ticket_make(false, 0);
    MUST(thrd_create(&slot->thread, thread_main_c11, slot->ticket) == thrd_success);
}

MAKER thread_made_detached(struct thread_slot *slot)
{
    pthread_attr_t attributes;
    slot->ticket = ticket_make(true, 0);
    MUST(pthread_attr_init(&attributes) == 0);
    MUST(pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED) == 0);
    MUST(pthread_create(&slot->thread, &attributes, thread_main, slot->ticket) == 0);
    pthread_attr_destroy(&attributes);
}

MAKER thread_detached_later(struct thread_slot *slot)
{
    slot->ticket = ticket_make(true, 0);
    MUST(pthread_create(&slot->thread, NULL, thread_main, slot->ticket) == 0);
    MUST(pthread_detach(slot->thread) == 0);
}

static const struct thread_maker {
    enum way way;
    void (*make)(struct thread_slot *slot);
} thread_makers[] = {
    {threadcreate_thread_joined, thread_joined},
    {threadcreate_thread_ended, thread_ended},
    {threadcreate_thread_cancelled, thread_cancelled},
    {threadcreate_thread_c11, thread_c11},
    {threadcreate_thread_made_detached, thread_made_detached},
    {threadcreate_thread_detached_later, thread_detached_later},
};

/* The profile's values: living, and ended but not joined. */
static void thread_count(enum way way, int sign)
{
    bool has_ended = way == threadcreate_thread_ended;
    alive_add(way, has_ended ? 0 : sign, has_ended ? sign : 0);
}

static void thread_make(struct storm *storm, struct thread_slot *slot)
{
    const struct thread_maker *maker =
        &thread_makers[choose(storm, sizeof(thread_makers) / sizeof(thread_makers[0]))];
    maker->make(slot);
    slot->way = maker->way;
    thread_count(slot->way, 1);
}

static void thread_join(struct storm *storm, struct thread_slot *slot)
{
    void *result = NULL;
    int number = 0;
    if (slot->way == threadcreate_thread_c11) {
        MUST(thrd_join(slot->thread, &number) == thrd_success && number == 7);
    } else if (choose(storm, 2) == 0) {
        struct timespec end;
        clock_gettime(CLOCK_REALTIME, &end);
        end.tv_sec += 1000;
        MUST(pthread_timedjoin_np(slot->thread, &result, &end) == 0);
    } else {
        MUST(pthread_join(slot->thread, &result) == 0);
    }
    MUST(number == 7 ||
         result == (slot->way == threadcreate_thread_cancelled ? PTHREAD_CANCELED
                                                               : slot->ticket));
    sem_destroy(&slot->ticket->go);
    free(slot->ticket);
}

static void thread_end(struct storm *storm, struct thread_slot *slot)
{
    bool detached = slot->ticket->is_own;
    thread_count(slot->way, -1);
    if (slot->way == threadcreate_thread_cancelled) {
        MUST(pthread_cancel(slot->thread) == 0);
    } else if (slot->way != threadcreate_thread_ended) {
        MUST(sem_post(&slot->ticket->go) == 0);
    }
    if (!detached) {
        thread_join(storm, slot);
    }
    slot->way = NOTHING;
}

/* The machine has no memory for such a stack. */
static void thread_fail(void)
{
    pthread_t thread;
    pthread_attr_t attributes;
    MUST(pthread_attr_init(&attributes) == 0);
    MUST(pthread_attr_setstacksize(&attributes, (size_t)1 << 50) == 0);
    MUST(pthread_create(&thread, &attributes, thread_main, NULL) == EAGAIN);
    pthread_attr_destroy(&attributes);
}

void thread_step(struct storm *storm)
{
    struct thread_slot *slot = SLOT_OF(storm, threads, THREADS);
    if (slot->way == NOTHING) {
        thread_make(storm, slot);
    } else {
        thread_end(storm, slot);
    }
    if (choose(storm, 8) == 0) {
        thread_fail();
    }
}

void thread_drain(struct storm *storm)
{
    for (int i = 0; i < THREADS; i++) {
        if (storm->threads[i].way != NOTHING) {
            thread_end(storm, &storm->threads[i]);
        }
    }
}

/* -- timers ----------------------------------------------------------------------- */

static void timer_called(union sigval unused)
{
    (void)unused;
}

MAKER timer_none(struct storm *storm, timer_t *timer)
{
    struct sigevent event = {.sigev_notify = SIGEV_NONE};
    (void)storm;
    MUST(timer_create(CLOCK_MONOTONIC, &event, timer) == 0);
}

/* Its signals come all the time. */
MAKER timer_signal(struct storm *storm, timer_t *timer)
{
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2};
    struct itimerspec often = {{0, 2000000}, {0, 2000000}};
    (void)storm;
    MUST(timer_create(CLOCK_MONOTONIC, &event, timer) == 0);
    MUST(timer_settime(*timer, 0, &often, NULL) == 0);
}

MAKER timer_to_thread(struct storm *storm, timer_t *timer)
{
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR2};
    event._sigev_un._tid = storm->thread_id;
    MUST(timer_create(CLOCK_REALTIME, &event, timer) == 0);
}

/* For these the C library starts a thread, once. */
MAKER timer_thread(struct storm *storm, timer_t *timer)
{
    struct sigevent event = {.sigev_notify = SIGEV_THREAD,
                             .sigev_notify_function = timer_called};
    (void)storm;
    MUST(timer_create(CLOCK_MONOTONIC, &event, timer) == 0);
}

static const struct timer_maker {
    enum way way;
    void (*make)(struct storm *storm, timer_t *timer);
} timer_makers[] = {
    {timers_timer_none, timer_none},
    {timers_timer_signal, timer_signal},
    {timers_timer_to_thread, timer_to_thread},
    {timers_timer_thread, timer_thread},
};

static void timer_end(struct timer_slot *slot)
{
    struct itimerspec left;
    MUST(timer_gettime(slot->timer, &left) == 0);
    alive_add(slot->way, -1, 0);
    MUST(timer_delete(slot->timer) == 0);
    slot->way = NOTHING;
}

void timer_step(struct storm *storm)
{
    struct timer_slot *slot = SLOT_OF(storm, timers, TIMERS);
    if (slot->way != NOTHING) {
        timer_end(slot);
        return;
    }
    const struct timer_maker *maker =
        &timer_makers[choose(storm, sizeof(timer_makers) / sizeof(timer_makers[0]))];
    maker->make(storm, &slot->timer);
    slot->way = maker->way;
    alive_add(slot->way, 1, 0);
    timer_t none;
    MUST(timer_create(12345, NULL, &none) == -1 && errno == EINVAL);
}

void timer_drain(struct storm *storm)
{
    for (int i = 0; i < TIMERS; i++) {
        if (storm->timers[i].way != NOTHING) {
            timer_end(&storm->timers[i]);
        }
    }
}

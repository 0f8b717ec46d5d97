/*
 * Programs block all signals in their threads and mean their own. If the thread
 * profile's were blocked too, such a thread could not be asked. So every call that sets
 * a mask gets it without our signal, and every call that reads one shows it without.
 *
 * If the program wants the signal for itself, ours moves to another number first. What
 * shows that: it sets a disposition for it; or it blocks or waits for it in a set that
 * does not simply have most signals.
 */
#include "probe/preload/signal_calls.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "probe/calls/real_function.h"
#include "probe/recorder/inside.h"
#include "probe/threads/threads.h"

static bool started;
static pid_t process;

/* Programs call some of these still. */
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

PROBE_REAL(sigaction)
PROBE_REAL(pthread_sigmask)
PROBE_REAL(sigprocmask)
PROBE_REAL(sigpending)
PROBE_REAL(signal)
PROBE_REAL(sigset)
PROBE_REAL(sighold)
PROBE_REAL(sigrelse)
PROBE_REAL(sigignore)
PROBE_REAL(siginterrupt)
PROBE_REAL(pthread_attr_setsigmask_np)

static bool is_ours(int signal)
{
    return started && probe_inside == 0 && signal == probe_threads_signal();
}

static bool is_free(int signal)
{
    struct sigaction action;
    return sigaction_real()(signal, NULL, &action) == 0 &&
           (action.sa_flags & SA_SIGINFO) == 0 && action.sa_handler == SIG_DFL;
}

/* Chooses a free signal below `from`. Few programs use high ones, and those that do
 * count down from SIGRTMAX. Returns 0 or -EBUSY. */
static int signal_choose(int from)
{
    for (int signal = from; signal > SIGRTMIN; signal--) {
        if (is_free(signal)) {
            return probe_threads_move_signal(signal);
        }
    }
    return -EBUSY;
}

/* The program wants our signal. Not so in the child of vfork, which may have its own
 * dispositions, but shares our memory: the signal stays that of its parent. */
static void signal_yield(void)
{
    int saved = errno;
    if ((pid_t)syscall(SYS_getpid) != process) {
        errno = saved;
        return;
    }
    probe_inside++;
    if (signal_choose(probe_threads_signal() - 1) != 0) {
        probe_threads_move_signal(-1); /* the program needs them all */
    }
    probe_inside--;
    errno = saved;
}

int probe_signals_start(void)
{
    probe_inside++;
    int error = signal_choose(SIGRTMAX - 5);
    probe_inside--;
    if (error == 0) {
        sigset_t own;
        sigemptyset(&own);
        sigaddset(&own, probe_threads_signal());
        pthread_sigmask_real()(SIG_UNBLOCK, &own, NULL);
        process = getpid();
        started = true;
    }
    return error;
}

void probe_signals_fork_child(void)
{
    process = getpid();
}

/* Whether a set has our signal because it has nearly all of them. */
static bool set_is_general(const sigset_t *set)
{
    int count = 0;
    for (int signal = SIGRTMIN; signal <= SIGRTMAX; signal++) {
        count += sigismember(set, signal) == 1;
    }
    return count > (SIGRTMAX - SIGRTMIN) / 2;
}

const sigset_t *probe_signals_without(const sigset_t *set, sigset_t *room)
{
    int own = probe_threads_signal();
    if (!started || probe_inside != 0 || set == NULL || own < 0 ||
        sigismember(set, own) != 1) {
        return set;
    }
    if (!set_is_general(set)) {
        signal_yield();
        return set;
    }
    *room = *set;
    sigdelset(room, own);
    return room;
}

/* What the program sees of a set that the kernel has filled in. */
static void set_clean(sigset_t *set)
{
    int own = probe_threads_signal();
    if (started && probe_inside == 0 && set != NULL && own > 0) {
        sigdelset(set, own);
    }
}

PROBE_EXPORT int pthread_sigmask(int how, const sigset_t *set, sigset_t *old)
{
    sigset_t room;
    const sigset_t *kept = how == SIG_UNBLOCK ? set : probe_signals_without(set, &room);
    int error = pthread_sigmask_real()(how, kept, old);
    if (error == 0) {
        set_clean(old);
    }
    return error;
}

PROBE_EXPORT int sigprocmask(int how, const sigset_t *set, sigset_t *old)
{
    sigset_t room;
    const sigset_t *kept = how == SIG_UNBLOCK ? set : probe_signals_without(set, &room);
    int result = sigprocmask_real()(how, kept, old);
    if (result == 0) {
        set_clean(old);
    }
    return result;
}

PROBE_EXPORT int sigpending(sigset_t *set)
{
    int result = sigpending_real()(set);
    if (result == 0) {
        set_clean(set);
    }
    return result;
}

PROBE_EXPORT int pthread_attr_setsigmask_np(pthread_attr_t *attributes,
                                            const sigset_t *set)
{
    sigset_t room;
    return pthread_attr_setsigmask_np_real()(attributes,
                                             probe_signals_without(set, &room));
}

/* The program asks what our signal does: nothing that it has said. */
static int disposition_show(struct sigaction *old)
{
    if (old != NULL) {
        *old = (struct sigaction){.sa_handler = SIG_DFL};
    }
    return 0;
}

PROBE_EXPORT int sigaction(int signal, const struct sigaction *action,
                           struct sigaction *old)
{
    if (is_ours(signal)) {
        if (action == NULL) {
            return disposition_show(old);
        }
        signal_yield();
    }
    struct sigaction kept;
    if (action != NULL && started && probe_inside == 0 && probe_threads_signal() > 0) {
        kept = *action;
        sigdelset(&kept.sa_mask, probe_threads_signal());
        action = &kept;
    }
    return sigaction_real()(signal, action, old);
}

/* These change the disposition or the mask of one signal. If it is ours, the program
 * has a use for that number. */
static void signal_claim(int signal)
{
    if (is_ours(signal)) {
        signal_yield();
    }
}

PROBE_EXPORT sighandler_t signal(int number, sighandler_t handler)
{
    signal_claim(number);
    return signal_real()(number, handler);
}

PROBE_EXPORT sighandler_t sigset(int signal, sighandler_t handler)
{
    signal_claim(signal);
    return sigset_real()(signal, handler);
}

PROBE_EXPORT int sighold(int signal)
{
    signal_claim(signal);
    return sighold_real()(signal);
}

PROBE_EXPORT int sigrelse(int signal)
{
    signal_claim(signal);
    return sigrelse_real()(signal);
}

PROBE_EXPORT int sigignore(int signal)
{
    signal_claim(signal);
    return sigignore_real()(signal);
}

PROBE_EXPORT int siginterrupt(int signal, int interrupts)
{
    signal_claim(signal);
    return siginterrupt_real()(signal, interrupts);
}

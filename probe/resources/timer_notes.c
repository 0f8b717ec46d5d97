#include "probe/resources/timer_notes.h"

#include "probe/recorder/visit.h"

static struct note_table timers;

static uint64_t key_of(timer_t timer)
{
    return (uint64_t)(uintptr_t)timer;
}

void probe_timer_made(timer_t timer, const void *frame)
{
    if (probe_resources_wanted()) {
        struct note_entry entry = {.key = key_of(timer),
                                   .note = probe_resource_note(frame)};
        struct probe_visit visit = probe_visit_begin();
        probe_note_put(&timers, entry);
        probe_visit_end(visit);
    }
}

bool probe_timer_gone(timer_t timer, struct note_entry *ret_entry)
{
    struct probe_visit visit = probe_visit_begin();
    bool noted =
        probe_resources_forget() && probe_note_take(&timers, key_of(timer), ret_entry);
    probe_visit_end(visit);
    return noted;
}

void probe_timer_stays(struct note_entry entry)
{
    struct probe_visit visit = probe_visit_begin();
    probe_note_put(&timers, entry);
    probe_visit_end(visit);
}

struct resource_note probe_timer_note(timer_t timer)
{
    struct note_entry entry = {0};
    struct probe_visit visit = probe_visit_begin();
    probe_note_find(&timers, key_of(timer), &entry);
    probe_visit_end(visit);
    return entry.note;
}

timer_t probe_timer_of(int number, int signal, uintptr_t value)
{
    if (signal == TIMER_THREAD_SIGNAL) {
        return (timer_t)((uintptr_t)INTPTR_MIN | value >> 1);
    }
    return (timer_t)(uintptr_t)(unsigned)number;
}

void probe_timer_notes_hold(void)
{
    probe_note_hold(&timers);
}

void probe_timer_notes_release(void)
{
    probe_note_release(&timers);
}

void probe_timer_notes_fork_child(void)
{
    probe_note_forget_all(&timers);
}

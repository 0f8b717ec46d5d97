#include "probe/locks/lock_graph.h"

/* While it is not judged. */
#define OPEN ((enum lock_verdict)(LOCK_STUCK + 1))
#define ON_THE_WAY ((enum lock_verdict)(LOCK_STUCK + 2))

/* The verdict of a wait that can be told without the next one; else OPEN. */
static enum lock_verdict verdict_alone(const struct lock_link *link)
{
    if (!link->certain) {
        return LOCK_WAITS;
    }
    if (link->ended) {
        return LOCK_NEVER_RELEASED;
    }
    return link->next == LOCK_NO_NEXT ? LOCK_WAITS : OPEN;
}

static void cycle_close(const struct lock_link *links, size_t start,
                        enum lock_verdict *verdicts)
{
    size_t at = start;
    do {
        verdicts[at] = LOCK_DEADLOCK;
        at = links[at].next;
    } while (at != start);
}

/* Goes the way from one wait to its end, and judges all on it. */
static void way_judge(const struct lock_link *links, size_t start,
                      enum lock_verdict *verdicts)
{
    size_t at = start;
    while (verdicts[at] == OPEN) {
        verdicts[at] = ON_THE_WAY;
        at = links[at].next;
    }
    if (verdicts[at] == ON_THE_WAY) {
        cycle_close(links, at, verdicts);
    }
    enum lock_verdict rest = verdicts[at] == LOCK_WAITS ? LOCK_WAITS : LOCK_STUCK;
    for (at = start; verdicts[at] == ON_THE_WAY; at = links[at].next) {
        verdicts[at] = rest;
    }
}

void probe_lock_judge(const struct lock_link *links, size_t count,
                      enum lock_verdict *ret_verdicts)
{
    for (size_t i = 0; i < count; i++) {
        ret_verdicts[i] = verdict_alone(&links[i]);
    }
    for (size_t i = 0; i < count; i++) {
        way_judge(links, i, ret_verdicts);
    }
}

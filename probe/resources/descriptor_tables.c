/*
 * Tables are numbered, and each thread has the number of its own. When the main thread
 * leaves the table of the others, its new one is listed, and theirs no longer.
 */
#include "probe/resources/descriptor_tables.h"

#include <stdatomic.h>
#include <unistd.h>

#include "probe/resources/resources.h"

static atomic_uint last;
static atomic_uint listed;
static _Thread_local unsigned table __attribute__((tls_model("initial-exec")));

unsigned probe_fd_table(void)
{
    return table;
}

void probe_fd_table_begin(unsigned of_starter)
{
    table = of_starter;
}

bool probe_fd_table_is_listed(void)
{
    return table == atomic_load_explicit(&listed, memory_order_relaxed);
}

static void table_set(unsigned number)
{
    table = number;
    if (gettid() == getpid()) {
        atomic_store(&listed, number);
    }
}

unsigned probe_fd_table_leave(void)
{
    unsigned before = table;
    /* The child of vfork has its parent's memory, but not its table. */
    if (probe_resources_forget()) {
        table_set(atomic_fetch_add(&last, 1) + 1);
    }
    return before;
}

void probe_fd_table_stay(unsigned before)
{
    if (before != table) {
        table_set(before);
    }
}

void probe_fd_table_fork_child(void)
{
    table = 0;
    atomic_store(&last, 0);
    atomic_store(&listed, 0);
}

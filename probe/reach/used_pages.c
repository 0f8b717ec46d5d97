/*
 * The kernel says it for private memory in /proc/self/pagemap (proc(5)), also if a page
 * is swapped out. Of shared memory the copy has no page table yet, so there it is
 * mincore(2), which knows only what is in memory now. That is also the way if pagemap
 * cannot be opened, as after setuid(2).
 */
#include "probe/reach/used_pages.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "probe/process/descriptors.h"

#define PAGE ((uintptr_t)4096)
#define PAGES 8192 /* that are looked at together */

/* In an entry of pagemap: the page is in memory, or swapped out. */
#define ENTRY_USED ((uint64_t)3 << 62)

static int pagemap = -1;
static uint64_t entries[PAGES];
static unsigned char states[PAGES]; /* of each page: whether it is used */

int probe_used_pages_open(void)
{
    pagemap = probe_proc_open("self/pagemap", O_RDONLY);
    pagemap = pagemap < 0 ? -1 : pagemap;
    return pagemap;
}

static bool is_swap_used(void)
{
    struct sysinfo info;
    return sysinfo(&info) != 0 || info.freeswap != info.totalswap;
}

bool probe_used_pages_may_miss_shared(void)
{
    return is_swap_used();
}

static bool states_of_pagemap(uintptr_t at, size_t pages)
{
    size_t bytes = pages * sizeof(entries[0]);
    off_t place = (off_t)(at / PAGE * sizeof(entries[0]));
    if (pagemap < 0 || pread(pagemap, entries, bytes, place) != (ssize_t)bytes) {
        return false;
    }
    for (size_t i = 0; i < pages; i++) {
        states[i] = (entries[i] & ENTRY_USED) != 0;
    }
    return true;
}

static bool states_of_mincore(uintptr_t at, size_t pages)
{
    if (mincore((void *)at, pages * PAGE, states) != 0) {
        return false;
    }
    for (size_t i = 0; i < pages; i++) {
        states[i] &= 1;
    }
    return true;
}

/* Fills in `states`. If nothing is known, all are used. */
static void states_read(uintptr_t at, size_t pages, bool shared)
{
    bool known = shared ? states_of_mincore(at, pages)
                        : states_of_pagemap(at, pages) ||
                              (!is_swap_used() && states_of_mincore(at, pages));
    if (!known) {
        memset(states, 1, pages);
    }
}

bool probe_used_pages_next(uintptr_t at, uintptr_t end, bool shared,
                           struct range *ret_part)
{
    struct range part = {0, 0};
    while (at < end) {
        size_t left = (end - at) / PAGE;
        size_t pages = left < PAGES ? left : PAGES;
        states_read(at, pages, shared);
        for (size_t i = 0; i < pages; i++, at += PAGE) {
            if (states[i] != 0) {
                part.start = part.start == 0 ? at : part.start;
                part.end = at + PAGE;
            } else if (part.start != 0) {
                *ret_part = part;
                return true;
            }
        }
        if (part.start != 0) {
            *ret_part = part; /* it may go on behind these pages */
            return true;
        }
    }
    return false;
}

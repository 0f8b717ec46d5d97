/* Blocks that are reached only from a mapping of its own, or through the kernel. */

#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cases.h"

#define AREA_BYTES ((size_t)64 * 1024)

static NOINLINE void *keep_one(void)
{
    return case_fill(malloc(100), 100);
}

static NOINLINE void lose_one(void)
{
    case_fill(malloc(60), 60);
}

/* Maps it and puts the only pointer to a block into the middle of it. */
static NOINLINE void **area_take(int flags, int file)
{
    void *area = mmap(NULL, AREA_BYTES, PROT_READ | PROT_WRITE, flags, file, 0);
    case_need(area != MAP_FAILED, "mmap");
    void **place = (void **)((char *)area + AREA_BYTES / 2);
    *place = keep_one();
    lose_one();
    return area;
}

static void anonymous(void)
{
    area_take(MAP_PRIVATE | MAP_ANONYMOUS, -1);
    case_ready();
}

static void anonymous_shared(void)
{
    area_take(MAP_SHARED | MAP_ANONYMOUS, -1);
    case_ready();
}

static NOINLINE int file_make(void)
{
    char name[] = "/tmp/lost-XXXXXX";
    int file = mkstemp(name);
    case_need(file >= 0 && unlink(name) == 0, name);
    case_need(ftruncate(file, (off_t)AREA_BYTES) == 0, name);
    return file;
}

static void file_private(void)
{
    area_take(MAP_PRIVATE, file_make());
    case_ready();
}

static void file_shared(void)
{
    area_take(MAP_SHARED, file_make());
    case_ready();
}

static void memory_file(void)
{
    int file = memfd_create("lost", 0);
    case_need(file >= 0 && ftruncate(file, (off_t)AREA_BYTES) == 0, "memfd");
    area_take(MAP_SHARED, file);
    case_ready();
}

static void zero_device(void)
{
    int file = open("/dev/zero", O_RDWR);
    case_need(file >= 0, "/dev/zero");
    area_take(MAP_PRIVATE, file);
    area_take(MAP_SHARED, file);
    case_ready();
}

static void read_only(void)
{
    case_need(mprotect(area_take(MAP_PRIVATE | MAP_ANONYMOUS, -1), AREA_BYTES,
                       PROT_READ) == 0,
              "mprotect");
    case_ready();
}

/* Not seen: of a file that is mapped to be read nobody knows whether it was written
 * before, and files may be large. */
static NOINLINE void *lose_by_file(void)
{
    return case_fill(malloc(120), 120);
}

static void read_only_file(void)
{
    void **area =
        mmap(NULL, AREA_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE, file_make(), 0);
    case_need(area != MAP_FAILED, "mmap");
    *area = lose_by_file();
    case_need(mprotect(area, AREA_BYTES, PROT_READ) == 0, "mprotect");
    case_ready();
}

/* The program can make it readable again. */
static void no_access(void)
{
    case_need(mprotect(area_take(MAP_PRIVATE | MAP_ANONYMOUS, -1), AREA_BYTES,
                       PROT_NONE) == 0,
              "mprotect");
    case_ready();
}

/* A mapping that is gone holds nothing. */
static NOINLINE void lose_with_mapping(void)
{
    void **area = mmap(NULL, AREA_BYTES, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    case_need(area != MAP_FAILED, "mmap");
    *area = case_fill(malloc(100), 100);
    munmap(area, AREA_BYTES);
}

static void unmapped(void)
{
    lose_with_mapping();
    case_ready();
}

/* Mappings between which the allocator has some for its huge blocks. */
static NOINLINE void lose_between(void)
{
    for (int i = 0; i < 10; i++) {
        area_take(MAP_PRIVATE | MAP_ANONYMOUS, -1);
        case_fill(malloc((size_t)1024 * 1024), 100);
    }
}

static void between_huge(void)
{
    lose_between();
    case_ready();
}

/* Far larger than the memory of the machine, and hardly any of it is used. */
static void sparse(void)
{
    size_t bytes = (size_t)256 * 1024 * 1024 * 1024;
    void **area = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    case_need(area != MAP_FAILED, "mmap");
    area[bytes / sizeof(*area) / 2] = keep_one();
    case_ready();
}

/* Memory that a copy of the process does not have, right behind some that nobody may
 * read. What is in there is not seen, and nothing else is the worse for it. */
static NOINLINE void *lose_by_copying(void)
{
    return case_fill(malloc(130), 130);
}

static void not_copied(void)
{
    char *area = mmap(NULL, 2 * AREA_BYTES, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    case_need(area != MAP_FAILED && mprotect(area, AREA_BYTES, PROT_NONE) == 0, "mmap");
    case_need(madvise(area + AREA_BYTES, AREA_BYTES, MADV_DONTFORK) == 0, "madvise");
    *(void **)(area + AREA_BYTES) = lose_by_copying();
    area_take(MAP_PRIVATE | MAP_ANONYMOUS, -1);
    case_ready();
}

static NOINLINE void epoll_set(void)
{
    int pipes[2];
    int epoll = epoll_create1(0);
    case_need(epoll >= 0 && pipe(pipes) == 0, "epoll");
    struct epoll_event event = {.events = EPOLLIN, .data = {.ptr = keep_one()}};
    case_need(epoll_ctl(epoll, EPOLL_CTL_ADD, pipes[0], &event) == 0, "epoll_ctl");
    lose_one();
}

static void epoll_data(void)
{
    epoll_set();
    case_ready();
}

static NOINLINE void timer_set(void)
{
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    event.sigev_value.sival_ptr = keep_one();
    case_need(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0, "timer");
    lose_one();
}

static void timer_value(void)
{
    timer_set();
    case_ready();
}

/* A child sees the same, and is asked for itself: what its parent has lost. */
static NOINLINE void lose_in_child(void)
{
    case_fill(malloc(77), 77);
}

static void fork_child(void)
{
    void *volatile block = keep_one();
    lose_one();
    pid_t child = fork();
    case_need(child >= 0, "fork");
    if (child == 0) {
        lose_in_child();
        case_ready();
    }
    int status = 0;
    waitpid(child, &status, 0);
    exit(WEXITSTATUS(status));
    (void)block;
}

/* Maps a page, as jemalloc does, right before the mapping that has the block, or right
 * behind it. NULL if both are in use, or if that mapping is the heap's, of which nobody
 * can tell the page. */
static NOINLINE void **page_beside(const void *block)
{
    static char line[512];
    FILE *maps = fopen("/proc/self/maps", "r");
    case_need(maps != NULL, "maps");
    uintptr_t start = 0, end = 0;
    while (end <= (uintptr_t)block && fgets(line, sizeof(line), maps) != NULL) {
        char *rest;
        start = strtoul(line, &rest, 16);
        end = strtoul(rest + 1, NULL, 16);
    }
    fclose(maps);
    for (int behind = 0; behind < 2 && strstr(line, "[heap]") == NULL; behind++) {
        void *wanted = (void *)(behind ? end : start - 4096);
        void *page = mmap(
            wanted, 4096, PROT_READ | PROT_WRITE,
            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
        if (page != MAP_FAILED) {
            return page;
        }
    }
    return NULL;
}

/* The kernel may make one mapping of the page and what the allocator has mapped. */
static void beside_allocator(void)
{
    static void *volatile large;
    static void *volatile instead;
    large = case_fill(malloc(1024 * 1024), 1024 * 1024);
    void **page = page_beside(large);
    *(page != NULL ? (void *volatile *)page : &instead) = keep_one();
    lose_one();
    case_ready();
}

#define ONE_KEPT .kept = {KEPT("keep_one", 1, 100)}
#define ONE_LOST .lost = {LOST("lose_one", 1, 60, 1, 60)}

static const struct lost_case cases[] = {
    {"anonymous", anonymous, ONE_LOST, ONE_KEPT},
    {"anonymous-shared", anonymous_shared, ONE_LOST, ONE_KEPT},
    {"file-private", file_private, ONE_LOST, ONE_KEPT},
    {"file-shared", file_shared, ONE_LOST, ONE_KEPT},
    {"memory-file", memory_file, ONE_LOST, ONE_KEPT},
    {"zero-device", zero_device, .lost = {LOST("lose_one", 2, 120, 2, 120)},
     .kept = {KEPT("keep_one", 2, 200)}},
    {"read-only", read_only, ONE_LOST, ONE_KEPT},
    {"read-only-file", read_only_file, .lost = {LOST("lose_by_file", 1, 120, 1, 120)}},
    {"no-access", no_access, ONE_LOST, ONE_KEPT},
    {"unmapped", unmapped, .lost = {LOST("lose_with_mapping", 1, 100, 1, 100)}},
    {"between-huge", between_huge,
     .lost = {LOST("lose_between", 10, 10 * 1024 * 1024, 10, 10 * 1024 * 1024),
              LOST("lose_one", 10, 600, 10, 600)},
     .kept = {KEPT("keep_one", 10, 1000)}},
    {"beside-allocator", beside_allocator, ONE_LOST, ONE_KEPT},
    {"sparse", sparse, ONE_KEPT},
    {"not-copied", not_copied, ONE_KEPT,
     .lost = {LOST("lose_one", 1, 60, 1, 60), LOST("lose_by_copying", 1, 130, 1, 130)}},
    {"epoll-data", epoll_data, ONE_LOST, ONE_KEPT},
    {"timer-value", timer_value, ONE_LOST, ONE_KEPT},
    {"fork-child", fork_child, ONE_KEPT,
     .lost = {LOST("lose_one", 1, 60, 1, 60), LOST("lose_in_child", 1, 77, 1, 77)}},
    {.name = NULL},
};

int main(int count, char **arguments)
{
    return cases_main(count, arguments, cases);
}

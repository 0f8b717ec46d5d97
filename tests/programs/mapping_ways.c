/*
 * Maps memory in every way, each in a function of its own, and prints for each how many
 * bytes of what kind it has left: "map_plain anonymous 20480". Then it says "ready
 * PID", and waits for the end of its input.
 *
 *   usage: mapping_ways            maps
 *          mapping_ways fork       and so has a child, which waits, too
 *          mapping_ways undone     and then unmaps all of it
 *          mapping_ways many N     maps N pages with gaps between them
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define WAY static __attribute__((noipa)) void
#define MUST(condition) must(condition, #condition, __LINE__)
#define RW (PROT_READ | PROT_WRITE)
#define PRIVATE (MAP_PRIVATE | MAP_ANONYMOUS)

enum { KEPT = 64, SMALL_STACK = 256 * 1024 };

static size_t page;
static struct {
    char *memory;
    size_t bytes;
} kept[KEPT];
static int count;
static void *segment;

static void must(bool condition, const char *text, int line)
{
    if (!condition) {
        fprintf(stderr, "mapping_ways: line %d: %s: %s\n", line, text, strerror(errno));
        exit(1);
    }
}

/* To be unmapped at the end. */
static char *keep(void *memory, size_t pages)
{
    MUST(memory != MAP_FAILED && count < KEPT);
    kept[count].memory = memory;
    kept[count++].bytes = pages * page;
    return memory;
}

static void says(const char *function, const char *kind, size_t pages)
{
    printf("%s %s %zu\n", function, kind, pages * page);
}

WAY map_plain(void)
{
    keep(mmap(NULL, 5 * page, RW, PRIVATE, -1, 0), 5);
    says(__func__, "anonymous", 5);
}

/* Less than a page is a page. */
WAY map_little(void)
{
    keep(mmap(NULL, page + 1, RW, PRIVATE, -1, 0), 2);
    says(__func__, "anonymous", 2);
}

WAY map_file(void)
{
    char path[] = "/tmp/mapping_ways.XXXXXX";
    int fd = mkstemp(path);
    MUST(fd >= 0 && unlink(path) == 0 && ftruncate(fd, (off_t)(4 * page)) == 0);
    keep(mmap64(NULL, 3 * page, PROT_READ, MAP_PRIVATE, fd, (off_t)page), 3);
    close(fd);
    says(__func__, "file", 3);
}

WAY map_memory_file(void)
{
    int fd = memfd_create("ways", 0);
    MUST(fd >= 0 && ftruncate(fd, (off_t)page) == 0);
    keep(mmap(NULL, page, RW, MAP_SHARED, fd, 0), 1);
    close(fd);
    says(__func__, "memfd", 1);
}

WAY map_shared(void)
{
    keep(mmap(NULL, 4 * page, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0), 4);
    says(__func__, "shared", 4);
}

WAY map_with_hole(void)
{
    char *memory = keep(mmap(NULL, 8 * page, RW, PRIVATE, -1, 0), 8);
    MUST(munmap(memory + 3 * page, 2 * page) == 0);
    says(__func__, "anonymous", 6);
}

static char *under;

WAY map_under(void)
{
    under = keep(mmap(NULL, 8 * page, PROT_READ, PRIVATE, -1, 0), 8);
    says(__func__, "anonymous", 5);
}

WAY map_over(void)
{
    void *wanted = under + 2 * page;
    MUST(mmap(wanted, 3 * page, RW, PRIVATE | MAP_FIXED, -1, 0) == wanted);
    says(__func__, "anonymous", 3);
}

/* Calls that fail change nothing. */
WAY map_and_fail(void)
{
    char *memory = keep(mmap(NULL, 4 * page, RW, PRIVATE, -1, 0), 4);
    errno = 4711;
    MUST(munmap(memory + 1, page) == -1 && errno == EINVAL);
    MUST(mmap(memory, page, RW, MAP_PRIVATE | MAP_FIXED, -1, 0) == MAP_FAILED &&
         errno == EBADF);
    MUST(mremap(memory, 4 * page, page, MREMAP_FIXED, memory + page) == MAP_FAILED &&
         errno == EINVAL);
    MUST(mmap(NULL, (size_t)-1, RW, PRIVATE, -1, 0) == MAP_FAILED && errno == ENOMEM);
    says(__func__, "anonymous", 4);
}

/* Who has mapped memory stays its maker, wherever it goes. */
static __attribute__((noipa)) void *move(void *memory, size_t pages, size_t new_pages)
{
    return mremap(memory, pages * page, new_pages * page, MREMAP_MAYMOVE);
}

WAY map_and_grow(void)
{
    keep(move(mmap(NULL, 2 * page, RW, PRIVATE, -1, 0), 2, 300), 300);
    says(__func__, "anonymous", 300);
}

WAY map_and_shrink(void)
{
    keep(move(mmap(NULL, 9 * page, RW, PRIVATE, -1, 0), 9, 2), 2);
    says(__func__, "anonymous", 2);
}

static char *place;

WAY map_place(void)
{
    place = keep(mmap(NULL, 8 * page, RW, PRIVATE, -1, 0), 8);
    says(__func__, "anonymous", 4);
}

WAY map_for_place(void)
{
    char *memory = mmap(NULL, 4 * page, RW, PRIVATE, -1, 0);
    char *wanted = place + 2 * page;
    MUST(mremap(memory, 4 * page, 4 * page, MREMAP_MAYMOVE | MREMAP_FIXED, wanted) ==
         wanted);
    says(__func__, "anonymous", 4);
}

/* The old place stays mapped. */
WAY map_and_leave(void)
{
    char *memory = keep(mmap(NULL, 4 * page, RW, PRIVATE, -1, 0), 4);
    keep(mremap(memory, 4 * page, 4 * page, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL),
         4);
    says(__func__, "anonymous", 8);
}

static char *shared;

WAY map_to_double(void)
{
    shared = keep(mmap(NULL, 2 * page, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0), 2);
    says(__func__, "shared", 2);
}

WAY map_double(void)
{
    keep(mremap(shared, 0, 2 * page, MREMAP_MAYMOVE), 2);
    says(__func__, "shared", 2);
}

/* Two segments; one is detached again, and somewhere else there is none. */
WAY attach(void)
{
    int id = shmget(IPC_PRIVATE, 2 * page + 1, 0600);
    MUST(id >= 0);
    segment = shmat(id, NULL, 0);
    void *other = shmat(id, NULL, SHM_RDONLY);
    MUST(shmctl(id, IPC_RMID, NULL) == 0);
    MUST(segment != MAP_FAILED && other != MAP_FAILED && shmdt(other) == 0);
    MUST(shmdt((char *)segment + page) == -1 && errno == EINVAL);
    MUST(shmat(-1, NULL, 0) == MAP_FAILED && errno == EINVAL);
    says(__func__, "shared", 3);
}

WAY map_in_handler(int number)
{
    (void)number;
    keep(mmap(NULL, 2 * page, RW, PRIVATE, -1, 0), 2);
}

WAY map_by_signal(void)
{
    signal(SIGUSR1, map_in_handler);
    raise(SIGUSR1);
    says("map_in_handler", "anonymous", 2);
}

/* A child does not get these pages, though what is noted of them is copied. */
static void *not_inherited;

WAY map_not_inherited(void)
{
    not_inherited = keep(mmap(NULL, 3 * page, RW, PRIVATE, -1, 0), 3);
    MUST(madvise(not_inherited, 3 * page, MADV_DONTFORK) == 0);
    says(__func__, "anonymous", 3);
}

static char *between;

/* Side by side with the same rights, they are one mapping of the kernel's. */
WAY map_room(void)
{
    between = keep(mmap(NULL, 16 * page, PROT_NONE, PRIVATE, -1, 0), 16);
    says(__func__, "anonymous", 8);
}

WAY map_first(void)
{
    MUST(mmap(between + 4 * page, 2 * page, RW, PRIVATE | MAP_FIXED, -1, 0) !=
         MAP_FAILED);
    says(__func__, "anonymous", 2);
}

WAY map_beside(void)
{
    char *wanted = between + 6 * page;
    MUST(mmap(wanted, 6 * page, RW, PRIVATE | MAP_FIXED, -1, 0) == wanted);
    says(__func__, "anonymous", 6);
}

/* By the system call's number: what is mapped is not noted, what goes is forgotten. */
WAY map_unseen(void)
{
    char *memory = mmap(NULL, 7 * page, RW, PRIVATE, -1, 0);
    MUST(memory != MAP_FAILED && syscall(SYS_munmap, memory, 5 * page) == 0);
    keep((void *)syscall(SYS_mmap, memory, 7 * page, RW, PRIVATE | MAP_FIXED, -1, 0),
         7);
    char *from = mmap(NULL, 4 * page, RW, PRIVATE, -1, 0);
    char *to = mmap(NULL, 4 * page, RW, PRIVATE, -1, 0);
    keep((void *)syscall(SYS_mremap, from, 4 * page, 4 * page,
                         MREMAP_MAYMOVE | MREMAP_FIXED, to),
         4);
    keep((void *)syscall(SYS_mmap, from, 4 * page, RW, PRIVATE | MAP_FIXED, -1, 0), 4);
    says(__func__, "anonymous", 0);
}

/* The C library has an arena for such a thread, and a mapping for a large block. */
static void allocate(void)
{
    char *volatile small = malloc(100);
    char *volatile large = malloc((size_t)1024 * 1024);
    MUST(small != NULL && large != NULL);
}

static void *stay(void *unused)
{
    allocate();
    for (;;) {
        pause();
    }
    return unused;
}

WAY start_threads(void)
{
    pthread_attr_t attributes;
    pthread_t thread;
    MUST(pthread_attr_init(&attributes) == 0 &&
         pthread_attr_setstacksize(&attributes, SMALL_STACK) == 0);
    MUST(pthread_create(&thread, &attributes, stay, NULL) == 0);
    MUST(pthread_create(&thread, &attributes, stay, NULL) == 0);
    MUST(pthread_detach(thread) == 0);
    pthread_attr_destroy(&attributes);
}

/* The stack stays his who has mapped it. */
WAY map_stack(void)
{
    pthread_attr_t attributes;
    pthread_t thread;
    void *stack = mmap(NULL, SMALL_STACK, RW, PRIVATE, -1, 0);
    MUST(stack != MAP_FAILED && pthread_attr_init(&attributes) == 0 &&
         pthread_attr_setstack(&attributes, stack, SMALL_STACK) == 0);
    MUST(pthread_create(&thread, &attributes, stay, NULL) == 0);
    pthread_attr_destroy(&attributes);
    says(__func__, "anonymous", SMALL_STACK / page);
}

/* Every second page can be written, so that the kernel joins no two of them. */
WAY map_many(int pages)
{
    for (int i = 0; i < pages; i++) {
        MUST(mmap(NULL, page, i % 2 == 0 ? PROT_READ : RW, PRIVATE, -1, 0) !=
             MAP_FAILED);
    }
    says(__func__, "anonymous", (size_t)pages);
}

static void ways(void)
{
    map_plain();
    map_little();
    map_file();
    map_memory_file();
    map_shared();
    map_with_hole();
    map_under();
    map_over();
    map_and_fail();
    map_and_grow();
    map_and_shrink();
    map_place();
    map_for_place();
    map_and_leave();
    map_to_double();
    map_double();
    attach();
    map_by_signal();
    map_not_inherited();
    map_room();
    map_first();
    map_beside();
    map_unseen();
}

static void undo(void)
{
    for (int i = 0; i < count; i++) {
        MUST(munmap(kept[i].memory, kept[i].bytes) == 0);
    }
    MUST(shmdt(segment) == 0);
}

static void wait_for_end(void)
{
    char byte;
    printf("ready %d\n", (int)getpid());
    fflush(stdout);
    while (read(STDIN_FILENO, &byte, 1) > 0) {
    }
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "";
    page = (size_t)sysconf(_SC_PAGESIZE);
    setvbuf(stdout, NULL, _IOFBF, 1 << 16);
    if (strcmp(mode, "many") == 0) {
        map_many(atoi(argv[2]));
        wait_for_end();
        return 0;
    }
    ways();
    if (strcmp(mode, "undone") == 0) {
        undo();
    } else {
        start_threads();
        map_stack();
    }
    fflush(stdout);
    pid_t child = strcmp(mode, "fork") == 0 ? fork() : 1;
    wait_for_end();
    if (child > 1) {
        waitpid(child, NULL, 0);
    }
    return 0;
}

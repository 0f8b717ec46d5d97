/* Does with descriptors, as its first argument says, what makes it hard to know who
 * opened which. It says "NAME NUMBER" of those that it has, and a word when it is at
 * rest; it goes on with each line of its input, and ends with it. */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define KEEP_FRAME __asm__ volatile("")
#define OPENER __attribute__((noinline)) static int

static void must(int good, const char *what)
{
    if (!good) {
        fprintf(stderr, "%s: %s\n", what, strerror(errno));
        exit(1);
    }
}

static void rest(const char *word)
{
    char byte = 0;
    printf("%s\n", word);
    fflush(stdout);
    while (byte != '\n') {
        if (read(STDIN_FILENO, &byte, 1) <= 0) {
            exit(4);
        }
    }
}

static void tell(const char *name, int fd)
{
    must(fd >= 0, name);
    printf("%s %d\n", name, fd);
}

/* A system call that nothing can stand in front of. */
static long raw(long number, long one, long two, long three)
{
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(one), "S"(two), "d"(three)
                     : "rcx", "r11", "memory");
    return result;
}

OPENER open_file(void)
{
    int fd = open("/etc/passwd", O_RDONLY);
    KEEP_FRAME;
    return fd;
}

static int open_in_header(void); /* at the end */

OPENER open_other(void)
{
    int fd = open("/etc/group", O_RDONLY);
    KEEP_FRAME;
    return fd;
}

OPENER open_socket(void)
{
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    KEEP_FRAME;
    return fd;
}

OPENER put_over(int from, int to)
{
    int fd = dup2(from, to);
    KEEP_FRAME;
    return fd;
}

/* ---- Numbers that are used again ---- */

static int over(void)
{
    int replaced = open_file();
    int kept = open_file();
    int same = open_file();
    int marked = open_file();
    int refused = open_file();
    int ranged[2] = {open_file(), open_file()};
    FILE *stream = fopen("/etc/group", "r");
    int number = fileno(stream);
    must(put_over(open_socket(), replaced) == replaced, "dup2");
    must(put_over(-1, kept) < 0, "dup2 of nothing");
    must(put_over(same, same) == same, "dup2 of itself");
    must(close_range((unsigned)marked, (unsigned)marked, CLOSE_RANGE_CLOEXEC) == 0,
         "close_range with a mark");
    must(close_range((unsigned)refused, (unsigned)refused, 1 << 20) != 0,
         "close_range with unknown flags");
    must(close_range((unsigned)ranged[0], (unsigned)ranged[1], 0) == 0, "close_range");
    stream = freopen("/no/such/file", "r", stream);
    must(stream == NULL, "freopen of nothing");
    tell("put_over", replaced);
    tell("open_file", kept);
    tell("open_file", same);
    tell("open_file", marked);
    tell("open_file", refused);
    tell("closed", ranged[0]);
    tell("closed", ranged[1]);
    tell("closed", number);
    rest("ready");
    return 0;
}

/* Nobody has seen that the numbers were closed and opened again. */
static int stale(void)
{
    int other_kind = open_file();
    int other_file = open_file();
    must(raw(SYS_close, other_kind, 0, 0) == 0, "close");
    must(raw(SYS_socket, AF_UNIX, SOCK_STREAM, 0) == other_kind, "socket");
    tell("made unseen", other_kind);
    tell("open_file", other_file);
    rest("ready");
    must(raw(SYS_close, other_file, 0, 0) == 0, "close");
    must(raw(SYS_open, (long)"/etc/group", O_RDONLY, 0) == other_file, "open");
    tell("made unseen", other_file);
    rest("again");
    close(other_file);
    must(open_other() == other_file, "open");
    tell("open_other", other_file);
    rest("seen");
    return 0;
}

/* ---- Other processes and threads ---- */

OPENER open_in_child(void)
{
    int fd = open("/etc/hostname", O_RDONLY);
    KEEP_FRAME;
    return fd;
}

static int forked(void)
{
    int both = open_file();
    int parents = open_file();
    pid_t child = fork();
    if (child == 0) {
        close(parents);
        int own = open_in_child();
        must(own == parents, "number in the child");
        tell("open_in_child", own);
        tell("open_file", both);
        rest("child ready");
        _exit(5);
    }
    int status = 0;
    must(waitpid(child, &status, 0) == child, "waitpid");
    must(WIFEXITED(status) && WEXITSTATUS(status) == 5, "the child");
    tell("open_file", both);
    tell("open_file", parents);
    rest("ready");
    return 0;
}

/* Closes all that it has and opens other things. */
static void muddle(int fd)
{
    close(fd);
    dup2(open_in_child(), fd);
    for (int i = 0; i < 20; i++) {
        open_in_child();
    }
}

static void *unshared_main(void *argument)
{
    must(unshare(CLONE_FILES) == 0, "unshare");
    muddle(*(int *)argument);
    return NULL;
}

static int apart(const char *how)
{
    int kept = open_file();
    int status = 0;
    pid_t child = 0;
    if (strcmp(how, "vfork") == 0) {
        child = vfork();
    } else if (strcmp(how, "_Fork") == 0) {
        child = _Fork();
    } else if (strcmp(how, "clone") == 0) {
        child = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    } else {
        pthread_t thread;
        must(pthread_create(&thread, NULL, unshared_main, &kept) == 0, "thread");
        pthread_join(thread, NULL);
    }
    if (child == 0 && strcmp(how, "thread") != 0) {
        muddle(kept);
        _exit(6);
    }
    if (child > 0) {
        must(waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 6, "child");
    }
    tell("open_file", kept);
    tell("open_other", open_other());
    rest("ready");
    return 0;
}

/* ---- Signal handlers ---- */

#define HANDLED 200

static atomic_int handled;

OPENER open_in_handler(void)
{
    int fd = open("/etc/hostname", O_RDONLY);
    KEEP_FRAME;
    return fd;
}

static void on_alarm(int number)
{
    (void)number;
    int saved = errno;
    for (int i = 0; i < 3; i++) {
        close(open_in_handler());
    }
    if (atomic_fetch_add(&handled, 1) % 10 == 0) {
        open_in_handler();
    }
    errno = saved;
}

static void *churn(void *unused)
{
    while (handled < HANDLED) {
        int one = open_file();
        int other = open_socket();
        close(one);
        close(other);
    }
    return unused;
}

static int handler(void)
{
    const struct itimerval often = {{0, 500}, {0, 500}};
    const struct itimerval never = {{0, 0}, {0, 0}};
    struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
    pthread_t thread;
    sigaction(SIGALRM, &action, NULL);
    must(pthread_create(&thread, NULL, churn, NULL) == 0, "thread");
    setitimer(ITIMER_REAL, &often, NULL);
    churn(NULL);
    setitimer(ITIMER_REAL, &never, NULL);
    pthread_join(thread, NULL);
    printf("handled %d\n", (int)(handled + 9) / 10);
    rest("ready");
    return 0;
}

/* ---- Age, and many ---- */

static int ages(void)
{
    tell("open_file", open_file());
    rest("old");
    tell("open_other", open_other());
    rest("young");
    return 0;
}

/* Opens at most so many, then closes them, and so on. */
static int many(int most, const char *end)
{
    int (*opener)(void) = strcmp(end, "header") == 0 ? open_in_header : open_file;
    for (int round = 1;; round++) {
        char word[32];
        int opened = 0;
        int last = -1;
        int fds[1024];
        while (opened < most && opened < 1024 && (last = opener()) >= 0) {
            fds[opened++] = last;
        }
        must(last >= 0 || errno == EMFILE, "errno at the limit");
        if (strcmp(end, "exit") == 0) {
            return 7;
        }
        snprintf(word, sizeof(word), "many %d", round);
        rest(word);
        while (opened > 0) {
            close(fds[--opened]);
        }
        snprintf(word, sizeof(word), "few %d", round);
        rest(word);
    }
}

static int lower(int most, int limit)
{
    struct rlimit room;
    getrlimit(RLIMIT_NOFILE, &room);
    room.rlim_cur = (rlim_t)limit;
    must(setrlimit(RLIMIT_NOFILE, &room) == 0, "setrlimit");
    return many(most, "stay");
}

int main(int count, char **arguments)
{
    const char *mode = count > 1 ? arguments[1] : "";
    if (strcmp(mode, "over") == 0) {
        return over();
    }
    if (strcmp(mode, "stale") == 0) {
        return stale();
    }
    if (strcmp(mode, "fork") == 0) {
        return forked();
    }
    if (strcmp(mode, "apart") == 0 && count > 2) {
        return apart(arguments[2]);
    }
    if (strcmp(mode, "handler") == 0) {
        return handler();
    }
    if (strcmp(mode, "ages") == 0) {
        return ages();
    }
    if (strcmp(mode, "many") == 0 && count > 3) {
        return many(atoi(arguments[2]), arguments[3]);
    }
    if (strcmp(mode, "lower") == 0 && count > 3) {
        return lower(atoi(arguments[2]), atoi(arguments[3]));
    }
    return 2;
}

/* As a function of a C++ library that stands in a header. */
#line 1 "/usr/include/c++/12/fstream"
OPENER open_in_header(void)
{
    int fd = open("/etc/passwd", O_RDONLY);
    KEEP_FRAME;
    return fd;
}

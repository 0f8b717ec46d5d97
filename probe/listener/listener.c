/*
 * One poll loop over the door, the connections, and a pair of sockets by which
 * probe_listener_stop wakes it. Without connections it waits without a limit, so an
 * idle listener takes no CPU time.
 */
#include "probe/listener/listener.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "probe/listener/connection.h"
#include "probe/listener/doorway.h"

#define CONNECTIONS_MOST 64

/* The first entries of the list for poll; the connections follow. */
enum { WOKEN, DOOR, FIRST };

#define RETRY_NS CLOCK_NS_PER_SECOND
#define POLL_FAILED_MS 20
#define RETRIES 30 /* to open a lost door again */

struct listener {
    struct connection_owner owner;
    struct doorway door;
    struct own_socket wake_in; /* of a pair of sockets; polled */
    struct own_socket wake_out;
    struct own_socket reserve; /* given up for a connection when none is left */
    struct own_socket third;   /* with the other two, for probe_listener_make_room */
    int fd_from;
    void (*work)(bool begins);
    atomic_bool stopping;
    atomic_bool woken;          /* for `tick` */
    int64_t door_ns;            /* when the door is looked at again; 0: now */
    unsigned retries;           /* to open it, that failed in a row */
    struct connection *current; /* whose page is running */
    struct connection connections[CONNECTIONS_MOST];
};

static bool is_used(const struct connection *connection)
{
    return atomic_load(&connection->socket.fd) >= 0;
}

/* ---- Opening and closing ---- */

static int listener_sleep(void *owner, unsigned ms)
{
    struct listener *listener = owner;
    struct connection *connection = listener->current;
    int result = probe_connection_sleep(connection, ms);
    listener->current = connection;
    return result;
}

/* Takes a descriptor that is only there to be given up: any file will do. */
static void spare_take(const struct listener *listener, struct own_socket *spare)
{
    if (atomic_load(&spare->fd) < 0) {
        int fd = dup(atomic_load(&listener->wake_out.fd));
        if (fd >= 0) {
            probe_own_socket_take(spare, fd, listener->fd_from);
        }
    }
}

static void spares_take(struct listener *listener)
{
    spare_take(listener, &listener->reserve);
    spare_take(listener, &listener->owner.spare);
    spare_take(listener, &listener->third);
}

void probe_listener_make_room(struct listener *listener)
{
    probe_own_socket_close(&listener->reserve);
    probe_own_socket_close(&listener->owner.spare);
    probe_own_socket_close(&listener->third);
}

static int wake_open(struct listener *listener)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0) {
        return -errno;
    }
    int error = probe_own_socket_take(&listener->wake_in, pair[0], listener->fd_from);
    if (error != 0) {
        close(pair[1]);
        return error;
    }
    return probe_own_socket_take(&listener->wake_out, pair[1], listener->fd_from);
}

int probe_listener_open(struct listener **ret_listener,
                        const struct listener_settings *settings)
{
    struct listener *listener = mmap(NULL, sizeof(*listener), PROT_READ | PROT_WRITE,
                                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (listener == MAP_FAILED) {
        return -ENOMEM;
    }
    listener->owner = (struct connection_owner){.site = settings->site,
                                                .find = settings->find,
                                                .nearest = settings->nearest,
                                                .local = settings->path != NULL};
    listener->fd_from = settings->fd_from;
    listener->work = settings->work;
    atomic_store(&listener->wake_in.fd, -1);
    atomic_store(&listener->wake_out.fd, -1);
    atomic_store(&listener->reserve.fd, -1);
    atomic_store(&listener->third.fd, -1);
    atomic_store(&listener->owner.spare.fd, -1);
    for (size_t i = 0; i < CONNECTIONS_MOST; i++) {
        atomic_store(&listener->connections[i].socket.fd, -1);
    }
    int error = settings->path != NULL
                    ? probe_doorway_open_path(&listener->door, settings->path,
                                              settings->fd_from)
                    : probe_doorway_open_port(&listener->door, settings->port,
                                              settings->ports, settings->fd_from);
    if (error == 0) {
        error = wake_open(listener);
    } else {
        atomic_store(&listener->door.socket.fd, -1);
    }
    if (error != 0) {
        probe_listener_close(listener, false);
        return error;
    }
    spares_take(listener);
    settings->site->sleep = listener_sleep;
    settings->site->owner = listener;
    *ret_listener = listener;
    return 0;
}

int probe_listener_port(const struct listener *listener)
{
    return listener->door.port;
}

void probe_listener_close(struct listener *listener, bool forked)
{
    for (size_t i = 0; i < CONNECTIONS_MOST; i++) {
        struct connection *connection = &listener->connections[i];
        if (forked) {
            /* The other process may have been in the middle of a change to the rest. */
            probe_own_socket_close(&connection->socket);
        } else if (is_used(connection)) {
            probe_connection_close(connection);
        }
    }
    probe_own_socket_close(&listener->wake_in);
    probe_own_socket_close(&listener->wake_out);
    probe_listener_make_room(listener);
    if (forked) {
        listener->door.owner = 0;
    }
    probe_doorway_close(&listener->door);
    munmap(listener, sizeof(*listener));
}

/* Ends the wait of the loop. */
static void loop_wake(struct listener *listener)
{
    int saved = errno;
    struct own_socket *wake = &listener->wake_out;
    if (!probe_own_socket_check(wake) ||
        (send(atomic_load(&wake->fd), "", 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 &&
         errno != EAGAIN)) {
        probe_doorway_knock(&listener->door);
    }
    errno = saved;
}

void probe_listener_stop(struct listener *listener)
{
    atomic_store(&listener->stopping, true);
    loop_wake(listener);
}

void probe_listener_stop_not(struct listener *listener)
{
    atomic_store(&listener->stopping, false);
}

void probe_listener_wake(struct listener *listener)
{
    atomic_store(&listener->woken, true);
    loop_wake(listener);
}

/* ---- Connections that come ---- */

/* The one that waits longest for its client. NULL if all of them are working. */
static struct connection *longest_waiting(struct listener *listener)
{
    struct connection *longest = NULL;
    for (size_t i = 0; i < CONNECTIONS_MOST; i++) {
        struct connection *connection = &listener->connections[i];
        if (is_used(connection) && connection->phase != CONNECTION_WORKS &&
            (longest == NULL || connection->since_ns < longest->since_ns)) {
            longest = connection;
        }
    }
    return longest;
}

/* A place for a new connection. If there is none, the one that waits longest for its
 * client gives way. NULL: all of them are working. */
static struct connection *place_find(struct listener *listener)
{
    for (size_t i = 0; i < CONNECTIONS_MOST; i++) {
        if (!is_used(&listener->connections[i])) {
            return &listener->connections[i];
        }
    }
    struct connection *longest = longest_waiting(listener);
    if (longest != NULL) {
        probe_connection_close(longest);
    }
    return longest;
}

/* No descriptor is left for a connection: makes one free. If there is none to give, the
 * door is left alone for a while, because poll would report it again at once. */
static void make_room(struct listener *listener, int64_t now_ns)
{
    struct connection *longest = longest_waiting(listener);
    if (atomic_load(&listener->reserve.fd) >= 0) {
        probe_own_socket_close(&listener->reserve);
    } else if (longest != NULL) {
        probe_connection_close(longest);
    } else {
        listener->door_ns = now_ns + RETRY_NS;
    }
}

/* The program has closed the door's descriptor. Opens the same one again; if that
 * fails, later. Returns 0, or -errno when it has failed too often. */
static int door_mend(struct listener *listener, int64_t now_ns)
{
    int error = probe_doorway_reopen(&listener->door, listener->fd_from);
    if (error == 0) {
        listener->retries = 0;
        listener->door_ns = 0;
        return 0;
    }
    listener->door_ns = now_ns + RETRY_NS;
    return ++listener->retries < RETRIES ? 0 : error;
}

static void door_accept(struct listener *listener, int64_t now_ns)
{
    struct connection *place = place_find(listener);
    int fd = place == NULL ? -EAGAIN : probe_doorway_accept(&listener->door);
    if (fd == -EMFILE || fd == -ENFILE) {
        make_room(listener, now_ns);
        fd = probe_doorway_accept(&listener->door);
    }
    if (fd >= 0) {
        probe_connection_open(place, fd, listener->fd_from, &listener->owner);
    } else if (fd != -EAGAIN && fd != -EWOULDBLOCK && fd != -ECONNABORTED) {
        listener->door_ns = now_ns + RETRY_NS;
    }
}

static int door_step(struct listener *listener, short events, int64_t now_ns)
{
    if (listener->door_ns != 0 && now_ns < listener->door_ns) {
        return 0;
    }
    listener->door_ns = 0;
    if (!probe_own_socket_check(&listener->door.socket)) {
        return door_mend(listener, now_ns);
    }
    if ((events & POLLIN) != 0) {
        door_accept(listener, now_ns);
    }
    return 0;
}

/* ---- The loop ---- */

/* What poll waits for. It refuses a list that is longer than RLIMIT_NOFILE, so only
 * sockets that are there are in it. */
struct poll_list {
    struct pollfd items[FIRST + CONNECTIONS_MOST];
    struct connection *connections[FIRST + CONNECTIONS_MOST]; /* of the same item */
    nfds_t count;
    int64_t due; /* when poll must return; INT64_MAX: whenever something happens */
};

static void list_connections(struct listener *listener, struct poll_list *list)
{
    for (size_t i = 0; i < CONNECTIONS_MOST; i++) {
        struct connection *connection = &listener->connections[i];
        if (!is_used(connection)) {
            continue;
        }
        int64_t due = probe_connection_due(connection);
        list->due = due < list->due ? due : list->due;
        list->connections[list->count] = connection;
        list->items[list->count++] = (struct pollfd){
            .fd = atomic_load(&connection->socket.fd),
            .events = probe_connection_events(connection),
        };
    }
}

/* Whether a connection that comes would get a place. */
static bool has_place(struct listener *listener, const struct poll_list *list)
{
    return list->count < FIRST + CONNECTIONS_MOST || longest_waiting(listener) != NULL;
}

static void list_fill(struct listener *listener, struct poll_list *list)
{
    list->count = FIRST;
    list->due = INT64_MAX;
    list_connections(listener, list);
    bool open = has_place(listener, list) && listener->door_ns == 0;
    list->items[DOOR] = (struct pollfd){
        .fd = open ? atomic_load(&listener->door.socket.fd) : -1, .events = POLLIN};
    list->items[WOKEN] =
        (struct pollfd){.fd = atomic_load(&listener->wake_in.fd), .events = POLLIN};
    if (listener->door_ns != 0 && listener->door_ns < list->due) {
        list->due = listener->door_ns;
    }
}

/* Waits until something happens, or until the time `due`. */
static void list_wait(struct poll_list *list, int64_t due)
{
    int64_t left = due - clock_now_ns();
    left = left < 0 ? 0 : left;
    struct timespec limit = {.tv_sec = left / CLOCK_NS_PER_SECOND,
                             .tv_nsec = left % CLOCK_NS_PER_SECOND};
    if (ppoll(list->items, list->count, due == INT64_MAX ? NULL : &limit, NULL) >= 0) {
        return;
    }
    /* After a signal, nothing is known. When poll cannot work at all, as with a limit
     * of a few descriptors, each socket is simply tried now and then. */
    bool interrupted = errno == EINTR;
    if (!interrupted) {
        clock_sleep_ms(POLL_FAILED_MS);
    }
    for (nfds_t i = 0; i < list->count; i++) {
        list->items[i].revents = interrupted ? 0 : list->items[i].events;
    }
}

/* Empties the pair by which the loop was woken; makes a new one if it was lost. */
static void wake_step(struct listener *listener, short events)
{
    char bytes[16];
    if (probe_own_socket_check(&listener->wake_in) &&
        probe_own_socket_check(&listener->wake_out)) {
        while (events != 0 && recv(atomic_load(&listener->wake_in.fd), bytes,
                                   sizeof(bytes), MSG_DONTWAIT) > 0) {
        }
        return;
    }
    probe_own_socket_close(&listener->wake_in);
    probe_own_socket_close(&listener->wake_out);
    wake_open(listener);
}

static void connections_step(struct listener *listener, const struct poll_list *list)
{
    for (nfds_t i = FIRST; i < list->count; i++) {
        listener->current = list->connections[i];
        probe_connection_step(listener->current, list->items[i].revents,
                              clock_now_ns());
    }
}

/* Ends the pages that sleep: none may be left when another thread takes over. */
static void cancel_pages(struct listener *listener)
{
    for (size_t i = 0; i < CONNECTIONS_MOST; i++) {
        struct connection *connection = &listener->connections[i];
        if (is_used(connection) && connection->phase == CONNECTION_WORKS) {
            connection->cancelled = true;
            listener->current = connection;
            probe_connection_step(connection, 0, clock_now_ns());
        }
    }
}

static void work(const struct listener *listener, bool begins)
{
    if (listener->work != NULL) {
        listener->work(begins);
    }
}

/* What is to be done after poll has returned. Returns 0, or -errno if the door is lost
 * for good. */
static int loop_step(struct listener *listener, const struct poll_list *list)
{
    wake_step(listener, list->items[WOKEN].revents);
    connections_step(listener, list);
    spares_take(listener); /* before a new connection takes what has become free */
    int error = door_step(listener, list->items[DOOR].revents, clock_now_ns());
    spares_take(listener);
    return error;
}

int probe_listener_run(struct listener *listener, int64_t (*tick)(int64_t now_ns))
{
    struct poll_list list;
    int64_t next = 0;
    int error = 0;
    work(listener, true);
    if (tick != NULL) {
        next = tick(clock_now_ns());
    }
    while (error == 0 && !atomic_load(&listener->stopping)) {
        list_fill(listener, &list);
        work(listener, false);
        list_wait(&list, next != 0 && next < list.due ? next : list.due);
        work(listener, true);
        bool woken = atomic_exchange(&listener->woken, false);
        if (tick != NULL && (woken || (next != 0 && clock_now_ns() >= next))) {
            next = tick(clock_now_ns());
        }
        error = loop_step(listener, &list);
    }
    cancel_pages(listener);
    wake_step(listener, POLLIN);
    atomic_store(&listener->stopping, false);
    work(listener, false);
    return error;
}

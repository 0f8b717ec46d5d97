/*
 * civetweb does not give out its sockets, so the watcher looks for the connections of a
 * port among the descriptors of the process, by their addresses. It never closes a
 * connection, which is civetweb's task. It shuts it down, and the worker that waits for
 * it goes on at once. The descriptor still belongs to that connection: only workers
 * close descriptors, between worker_close and worker_closed, and while a worker is
 * there the watcher does not look.
 */
#include "server/connections.h"

#include <arpa/inet.h>
#include <civetweb.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

#include "base/clock.h"

/* How long a client may keep its worker when others wait for one: by sending a head or
 * a body slowly, by not reading its reply, or with one request after another. A fair
 * client sends its request whole, which takes a round trip at most. */
#define FAIR_MS 100

/* How often the watcher looks while all workers of a crew are taken, and how soon it
 * looks again when a connection was just being closed. */
#define LOOK_MS 20
#define RETRY_MS 1

/* The worker that this thread is. */
static _Thread_local struct worker *self;

static bool peer_equal(struct peer a, struct peer b)
{
    return a.address == b.address && a.port == b.port;
}

/* ---- The workers ---- */

void crew_init(struct crew *crew, struct connections *connections, unsigned size)
{
    *crew = (struct crew){.connections = connections, .size = size};
    pthread_mutex_lock(&connections->lock);
    connections->crews[connections->crew_count++] = crew;
    pthread_mutex_unlock(&connections->lock);
}

void crew_set_port(struct crew *crew, int port)
{
    pthread_mutex_lock(&crew->connections->lock);
    crew->port = port;
    pthread_mutex_unlock(&crew->connections->lock);
}

static bool crew_is_full(const struct crew *crew)
{
    return crew->port != 0 && crew->busy == crew->size;
}

void worker_begin(struct crew *crew)
{
    pthread_mutex_lock(&crew->connections->lock);
    self = &crew->workers[crew->begun++];
    self->crew = crew;
    pthread_mutex_unlock(&crew->connections->lock);
}

/* Enters a phase; the lock is held. */
static void enter(enum worker_phase phase)
{
    self->phase = phase;
    self->since_ms = clock_now_ms();
}

static void enter_locked(enum worker_phase phase)
{
    pthread_mutex_lock(&self->crew->connections->lock);
    enter(phase);
    pthread_mutex_unlock(&self->crew->connections->lock);
}

void worker_open(void)
{
    struct crew *crew = self->crew;
    struct connections *connections = crew->connections;
    pthread_mutex_lock(&connections->lock);
    self->peer = (struct peer){0};
    enter(WORKER_READS);
    self->open_ms = self->since_ms;
    crew->busy++;
    if (crew_is_full(crew) && connections->resting) {
        pthread_cond_signal(&connections->wake);
    }
    pthread_mutex_unlock(&connections->lock);
}

void worker_read(const struct mg_request_info *info)
{
    pthread_mutex_lock(&self->crew->connections->lock);
    if (self->peer.port == 0 &&
        inet_pton(AF_INET, info->remote_addr, &self->peer.address) == 1) {
        self->peer.port = htons((in_port_t)info->remote_port);
    }
    enter(WORKER_READS);
    pthread_mutex_unlock(&self->crew->connections->lock);
}

void worker_work(void)
{
    enter_locked(WORKER_WORKS);
}

bool worker_write(void)
{
    struct crew *crew = self->crew;
    pthread_mutex_lock(&crew->connections->lock);
    enter(WORKER_WRITES);
    bool last = crew->waiting > 0 && self->since_ms - self->open_ms >= FAIR_MS;
    if (last) {
        crew->waiting--;
    }
    pthread_mutex_unlock(&crew->connections->lock);
    return last;
}

void worker_done(void)
{
    enter_locked(WORKER_READS);
}

void worker_close(void)
{
    pthread_mutex_lock(&self->crew->connections->lock);
    self->crew->closing++;
    pthread_mutex_unlock(&self->crew->connections->lock);
}

void worker_closed(void)
{
    pthread_mutex_lock(&self->crew->connections->lock);
    self->crew->closing--;
    self->crew->busy--;
    self->peer = (struct peer){0};
    pthread_mutex_unlock(&self->crew->connections->lock);
}

/* ---- The watcher, which holds the lock in all that follows ---- */

/* Whether a descriptor is a connection that was accepted on `port`, or the socket that
 * accepts them. The peer is zero for that socket, and when the client has gone. */
static bool read_addresses(int fd, int port, struct peer *ret_peer)
{
    struct sockaddr_in address = {0};
    socklen_t size = sizeof(address);
    if (getsockname(fd, (struct sockaddr *)&address, &size) != 0 ||
        address.sin_family != AF_INET || ntohs(address.sin_port) != port) {
        return false;
    }
    *ret_peer = (struct peer){0};
    size = sizeof(address);
    if (getpeername(fd, (struct sockaddr *)&address, &size) == 0) {
        *ret_peer = (struct peer){address.sin_addr.s_addr, address.sin_port};
    }
    return true;
}

static bool is_readable(int fd)
{
    struct pollfd entry = {.fd = fd, .events = POLLIN};
    return poll(&entry, 1, 0) > 0;
}

/* Finds out since when a client keeps the server waiting. Before its first request is
 * read, a client may have a worker, or may still be in civetweb's queue. A worker reads
 * at once what has come, so the time of such a client begins when it is first seen with
 * nothing left to read. */
static void client_inspect(struct client *client, const struct crew *crew, int64_t now)
{
    client->readable = is_readable(client->fd);
    client->phase = WORKER_READS;
    client->since_ms = now;
    for (unsigned i = 0; i < crew->begun; i++) {
        const struct worker *worker = &crew->workers[i];
        if (peer_equal(worker->peer, client->peer)) {
            client->phase = worker->phase;
            client->since_ms = worker->since_ms;
            return;
        }
    }
    for (size_t i = 0; i < crew->client_count && !client->readable; i++) {
        if (peer_equal(crew->clients[i].peer, client->peer)) {
            client->since_ms = crew->clients[i].since_ms;
        }
    }
}

/* Finds the connections of the crew's port. Returns how many of them wait for a worker,
 * all of which are taken. */
static size_t find_clients(struct crew *crew, int64_t now)
{
    struct client found[CREW_CLIENTS_MAX] = {0};
    size_t found_count = 0;
    size_t open = 0;
    struct rlimit limit;
    int end = getrlimit(RLIMIT_NOFILE, &limit) == 0 ? (int)limit.rlim_cur : 0;
    for (int fd = 0; fd < end; fd++) {
        struct client client = {.fd = fd};
        if (!read_addresses(fd, crew->port, &client.peer)) {
            continue;
        }
        open++;
        if (client.peer.port != 0 && found_count < CREW_CLIENTS_MAX) {
            client_inspect(&client, crew, now);
            found[found_count++] = client;
        }
    }
    memcpy(crew->clients, found, found_count * sizeof(found[0]));
    crew->client_count = found_count;
    size_t taken = crew->size + 1; /* and the socket that accepts */
    return open > taken ? open - taken : 0;
}

/* Whether a client keeps a worker waiting. It does not if something that it sent is not
 * read yet: its request may be whole. */
static bool is_slow(const struct client *client, int64_t now)
{
    bool waited_for = client->phase == WORKER_WRITES ||
                      (client->phase == WORKER_READS && !client->readable);
    return waited_for && now - client->since_ms >= FAIR_MS;
}

/* The client that has kept its worker waiting longest; NULL if there is none. */
static struct client *find_slowest(struct crew *crew, int64_t now)
{
    struct client *slowest = NULL;
    for (size_t i = 0; i < crew->client_count; i++) {
        struct client *client = &crew->clients[i];
        if (is_slow(client, now) &&
            (slowest == NULL || client->since_ms < slowest->since_ms)) {
            slowest = client;
        }
    }
    return slowest;
}

/* Makes a client give way. If its worker waits for a request, only the reading side is
 * shut: a request that has just come still gets its reply, and the connection ends
 * after it. */
static void client_end(struct client *client)
{
    shutdown(client->fd, client->phase == WORKER_WRITES ? SHUT_RDWR : SHUT_RD);
    client->phase = WORKER_WORKS; /* no longer slow */
}

/* Frees a worker for each connection that waits, as long as there are slow clients. For
 * the rest, worker_write ends connections. Returns after how many milliseconds to look
 * again. */
static long crew_look(struct crew *crew)
{
    if (crew->closing > 0) {
        return RETRY_MS;
    }
    int64_t now = clock_now_ms();
    for (crew->waiting = find_clients(crew, now); crew->waiting > 0; crew->waiting--) {
        struct client *slowest = find_slowest(crew, now);
        if (slowest == NULL) {
            break;
        }
        client_end(slowest);
    }
    return LOOK_MS;
}

/* Looks at every crew whose workers are all taken. Returns after how many milliseconds
 * to look again; 0 if no crew is. */
static long look(struct connections *connections)
{
    long wait_ms = 0;
    for (size_t i = 0; i < connections->crew_count; i++) {
        struct crew *crew = connections->crews[i];
        if (crew_is_full(crew)) {
            long crew_ms = crew_look(crew);
            wait_ms = wait_ms == 0 || crew_ms < wait_ms ? crew_ms : wait_ms;
        } else {
            crew->client_count = 0;
            crew->waiting = 0;
        }
    }
    return wait_ms;
}

static void wait_for(struct connections *connections, long milliseconds)
{
    struct timespec end;
    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_nsec += milliseconds * 1000000;
    if (end.tv_nsec >= 1000000000) {
        end.tv_sec++;
        end.tv_nsec -= 1000000000;
    }
    pthread_cond_timedwait(&connections->wake, &connections->lock, &end);
}

static void *watch(void *argument)
{
    struct connections *connections = argument;
    pthread_setname_np(pthread_self(), "connections");
    pthread_mutex_lock(&connections->lock);
    while (!connections->stopping) {
        long wait_ms = look(connections);
        if (wait_ms > 0) {
            wait_for(connections, wait_ms);
        } else {
            connections->resting = true;
            pthread_cond_wait(&connections->wake, &connections->lock);
            connections->resting = false;
        }
    }
    pthread_mutex_unlock(&connections->lock);
    return NULL;
}

int connections_init(struct connections *connections)
{
    *connections = (struct connections){0};
    pthread_mutex_init(&connections->lock, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&connections->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    int error = -pthread_create(&connections->watcher, NULL, watch, connections);
    if (error != 0) {
        connections_finish(connections);
    }
    return error;
}

void connections_stop(struct connections *connections)
{
    pthread_mutex_lock(&connections->lock);
    connections->stopping = true;
    pthread_cond_signal(&connections->wake);
    pthread_mutex_unlock(&connections->lock);
    pthread_join(connections->watcher, NULL);
}

void connections_finish(struct connections *connections)
{
    pthread_cond_destroy(&connections->wake);
    pthread_mutex_destroy(&connections->lock);
}

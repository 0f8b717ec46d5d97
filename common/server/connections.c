/*
 * civetweb does not give out its sockets, so the watcher finds the connections of a
 * port among the descriptors of the process, by their addresses. It never closes a
 * descriptor; it only shuts a connection down, and the worker that waits for it goes on
 * at once. Only workers close descriptors, between worker_close and worker_closed, and
 * the watcher does not look while a worker does so. So a descriptor that it finds still
 * belongs to that connection.
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

/* How long a client may keep its worker while others wait for one: with a slow head or
 * body, by not reading its reply, or with one request after another. A normal client
 * sends its whole request at once, which takes at most a round trip. */
#define FAIR_MS 100

/* How often the watcher looks while all workers of a port are busy, and how soon it
 * looks again if a worker was just closing a connection. */
#define LOOK_MS 20
#define RETRY_MS 1

/* The worker of this thread; NULL in other threads. */
static _Thread_local struct worker *self;

static bool peer_equal(struct peer a, struct peer b)
{
    return a.address == b.address && a.port == b.port;
}

/* ---- The workers ---- */

void worker_pool_init(struct worker_pool *pool, struct connections *connections,
                      unsigned size)
{
    *pool = (struct worker_pool){.connections = connections, .size = size};
    pthread_mutex_lock(&connections->lock);
    connections->pools[connections->pool_count++] = pool;
    pthread_mutex_unlock(&connections->lock);
}

void worker_pool_set_port(struct worker_pool *pool, int port)
{
    pthread_mutex_lock(&pool->connections->lock);
    pool->port = port;
    pthread_mutex_unlock(&pool->connections->lock);
}

static bool worker_pool_is_full(const struct worker_pool *pool)
{
    return pool->port != 0 && pool->busy == pool->size;
}

void worker_begin(struct worker_pool *pool)
{
    pthread_mutex_lock(&pool->connections->lock);
    self = &pool->workers[pool->begun++];
    self->pool = pool;
    pthread_mutex_unlock(&pool->connections->lock);
}

/* Enters a phase; the lock is held. */
static void enter(enum worker_phase phase)
{
    self->phase = phase;
    self->since_ms = clock_now_ms();
}

static void enter_locked(enum worker_phase phase)
{
    pthread_mutex_lock(&self->pool->connections->lock);
    enter(phase);
    pthread_mutex_unlock(&self->pool->connections->lock);
}

void worker_open(void)
{
    struct worker_pool *pool = self->pool;
    struct connections *connections = pool->connections;
    pthread_mutex_lock(&connections->lock);
    self->peer = (struct peer){0};
    enter(WORKER_READS);
    self->open_ms = self->since_ms;
    pool->busy++;
    if (worker_pool_is_full(pool) && connections->resting) {
        pthread_cond_signal(&connections->wake);
    }
    pthread_mutex_unlock(&connections->lock);
}

void worker_read(const struct mg_request_info *info)
{
    pthread_mutex_lock(&self->pool->connections->lock);
    if (self->peer.port == 0 &&
        inet_pton(AF_INET, info->remote_addr, &self->peer.address) == 1) {
        self->peer.port = htons((in_port_t)info->remote_port);
    }
    enter(WORKER_READS);
    pthread_mutex_unlock(&self->pool->connections->lock);
}

void worker_work(void)
{
    enter_locked(WORKER_WORKS);
}

bool worker_write(void)
{
    struct worker_pool *pool = self->pool;
    pthread_mutex_lock(&pool->connections->lock);
    enter(WORKER_WRITES);
    bool last = pool->waiting > 0 && self->since_ms - self->open_ms >= FAIR_MS;
    if (last) {
        pool->waiting--;
    }
    pthread_mutex_unlock(&pool->connections->lock);
    return last;
}

void worker_done(void)
{
    enter_locked(WORKER_READS);
}

void worker_close(void)
{
    pthread_mutex_lock(&self->pool->connections->lock);
    self->pool->closing++;
    pthread_mutex_unlock(&self->pool->connections->lock);
}

void worker_closed(void)
{
    pthread_mutex_lock(&self->pool->connections->lock);
    self->pool->closing--;
    self->pool->busy--;
    self->peer = (struct peer){0};
    pthread_mutex_unlock(&self->pool->connections->lock);
}

/* ---- The watcher: all functions below are called with the lock held ---- */

/* Whether a descriptor is a connection that was accepted on `port`, or the socket that
 * accepts them. The peer is zero for the accepting socket, and for a client that has
 * gone. */
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

/* Finds out since when a client keeps the server waiting. Before its first request, it
 * is not known whether a client has a worker or is still in civetweb's queue. A worker
 * reads received bytes at once. So the time of such a client begins when the watcher
 * first sees it with no bytes left to read. */
static void client_inspect(struct client *client, const struct worker_pool *pool,
                           int64_t now)
{
    client->readable = is_readable(client->fd);
    client->phase = WORKER_READS;
    client->since_ms = now;
    for (unsigned i = 0; i < pool->begun; i++) {
        const struct worker *worker = &pool->workers[i];
        if (peer_equal(worker->peer, client->peer)) {
            client->phase = worker->phase;
            client->since_ms = worker->since_ms;
            return;
        }
    }
    for (size_t i = 0; i < pool->client_count && !client->readable; i++) {
        if (peer_equal(pool->clients[i].peer, client->peer)) {
            client->since_ms = pool->clients[i].since_ms;
        }
    }
}

/* Finds the connections of the pool's port. All its workers are busy; returns how many
 * connections wait for one. */
static size_t find_clients(struct worker_pool *pool, int64_t now)
{
    struct client found[POOL_CLIENTS_MAX] = {0};
    size_t found_count = 0;
    size_t open = 0;
    struct rlimit limit;
    int end = getrlimit(RLIMIT_NOFILE, &limit) == 0 ? (int)limit.rlim_cur : 0;
    for (int fd = 0; fd < end; fd++) {
        struct client client = {.fd = fd};
        if (!read_addresses(fd, pool->port, &client.peer)) {
            continue;
        }
        open++;
        if (client.peer.port != 0 && found_count < POOL_CLIENTS_MAX) {
            client_inspect(&client, pool, now);
            found[found_count++] = client;
        }
    }
    memcpy(pool->clients, found, found_count * sizeof(found[0]));
    pool->client_count = found_count;
    size_t taken = pool->size + 1; /* plus the accepting socket */
    return open > taken ? open - taken : 0;
}

/* Whether a client keeps a worker waiting. It does not if it has sent bytes that are
 * not read yet: its request may be complete. */
static bool is_slow(const struct client *client, int64_t now)
{
    bool waited_for = client->phase == WORKER_WRITES ||
                      (client->phase == WORKER_READS && !client->readable);
    return waited_for && now - client->since_ms >= FAIR_MS;
}

/* The client that has kept its worker waiting longest; NULL if there is none. */
static struct client *find_slowest(struct worker_pool *pool, int64_t now)
{
    struct client *slowest = NULL;
    for (size_t i = 0; i < pool->client_count; i++) {
        struct client *client = &pool->clients[i];
        if (is_slow(client, now) &&
            (slowest == NULL || client->since_ms < slowest->since_ms)) {
            slowest = client;
        }
    }
    return slowest;
}

/* Ends a client's connection. If its worker waits for a request, only the reading side
 * is shut down: a request that has just arrived still gets its reply, and the
 * connection ends after it. */
static void client_end(struct client *client)
{
    shutdown(client->fd, client->phase == WORKER_WRITES ? SHUT_RDWR : SHUT_RD);
    client->phase = WORKER_WORKS; /* no longer slow */
}

/* Frees a worker for each waiting connection, as long as there are slow clients. If
 * there are not enough, worker_write ends connections after their next reply. Returns
 * after how many milliseconds to look again. */
static long worker_pool_look(struct worker_pool *pool)
{
    if (pool->closing > 0) {
        return RETRY_MS;
    }
    int64_t now = clock_now_ms();
    for (pool->waiting = find_clients(pool, now); pool->waiting > 0; pool->waiting--) {
        struct client *slowest = find_slowest(pool, now);
        if (slowest == NULL) {
            break;
        }
        client_end(slowest);
    }
    return LOOK_MS;
}

/* Looks at every pool whose workers are all busy. Returns after how many milliseconds
 * to look again; 0 if no pool is busy. */
static long look(struct connections *connections)
{
    long wait_ms = 0;
    for (size_t i = 0; i < connections->pool_count; i++) {
        struct worker_pool *pool = connections->pools[i];
        if (worker_pool_is_full(pool)) {
            long pool_ms = worker_pool_look(pool);
            wait_ms = wait_ms == 0 || pool_ms < wait_ms ? pool_ms : wait_ms;
        } else {
            pool->client_count = 0;
            pool->waiting = 0;
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

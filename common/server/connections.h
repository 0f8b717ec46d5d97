/*
 * The workers of both ports, and a thread (the watcher) that watches their connections.
 *
 * A worker serves one connection at a time. So a client that is silent, sends a byte
 * now and then, or never reads its reply keeps a worker that others wait for. While all
 * workers of a port are busy and another connection waits, the watcher ends the
 * connection that has kept its worker waiting longest. A connection that is never slow,
 * but always sends another request, ends after a reply.
 */
#ifndef LAB_SERVER_CONNECTIONS_H
#define LAB_SERVER_CONNECTIONS_H

#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mg_request_info;

#define POOL_WORKERS_MAX 32

/* More than the connections that a port can have at a time: its workers, civetweb's
 * queue of 20, and one that waits to enter the queue. */
#define POOL_CLIENTS_MAX 64

/* The client's end of a connection. Port 0: not known. */
struct peer {
    in_addr_t address;
    in_port_t port;
};

/* What a worker does while it has a connection. */
enum worker_phase {
    WORKER_READS,  /* waits for a request, or for the rest of one */
    WORKER_WORKS,  /* runs a handler, and does not wait for the client */
    WORKER_WRITES, /* sends the reply */
};

struct worker {
    struct worker_pool *pool;
    enum worker_phase phase;
    struct peer peer; /* known from the connection's first request on */
    int64_t since_ms; /* when the phase began */
    int64_t open_ms;  /* when the worker took the connection */
};

/* A connection as the watcher finds it among the descriptors of the process. */
struct client {
    int fd;
    struct peer peer;
    enum worker_phase phase;
    bool readable;    /* bytes, or the connection's end, can be read */
    int64_t since_ms; /* since when it keeps the server waiting */
};

/* The workers of one port. */
struct worker_pool {
    struct connections *connections;
    int port; /* 0 while it is not known */
    unsigned size;
    unsigned begun;   /* workers whose thread has started */
    unsigned busy;    /* workers that have a connection */
    unsigned closing; /* of these, workers that are just closing theirs */
    size_t waiting;   /* connections that waited for a worker when the watcher last
                         looked */
    struct worker workers[POOL_WORKERS_MAX];
    struct client clients[POOL_CLIENTS_MAX]; /* as the watcher last saw them */
    size_t client_count;
};

struct connections {
    pthread_mutex_t lock; /* protects everything below, and the pools */
    pthread_cond_t wake;  /* wakes the watcher */
    pthread_t watcher;
    bool resting; /* the watcher waits until all workers of a pool are busy */
    bool stopping;
    struct worker_pool *pools[2];
    size_t pool_count;
};

/* Starts the watcher. Returns 0 or -errno; call connections_finish only after 0. */
int connections_init(struct connections *connections);

/* Ends and joins the watcher. Call it before a port is closed: a descriptor that the
 * watcher has found must not be closed while it uses it. */
void connections_stop(struct connections *connections);

/* Call it when the watcher and all workers have ended. */
void connections_finish(struct connections *connections);

/* Sets up a pool of `size` workers, at most POOL_WORKERS_MAX, none of which has
 * started. It must outlive the watcher. */
void worker_pool_init(struct worker_pool *pool, struct connections *connections,
                      unsigned size);

/* Sets the port of the pool. From then on it is watched. */
void worker_pool_set_port(struct worker_pool *pool, int port);

/* A worker's own thread calls these, in this order. worker_begin: the thread has
 * started. worker_open: it has a connection. For each request: worker_read (the head
 * has arrived), worker_work (the request is complete, a handler runs), worker_write
 * (the reply begins), worker_done. worker_close and worker_closed: before and after the
 * descriptor is closed.
 *
 * worker_write returns whether this reply must be the connection's last, because other
 * connections wait. */
void worker_begin(struct worker_pool *pool);
void worker_open(void);
void worker_read(const struct mg_request_info *info);
void worker_work(void);
bool worker_write(void);
void worker_done(void);
void worker_close(void);
void worker_closed(void);

#endif

/*
 * The workers of both ports, and a thread that watches their connections. A worker
 * serves one connection at a time, so a client that is silent, sends a byte now and
 * then, or never reads its reply holds a worker that others wait for. While all workers
 * of a port are taken and another connection waits, the client that has kept its worker
 * waiting longest must give way. A connection that is never slow, but always has
 * another request, ends after a reply.
 */
#ifndef LAB_SERVER_CONNECTIONS_H
#define LAB_SERVER_CONNECTIONS_H

#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mg_request_info;

#define CREW_WORKERS_MAX 32

/* More than can be open on a port at a time: its workers, civetweb's queue of 20, and
 * the one that waits for a place in it. */
#define CREW_CLIENTS_MAX 64

/* The other end of a connection. Port 0: not known. */
struct peer {
    in_addr_t address;
    in_port_t port;
};

/* What a worker with a connection does. */
enum worker_phase {
    WORKER_READS,  /* it waits for a request, or for the rest of one */
    WORKER_WORKS,  /* it runs a handler, and waits for no client */
    WORKER_WRITES, /* it sends the reply */
};

struct worker {
    struct crew *crew;
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
    bool readable;    /* something of it, or its end, is there to be read */
    int64_t since_ms; /* since when it keeps the server waiting */
};

/* The workers of one port. */
struct crew {
    struct connections *connections;
    int port; /* 0 while it is not known */
    unsigned size;
    unsigned begun;   /* workers whose thread has begun */
    unsigned busy;    /* workers that have a connection */
    unsigned closing; /* of these, the ones that are just closing it */
    size_t waiting;   /* connections that still wait for a worker, at the last look */
    struct worker workers[CREW_WORKERS_MAX];
    struct client clients[CREW_CLIENTS_MAX]; /* as the watcher saw them last */
    size_t client_count;
};

struct connections {
    pthread_mutex_t lock; /* of all below, and of all in the crews */
    pthread_cond_t wake;  /* of the watcher */
    pthread_t watcher;
    bool resting; /* the watcher waits until all workers of a crew are taken */
    bool stopping;
    struct crew *crews[2];
    size_t crew_count;
};

/* Starts the watcher. Returns 0 or -errno; connections_finish is called only after 0.
 */
int connections_init(struct connections *connections);

/* Ends and joins the watcher. To be called before a port is closed: a descriptor that
 * the watcher has found must not be closed behind its back. */
void connections_stop(struct connections *connections);

/* To be called when the watcher and all workers have ended. */
void connections_finish(struct connections *connections);

/* Makes a crew of `size` workers, none of which has begun. It must outlive the
 * watcher. */
void crew_init(struct crew *crew, struct connections *connections, unsigned size);

/* Tells the port of the crew. From then on it is watched. */
void crew_set_port(struct crew *crew, int port);

/* What a worker's own thread reports, in this order. worker_begin: the thread has
 * begun. For each connection, worker_open; for each request on it, worker_read (its
 * head has come), worker_work (it is complete, and a handler runs), worker_write (the
 * reply begins) and worker_done; then worker_close and worker_closed, just before and
 * after its descriptor is closed. worker_write returns whether this reply must be the
 * connection's last, because others wait for the worker. */
void worker_begin(struct crew *crew);
void worker_open(void);
void worker_read(const struct mg_request_info *info);
void worker_work(void);
bool worker_write(void);
void worker_done(void);
void worker_close(void);
void worker_closed(void);

#endif

/*
 * A shop keeps its orders in an SQLite database. Every request opens the database,
 * gives the connection memory to work in, looks one order up and reports its total.
 */
#include <errno.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scenario.h"

#define PATH_BYTES 4096
#define SLOT_BYTES 1200 /* in the connection's memory: SQLite's default */
#define BUSY_MS 1000
#define ORDERS 4

/* Small pages, because a request reads a few rows of a small table. */
#define ORDERS_SQL                                                                     \
    "PRAGMA page_size = 512;"                                                          \
    "BEGIN IMMEDIATE;"                                                                 \
    "CREATE TABLE IF NOT EXISTS items"                                                 \
    " (id INTEGER PRIMARY KEY, order_number INTEGER, price INTEGER);"                  \
    "INSERT OR REPLACE INTO items VALUES"                                              \
    " (1, 1, 250), (2, 1, 1999), (3, 2, 4200), (4, 2, 775),"                           \
    " (5, 3, 120), (6, 3, 3100), (7, 4, 640), (8, 4, 90);"                             \
    "COMMIT;"
#define ORDER_SQL "SELECT count(*), sum(price) FROM items WHERE order_number = ?1"

struct order {
    int items;
    long total;
};

/* How many connections are open now. */
static atomic_size_t orders_open;

/* The database is made by the first request that needs it. */
static bool orders_made;
static pthread_mutex_t orders_lock = PTHREAD_MUTEX_INITIALIZER;

/* Converts an SQLite result code to 0 or -errno. */
static int orders_error(int status)
{
    switch (status) {
    case SQLITE_OK:
    case SQLITE_ROW:
        return 0;
    case SQLITE_NOMEM:
        return -ENOMEM;
    case SQLITE_BUSY:
        return -EBUSY;
    default:
        return -EIO;
    }
}

/* Creates the database if there is none yet. Other requests wait meanwhile. */
static int orders_prepare(const char *path)
{
    int status = SQLITE_OK;
    pthread_mutex_lock(&orders_lock);
    if (!orders_made) {
        /* A connection that reads a few rows needs no page cache allocated in advance.
         */
        sqlite3_config(SQLITE_CONFIG_PAGECACHE, NULL, 0, 0);
        sqlite3 *database = NULL;
        int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
        status = sqlite3_open_v2(path, &database, flags, NULL);
        if (status == SQLITE_OK) {
            status = sqlite3_exec(database, ORDERS_SQL, NULL, NULL, NULL);
        }
        sqlite3_close(database);
        orders_made = status == SQLITE_OK;
    }
    pthread_mutex_unlock(&orders_lock);
    return orders_error(status);
}

/* Looks up an order over a connection that uses `bytes` bytes of memory. Returns 0 or
 * -errno. */
static int order_look_up(const char *path, int number, size_t bytes,
                         struct order *ret_order)
{
    sqlite3 *database = NULL;
    sqlite3_stmt *statement = NULL;
    void *memory = malloc(bytes);
    if (memory == NULL) {
        return -ENOMEM;
    }
    memset(memory, 0, bytes);
    atomic_fetch_add(&orders_open, 1);

    /* One thread uses the connection, so SQLite need not lock it. */
    int flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX;
    int status = sqlite3_open_v2(path, &database, flags, NULL);
    if (status == SQLITE_OK) {
        sqlite3_busy_timeout(database, BUSY_MS);
        status = sqlite3_db_config(database, SQLITE_DBCONFIG_LOOKASIDE, memory,
                                   SLOT_BYTES, (int)(bytes / SLOT_BYTES));
    }
    if (status == SQLITE_OK) {
        status = sqlite3_prepare_v2(database, ORDER_SQL, -1, &statement, NULL);
    }
    if (status == SQLITE_OK) {
        sqlite3_bind_int(statement, 1, number);
        status = sqlite3_step(statement);
    }
    if (status == SQLITE_ROW) {
        ret_order->items = sqlite3_column_int(statement, 0);
        ret_order->total = (long)sqlite3_column_int64(statement, 1);
        /* LEAK: on success, this return skips the finalize and the close below. */
        return 0;
    }
    sqlite3_finalize(statement);
    sqlite3_close(database);
    free(memory);
    atomic_fetch_sub(&orders_open, 1);
    return orders_error(status);
}

static int order_tell(const struct scenario_request *request,
                      struct scenario_answer *answer)
{
    char path[PATH_BYTES];
    int length = snprintf(path, sizeof(path), "%s/orders.db", request->directory);
    if (length < 0 || (size_t)length >= sizeof(path)) {
        return -ENAMETOOLONG;
    }
    int error = orders_prepare(path);
    if (error != 0) {
        return error;
    }
    uint32_t client = scenario_digest(request->id, strlen(request->id));
    int number = (int)(client % ORDERS) + 1;
    struct order order;
    error = order_look_up(path, number, request->bytes, &order);
    if (error == 0) {
        scenario_answer_set(answer, "client %08x: %d items, %ld, %zu bytes", client,
                            order.items, order.total, request->bytes);
    }
    return error;
}

static size_t orders_count(void)
{
    return atomic_load(&orders_open);
}

const struct scenario database_statement_scenario = {
    .name = "database-statement",
    .family = "unclosed-bodies",
    .title = "A statement and its connection are never closed",
    .kind = SCENARIO_PERMANENT,
    .story = "A shop opens its SQLite database for every request and looks one order "
             "up.",
    .symptom =
        "Every request leaves a descriptor and a connection's memory behind. The "
        "open statement also holds a read lock, so writers find the database "
        "locked.",
    .cause = "The return on success skips sqlite3_finalize, sqlite3_close and free. "
             "Only a look-up that fails cleans up.",
    .fix = "On success, continue to the same finalize, close and free as on every "
           "other path.",
    .find_it = "ls -l /proc/PID/fd shows orders.db again and again, /status counts "
               "descriptors, and in two heap profiles order_look_up owns what grew. "
               "Under it is a little that SQLite allocated.",
    .bytes_default = 256 * 1024,
    .bytes_min = 256 * 1024,
    .bytes_max = 256 * 1024 * 1024,
    .bytes_meaning = "the memory that a connection works in",
    .leaves = {.blocks = 1, .library_bytes = 32 * 1024, .fds = 1},
    .suspect = "order_look_up",
    .run = order_tell,
    .held = orders_count,
};

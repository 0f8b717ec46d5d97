/*
 * A small server with gperftools, to test the judge with. /heap and /descriptor leak in
 * one call of twenty, /cache fills, /clean leaves nothing. It allocates through a
 * wrapper. It prints its URL, and serves one connection after the other.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <gperftools/heap-profiler.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LEAK_BYTES (64 * 1024)
#define ENTRY_BYTES (16 * 1024)
#define CACHE_ENTRIES 16
#define LEAK_EVERY 20

static unsigned calls;
static void *kept; /* the last session; each one holds the one before it */
static void *cache[CACHE_ENTRIES];

static void *xmalloc(size_t bytes)
{
    void *memory = malloc(bytes);
    if (memory == NULL) {
        abort();
    }
    return memset(memory, 1, bytes);
}

static void session_open(void)
{
    void **session = xmalloc(LEAK_BYTES);
    *session = kept;
    kept = session;
}

static void entry_load(unsigned number)
{
    cache[number] = xmalloc(ENTRY_BYTES);
}

/* Does the work of a path; false if there is no such path. */
static int path_serve(const char *path)
{
    calls++;
    if (strcmp(path, "/heap") == 0) {
        if (calls % LEAK_EVERY == 0) {
            session_open();
        }
    } else if (strcmp(path, "/descriptor") == 0) {
        if (calls % LEAK_EVERY == 0 && open("/dev/null", O_RDONLY) < 0) {
            abort();
        }
    } else if (strcmp(path, "/cache") == 0) {
        /* Three calls in five find their entry, as soon as it is there. */
        unsigned number = calls * 7 % CACHE_ENTRIES;
        if (calls % 5 > 2 && cache[number] == NULL) {
            entry_load(number);
        }
    } else if (strcmp(path, "/clean") == 0) {
        free(xmalloc(LEAK_BYTES));
    } else {
        return 0;
    }
    return 1;
}

static void reply_send(FILE *stream, int status, const char *body)
{
    fprintf(stream, "HTTP/1.1 %d -\r\nContent-Length: %zu\r\n\r\n%s", status,
            strlen(body), body);
    fflush(stream);
}

/* Serves the requests of a connection until it is closed. */
static void connection_serve(FILE *in, FILE *out)
{
    char line[2048];
    char path[256] = "";
    while (fgets(line, sizeof(line), in) != NULL) {
        if (path[0] == '\0') {
            if (sscanf(line, "%*s %255[^ ?]", path) != 1) {
                return;
            }
        } else if (strcmp(line, "\r\n") == 0 && strcmp(path, "/pprof/heap") == 0) {
            char *profile = GetHeapProfile();
            reply_send(out, profile == NULL ? 500 : 200,
                       profile == NULL ? "" : profile);
            free(profile);
            path[0] = '\0';
        } else if (strcmp(line, "\r\n") == 0) {
            int known = path_serve(path);
            reply_send(out, known ? 200 : 404, known ? "done" : "no");
            path[0] = '\0';
        }
    }
}

int main(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(listener, (struct sockaddr *)&address, length) < 0 ||
        listen(listener, 16) < 0 ||
        getsockname(listener, (struct sockaddr *)&address, &length) < 0) {
        perror("slowserver");
        return 1;
    }
    HeapProfilerStart("slowserver");
    printf("http://127.0.0.1:%d\n", ntohs(address.sin_port));
    fflush(stdout);
    for (;;) {
        int connection = accept(listener, NULL, NULL);
        FILE *in = connection < 0 ? NULL : fdopen(connection, "r");
        FILE *out = in == NULL ? NULL : fdopen(dup(connection), "w");
        if (out == NULL) {
            return 1;
        }
        connection_serve(in, out);
        fclose(in);
        fclose(out);
    }
}

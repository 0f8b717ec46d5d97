/*
 * A shop with a bug, for take-it-home.md: answers /buy and /look on 127.0.0.1.
 * usage: shop --port N
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct visitor {
    char request[4096];
    int bought;
};

static struct visitor *visitor_read(int connection)
{
    struct visitor *visitor = malloc(sizeof(*visitor));
    if (visitor == NULL) {
        return NULL;
    }
    ssize_t length = read(connection, visitor->request, sizeof(visitor->request) - 1);
    visitor->request[length > 0 ? length : 0] = '\0';
    visitor->bought = strncmp(visitor->request, "GET /buy", 8) == 0;
    return visitor;
}

static void serve(int connection)
{
    static const char thanks[] = "HTTP/1.0 200 OK\r\n\r\nthank you\n";
    static const char bye[] = "HTTP/1.0 200 OK\r\n\r\ngood bye\n";
    struct visitor *visitor = visitor_read(connection);
    if (visitor == NULL) {
        return;
    }
    if (!visitor->bought) {
        (void)!write(connection, bye, sizeof(bye) - 1);
        return;
    }
    (void)!write(connection, thanks, sizeof(thanks) - 1);
    free(visitor);
}

int main(int count, char **arguments)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    address.sin_port = htons((unsigned short)atoi(arguments[count - 1]));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    if (bind(listener, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(listener, 100) != 0) {
        perror("shop");
        return 1;
    }
    for (;;) {
        int connection = accept(listener, NULL, NULL);
        serve(connection);
        close(connection);
    }
}

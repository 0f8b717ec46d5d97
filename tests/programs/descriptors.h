/*
 * The ways to open a descriptor that descriptors.c has, each a function of its own:
 * macros that define it, and put it into the list of all.
 */
#ifndef TESTS_PROGRAMS_DESCRIPTORS_H
#define TESTS_PROGRAMS_DESCRIPTORS_H

#include <dirent.h>
#include <mqueue.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

/* A stream or directory that a function has opened; it is closed as such. */
struct handle {
    FILE *stream;
    int (*close_stream)(FILE *stream);
    DIR *directory;
    mqd_t queue; /* 0: none */
};

struct way {
    const char *name; /* of the function */
    const char *kind; /* of what it opens, as the profile names it */
    int (*open)(int fds[2], struct handle *handle); /* returns how many; -1 */
    int fds[2];
    int count;
    struct handle handle;
};

/* The begin and the end of the list; the linker defines them. It is a section, so its
 * entries are as far apart as their size. */
extern struct way ways[] __asm__("__start_ways");
extern struct way ways_end[] __asm__("__stop_ways");

/* The head of the function `way_NAME`, whose body follows. */
#define WAY(way_name, way_kind)                                                        \
    static int way_##way_name(int fds[2], struct handle *handle);                      \
    static struct way entry_##way_name                                                 \
        __attribute__((section("ways"), aligned(8), used)) = {                         \
            .name = "way_" #way_name, .kind = (way_kind), .open = way_##way_name};     \
    __attribute__((noinline)) static int way_##way_name(int fds[2],                    \
                                                        struct handle *handle)

/* One that opens one by this expression. */
#define ONE(name, kind, expression)                                                    \
    WAY(name, kind)                                                                    \
    {                                                                                  \
        (void)handle;                                                                  \
        fds[0] = (int)(expression);                                                    \
        return fds[0] < 0 ? -1 : 1;                                                    \
    }

/* One that opens two. */
#define TWO(name, kind, expression)                                                    \
    WAY(name, kind)                                                                    \
    {                                                                                  \
        (void)handle;                                                                  \
        return (expression) < 0 ? -1 : 2;                                              \
    }

/* One that opens a stream. */
#define STREAM(name, kind, closer, expression)                                         \
    WAY(name, kind)                                                                    \
    {                                                                                  \
        handle->stream = (expression);                                                 \
        handle->close_stream = (closer);                                               \
        fds[0] = handle->stream == NULL ? -1 : fileno(handle->stream);                 \
        return fds[0] < 0 ? -1 : 1;                                                    \
    }

/* Sends two descriptors through a pair of sockets, ready to be received. */
struct message {
    int pair[2];
    char byte;
    struct iovec part;
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(2 * sizeof(int))];
    } control;
    struct mmsghdr header;
};

static inline void message_send(struct message *message)
{
    int sent[2] = {STDIN_FILENO, STDIN_FILENO};
    struct msghdr *header = &message->header.msg_hdr;
    *message = (struct message){.byte = 'x'};
    message->part = (struct iovec){&message->byte, 1};
    *header = (struct msghdr){.msg_iov = &message->part,
                              .msg_iovlen = 1,
                              .msg_control = &message->control,
                              .msg_controllen = sizeof(message->control)};
    struct cmsghdr *head = CMSG_FIRSTHDR(header);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof(sent));
    memcpy(CMSG_DATA(head), sent, sizeof(sent));
    if (socketpair(AF_UNIX, SOCK_DGRAM, 0, message->pair) != 0 ||
        sendmsg(message->pair[0], header, 0) != 1) {
        perror("sendmsg");
        exit(1);
    }
    memset(&message->control, 0, sizeof(message->control));
}

static inline int message_read(struct message *message, int fds[2], long got)
{
    const struct cmsghdr *head = CMSG_FIRSTHDR(&message->header.msg_hdr);
    close(message->pair[0]);
    close(message->pair[1]);
    if (got != 1 || head == NULL) {
        return -1;
    }
    memcpy(fds, CMSG_DATA(head), 2 * sizeof(int));
    return 2;
}

/* One that receives two. */
#define RECEIVED(name, kind, expression)                                               \
    WAY(name, kind)                                                                    \
    {                                                                                  \
        struct message message;                                                        \
        (void)handle;                                                                  \
        message_send(&message);                                                        \
        long got = (expression);                                                       \
        return message_read(&message, fds, got);                                       \
    }

#endif

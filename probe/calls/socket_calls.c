/*
 * Functions that make sockets. Those that wait for one (accept) are in waited_list.h.
 */
#include <sys/socket.h>

#include "probe/calls/opens.h"

OPENS(FD_SOCKET, socket, (int family, int type, int protocol), (family, type, protocol))
OPENS_PAIR(FD_SOCKET, socketpair, (int family, int type, int protocol, int pair[2]),
           (family, type, protocol, pair))

/*
 * The start of the hint in a guard rail's error, where a restart of the server helps.
 */
#ifndef LAB_SERVER_HINTS_H
#define LAB_SERVER_HINTS_H

#define HINT_RESTART "what leaked stays: restart the server"
#define HINT_RESTART_OR_RAISE(option) HINT_RESTART ", or start it with a larger " option

#endif

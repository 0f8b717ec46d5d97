/*
 * Which server this is. leaky/variant.c and fixed/variant.c define it; ./learn.sh
 * writes others for its exercises.
 */
#ifndef LAB_VARIANT_H
#define LAB_VARIANT_H

#include <stdbool.h>

struct variant {
    const char *name; /* "leaky" or "fixed"; an exercise: "mine" or "mystery" */
    int port;         /* defaults of --port and --debug-port */
    int debug_port;
    int peer_port; /* of the lab's other server, if both run on their defaults; 0: none
                    */
    bool is_exercise; /* replies do not say what a call leaves behind */
};

extern const struct variant variant;

#endif

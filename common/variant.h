/*
 * Which of the two servers this is. leaky/variant.c and fixed/variant.c define it.
 */
#ifndef LAB_VARIANT_H
#define LAB_VARIANT_H

struct variant {
    const char *name; /* "leaky" or "fixed" */
    int port;         /* defaults of --port and --debug-port */
    int debug_port;
};

extern const struct variant variant;

#endif

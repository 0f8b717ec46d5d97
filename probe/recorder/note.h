/*
 * What the recorder notes of a block that is in use.
 */
#ifndef PROBE_RECORDER_NOTE_H
#define PROBE_RECORDER_NOTE_H

#include <stddef.h>
#include <stdint.h>

struct recorder_note {
    size_t bytes;
    uint32_t stack; /* 0: nothing is noted */
};

#endif

/*
 * Frames as text, for the profiles that a person reads.
 */
#ifndef PROBE_SYMBOLS_FRAME_TEXT_H
#define PROBE_SYMBOLS_FRAME_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

/* Appends "#\t0x<shown>\t<function>+0x<offset>\t<file>:<line>\n". `inside` is an
 * address inside the instruction, and is looked up; `shown` is the address in the
 * profile's stack line. */
void probe_frame_comment(struct buffer *text, uintptr_t shown, uintptr_t inside);

/* Appends " 0x<shown>" for each frame: the end of a stack's line. */
void probe_frame_addresses(struct buffer *text, const uintptr_t *frames, size_t depth);

/* Appends "<function>\n\t<file>:<line> +0x<offset>\n", as Go prints the frame of a
 * goroutine. */
void probe_frame_block(struct buffer *text, uintptr_t inside);

#endif

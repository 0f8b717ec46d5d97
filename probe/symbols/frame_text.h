/*
 * How the readable profiles name a frame.
 */
#ifndef PROBE_SYMBOLS_FRAME_TEXT_H
#define PROBE_SYMBOLS_FRAME_TEXT_H

#include <stdint.h>

#include "base/buffer.h"

/* Appends "#\t0x<shown>\t<function>+0x<offset>\t<file>:<line>\n". `inside` is looked
 * up: an address inside the instruction; `shown` is what the profile's stack line says.
 */
void probe_frame_comment(struct buffer *text, uintptr_t shown, uintptr_t inside);

/* Appends "<function>\n\t<file>:<line> +0x<offset>\n", as Go prints a goroutine's. */
void probe_frame_block(struct buffer *text, uintptr_t inside);

#endif

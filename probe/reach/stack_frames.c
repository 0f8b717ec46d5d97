#include "probe/reach/stack_frames.h"

#include "probe/threads/stack_walk.h"

/* rbx, rbp and r12 to r15 by the numbers of the x86-64 ABI, figure 3.36. */
static const int kept_registers[STACK_KEPT_REGISTERS] = {3, 6, 12, 13, 14, 15};

struct walk {
    struct stack_frames *frames;
    bool inside; /* behind the signal handler's own frames */
};

/* What the unwinder calls the frame address while it is at a frame is the stack pointer
 * there: that frame's part of the stack begins at it. */
static _Unwind_Reason_Code frame_note(struct _Unwind_Context *context, void *argument)
{
    struct walk *walk = argument;
    struct stack_frames *frames = walk->frames;
    int interrupted = 0;
    uintptr_t code = _Unwind_GetIPInfo(context, &interrupted);
    walk->inside |= interrupted != 0;
    if (!walk->inside || code == 0) {
        return _URC_NO_REASON;
    }
    if (frames->count == STACK_FRAMES_MAX) {
        return _URC_END_OF_STACK;
    }
    struct stack_frame *frame = &frames->data[frames->count];
    frame->code = interrupted ? code : code - 1;
    frame->begin = _Unwind_GetCFA(context);
    for (size_t i = 0; i < STACK_KEPT_REGISTERS; i++) {
        frame->kept[i] = _Unwind_GetGR(context, kept_registers[i]);
    }
    frames->count++;
    return _URC_NO_REASON;
}

void probe_stack_frames_begin(struct stack_frames *frames,
                              const struct parked_thread *thread,
                              const struct process_parts *parts)
{
    frames->count = 0;
    frames->begin = thread->sp;
    frames->parts = parts;
}

void probe_stack_frames_walk(struct stack_frames *frames,
                             const struct parked_thread *thread)
{
    struct walk walk = {frames, false};
    if (!thread->shown) {
        return;
    }
    probe_stack_walk(&thread->registers, frame_note, &walk);
    if (thread->leaf != 0 && frames->count > 0) {
        frames->data[0].code = thread->leaf;
    }
}

static bool is_lower(const struct stack_frames *frames, size_t frame)
{
    return probe_process_parts_is_lower(frames->parts, frames->data[frame].code);
}

/* The function of this frame, or of the first caller that is not the C library's: what
 * a thread keeps in there is what it was called with, and what it has to restore. The
 * frames that started the thread have no such caller: then it is the thread's outermost
 * function. 0: not known. */
static uintptr_t caller_from(const struct stack_frames *frames, size_t frame)
{
    if (frame >= frames->count) {
        return 0;
    }
    for (size_t i = frame; i < frames->count; i++) {
        if (!is_lower(frames, i)) {
            return frames->data[i].code;
        }
    }
    for (size_t i = frame; i-- > 0;) {
        if (!is_lower(frames, i)) {
            return frames->data[i].code;
        }
    }
    return frames->data[frame].code;
}

static bool frame_keeps(const struct stack_frame *frame, uintptr_t word)
{
    for (size_t i = 0; i < STACK_KEPT_REGISTERS; i++) {
        if (frame->kept[i] == word) {
            return true;
        }
    }
    return false;
}

/* The function that has the word, which is in this frame, or in a register in it: its
 * caller, if that has it in a register which this function has saved. 0: not known. */
static uintptr_t holder_from(const struct stack_frames *frames, size_t frame,
                             uintptr_t word)
{
    while (frame + 1 < frames->count && frame_keeps(&frames->data[frame + 1], word)) {
        frame++;
    }
    return caller_from(frames, frame);
}

uintptr_t probe_stack_frames_holder(const struct stack_frames *frames,
                                    uintptr_t address, uintptr_t word)
{
    size_t frame = 0;
    if (address < frames->begin) {
        return 0;
    }
    while (frame + 1 < frames->count && address >= frames->data[frame + 1].begin) {
        frame++;
    }
    return holder_from(frames, frame, word);
}

uintptr_t probe_stack_frames_register_holder(const struct stack_frames *frames,
                                             uintptr_t word)
{
    return holder_from(frames, 0, word);
}

/*
 * A film player loads a clip of four frames, trims the first and the last, and shows
 * the two in the middle.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/slice.h"
#include "scenario.h"

#define CLIP_FRAMES 4
#define POINTER_BYTES sizeof(unsigned char *)

static atomic_size_t frames_alive;

/* Reads frame `number` of a film, `bytes` bytes; NULL when memory is short. */
static unsigned char *frame_read(const char *id, size_t number, size_t bytes)
{
    unsigned char *frame = malloc(bytes);
    if (frame == NULL) {
        return NULL;
    }
    memset(frame, id[0], bytes);
    /* A frame begins with its time in the film. */
    uint32_t time = scenario_digest(id, strlen(id)) + (uint32_t)number;
    memcpy(frame, &time, sizeof(time));
    atomic_fetch_add(&frames_alive, 1);
    return frame;
}

/* Frees a frame and sets its place in the clip to NULL. It may be NULL already. */
static void frame_release(unsigned char **frame)
{
    if (*frame != NULL) {
        free(*frame);
        *frame = NULL;
        atomic_fetch_sub(&frames_alive, 1);
    }
}

/* A clip is a slice of pointers to frames. */
static unsigned char **clip_frames(struct slice clip)
{
    return (unsigned char **)(void *)clip.data;
}

/* Frees the frames in the clip, and the clip. */
static void clip_release(struct slice *clip)
{
    for (size_t i = 0; i < clip->length / POINTER_BYTES; i++) {
        frame_release(&clip_frames(*clip)[i]);
    }
    slice_release(clip);
}

/* Loads a clip; an empty slice when memory is short. */
static struct slice clip_load(const struct scenario_request *request)
{
    const size_t bytes = CLIP_FRAMES * POINTER_BYTES;
    struct slice_array *array = malloc(slice_array_bytes(bytes));
    if (array == NULL) {
        return (struct slice){0};
    }
    struct slice clip = slice_of(array, bytes);
    memset(clip.data, 0, clip.length);
    for (size_t i = 0; i < CLIP_FRAMES; i++) {
        clip_frames(clip)[i] = frame_read(request->id, i, request->bytes);
        if (clip_frames(clip)[i] == NULL) {
            clip_release(&clip);
            return clip;
        }
    }
    return clip;
}

/* The clip without its first and last frame. Releases `clip`. */
static struct slice clip_trim(struct slice clip)
{
    /* LEAK: the frames at both ends stay alive, and no view reaches them any more. */
    struct slice middle = slice_sub(clip, POINTER_BYTES, clip.length - POINTER_BYTES);
    slice_release(&clip);
    return middle;
}

/* Shows the frames that the clip can reach, each of `bytes` bytes. Returns what was
 * seen, as one number. */
static uint32_t clip_play(struct slice clip, size_t bytes)
{
    uint32_t seen = 0;
    for (size_t i = 0; i < clip.length / POINTER_BYTES; i++) {
        seen = 31 * seen + scenario_digest(clip_frames(clip)[i], bytes);
    }
    return seen;
}

static int clip_show(const struct scenario_request *request,
                     struct scenario_answer *answer)
{
    struct slice clip = clip_load(request);
    if (clip.length == 0) {
        return -ENOMEM;
    }
    struct slice middle = clip_trim(clip);
    scenario_answer_set(answer, "%zu frames, %08x", middle.length / POINTER_BYTES,
                        clip_play(middle, request->bytes));
    clip_release(&middle);
    return 0;
}

static size_t frames_count(void)
{
    return atomic_load(&frames_alive);
}

const struct scenario slice_lost_pointers_scenario = {
    .name = "slice-lost-pointers",
    .family = "retained-slices",
    .title = "Re-slicing loses pointers",
    .kind = SCENARIO_PERMANENT,
    .story = "A player loads four frames, keeps the two in the middle, and frees them "
             "after use.",
    .symptom =
        "In-use heap climbs by two frames with every request. A leak checker such "
        "as Valgrind calls them lost.",
    .cause = "The elements of the slice are pointers, and re-slicing drops the first "
             "and the last one. Nothing has their addresses any more, so nothing can "
             "free them.",
    .fix = "The frames that will be out of reach are freed, and their places cleared, "
           "before the clip is re-sliced.",
    .find_it =
        "Compare two dumps (google-pprof or go tool pprof, with --text --base): "
        "frame_read owns what grew. It is two objects per request, although each "
        "request reads four.",
    .bytes_default = 64 * 1024,
    .bytes_min = 1024,
    .bytes_max = 64 * 1024 * 1024,
    .bytes_meaning = "one frame",
    .leaves = {.blocks = 2},
    .suspect = "frame_read",
    .run = clip_show,
    .held = frames_count,
};

#include "probe/reach/process_parts.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdlib.h>
#include <sys/auxv.h>

#include "probe/process/allocator.h"
#include "probe/process/loaded_code.h"
#include "probe/recorder/own_memory.h"

#define PAGE ((uintptr_t)4096)

static struct data_segment *segments;
static struct tls_part *tls;
static struct tls_part *late_tls;

struct reading {
    struct process_parts *parts;
    uintptr_t own;       /* an address in the file that the probe is in */
    uintptr_t program;   /* an address in the program */
    uintptr_t allocator; /* in the allocator's, if that is not the C library */
    uintptr_t libc;      /* in the C library */
    uintptr_t loader;    /* in the loader */
    uintptr_t pointer;   /* of the calling thread */
    int error;
};

static bool covers(const struct dl_phdr_info *info, uintptr_t address)
{
    return range_has(probe_loaded_segment(info, address), address);
}

/* An address in the code of the file; 0: it has none. */
static uintptr_t code_of(const struct dl_phdr_info *info)
{
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        if (part->p_type == PT_LOAD && (part->p_flags & PF_X) != 0) {
            return info->dlpi_addr + part->p_vaddr;
        }
    }
    return 0;
}

static void lower_note(struct reading *reading, const struct dl_phdr_info *info,
                       const ElfW(Phdr) * part)
{
    struct process_parts *parts = reading->parts;
    bool lower = covers(info, reading->libc) || covers(info, reading->loader) ||
                 covers(info, reading->own);
    if (lower && !covers(info, reading->program) &&
        parts->lower_count < LOWER_CODE_MAX) {
        uintptr_t start = info->dlpi_addr + part->p_vaddr;
        parts->lower[parts->lower_count++] =
            (struct range){start, start + part->p_memsz};
    }
}

/* Whether the file is the allocator's or the probe's, and not the program itself. */
static bool is_left_out(const struct reading *reading, const struct dl_phdr_info *info)
{
    return !covers(info, reading->program) &&
           (covers(info, reading->own) ||
            (reading->allocator != 0 && covers(info, reading->allocator)));
}

static void allocator_note(struct reading *reading, const struct dl_phdr_info *info,
                           const ElfW(Phdr) * part)
{
    uintptr_t start = info->dlpi_addr + part->p_vaddr;
    if (reading->allocator == 0 || !covers(info, reading->allocator)) {
        return;
    }
    if ((part->p_flags & PF_X) != 0) {
        reading->parts->allocator = (struct range){start, start + part->p_memsz};
    } else if ((part->p_flags & PF_W) != 0) {
        reading->parts->allocator_data = start;
    }
}

static void segment_note(struct reading *reading, const struct dl_phdr_info *info,
                         const ElfW(Phdr) * part)
{
    struct process_parts *parts = reading->parts;
    if (parts->segments_count == DATA_SEGMENTS_MAX) {
        reading->error = -E2BIG;
        return;
    }
    uintptr_t start = info->dlpi_addr + part->p_vaddr;
    parts->segments[parts->segments_count++] = (struct data_segment){
        .start = start & ~(PAGE - 1),
        .end = (start + part->p_memsz + PAGE - 1) & ~(PAGE - 1),
        .code = code_of(info),
        .program = covers(info, reading->program),
        .left_out = is_left_out(reading, info),
        .libc = covers(info, reading->libc),
    };
}

/* Notes a file's thread-local variables: if they lie below the calling thread's
 * pointer, next to it, they are at the same distance in every thread. */
static void tls_note(struct reading *reading, const struct dl_phdr_info *info,
                     const ElfW(Phdr) * part)
{
    struct process_parts *parts = reading->parts;
    uintptr_t start = (uintptr_t)info->dlpi_tls_data;
    bool left_out = is_left_out(reading, info);
    struct tls_part found = {0, part->p_memsz, info->dlpi_tls_modid, code_of(info),
                             left_out};
    if (parts->tls_count == DATA_SEGMENTS_MAX ||
        parts->late_tls_count == DATA_SEGMENTS_MAX) {
        return;
    }
    if (start == 0 || start >= reading->pointer ||
        reading->pointer - start > 1024 * 1024) {
        if (!left_out) {
            parts->late_tls[parts->late_tls_count++] = found;
        }
        return;
    }
    uintptr_t below = reading->pointer - start;
    found.below = below;
    parts->tls[parts->tls_count++] = found;
    if (below > parts->tls_bytes) {
        parts->tls_bytes = below;
    }
}

static int file_note(struct dl_phdr_info *info, size_t size, void *argument)
{
    (void)size;
    struct reading *reading = argument;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        if (part->p_type == PT_LOAD) {
            allocator_note(reading, info, part);
        }
        if (part->p_type == PT_LOAD && (part->p_flags & PF_W) != 0) {
            segment_note(reading, info, part);
        } else if (part->p_type == PT_LOAD && (part->p_flags & PF_X) != 0) {
            lower_note(reading, info, part);
        } else if (part->p_type == PT_TLS) {
            tls_note(reading, info, part);
        }
    }
    return 0;
}

static int by_start(const void *one, const void *other)
{
    uintptr_t first = ((const struct data_segment *)one)->start;
    uintptr_t second = ((const struct data_segment *)other)->start;
    return first < second ? -1 : first > second;
}

/* The allocator's own function, if it is in another library than the C library's and
 * the program. */
static uintptr_t allocator_find(void)
{
    Dl_info found;
    Dl_info ours;
    void *function = dlsym(RTLD_DEFAULT, "malloc");
    if (probe_allocator_is_glibc() || function == NULL) {
        return 0;
    }
    if (dladdr(function, &found) != 0 && dladdr((void *)allocator_find, &ours) != 0 &&
        found.dli_fbase == ours.dli_fbase) {
        function = dlsym(RTLD_NEXT, "malloc"); /* ours calls the next one */
    }
    return (uintptr_t)function;
}

int probe_process_parts_read(struct process_parts *ret_parts)
{
#ifdef __x86_64__
    size_t room = DATA_SEGMENTS_MAX;
    if (segments == NULL) {
        segments = probe_own_memory_take(room * sizeof(*segments));
    }
    if (tls == NULL) {
        tls = probe_own_memory_take(room * sizeof(*tls));
    }
    if (late_tls == NULL) {
        late_tls = probe_own_memory_take(room * sizeof(*late_tls));
    }
    if (segments == NULL || tls == NULL || late_tls == NULL) {
        return -ENOMEM;
    }
    struct process_parts parts = {
        .segments = segments, .tls = tls, .late_tls = late_tls};
    struct reading reading = {
        .parts = &parts,
        .own = (uintptr_t)probe_process_parts_read,
        .program = getauxval(AT_ENTRY),
        .allocator = allocator_find(),
        .libc = (uintptr_t)dlsym(RTLD_DEFAULT, "gnu_get_libc_version"),
        .loader = getauxval(AT_BASE),
        .pointer = (uintptr_t)__builtin_thread_pointer()};
    dl_iterate_phdr(file_note, &reading);
    qsort(parts.segments, parts.segments_count, sizeof(*parts.segments), by_start);
    parts.layout = probe_thread_layout_find(reading.pointer);
    *ret_parts = parts;
    return reading.error;
#else
    (void)ret_parts;
    return -ENOSYS;
#endif
}

bool probe_process_parts_is_lower(const struct process_parts *parts, uintptr_t code)
{
    for (size_t i = 0; i < parts->lower_count; i++) {
        if (code >= parts->lower[i].start && code < parts->lower[i].end) {
            return true;
        }
    }
    return false;
}

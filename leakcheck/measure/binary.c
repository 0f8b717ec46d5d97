/*
 * Opens the program's file with libdwfl, finds out at which address the process has it,
 * and looks addresses up in its symbol table and line table.
 */
#include "leakcheck/measure/binary.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwfl.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A range of code of one compilation unit (one source file). */
struct code {
    Dwarf_Addr start;
    Dwarf_Addr end;
    Dwarf_Addr bias; /* to add to the addresses in the unit */
    Dwarf_Die *unit;
};

/* An open program file. libdw uses the addresses in the file; those in the process are
 * `bias` higher. */
struct binary {
    Dwfl *dwfl;
    Dwfl_Module *module;
    uint64_t bias;
    struct code *codes; /* sorted by address */
    size_t code_count;
    size_t code_capacity;
};

/* elfutils' standard search would also ask debuginfod servers over the network; this
 * one looks only in /usr/lib/debug. */
static const Dwfl_Callbacks callbacks = {
    .find_elf = dwfl_build_id_find_elf,
    .find_debuginfo = dwfl_build_id_find_debuginfo,
};

static int file_open(const char *path, struct failure *failure)
{
    /* O_NONBLOCK: opening a FIFO must not wait for a writer. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        int error = errno;
        return failure_set(failure, error, "cannot read %.80s: %s", path,
                           strerror(error));
    }
    return fd;
}

static int binary_open(struct binary *binary, const char *path, struct failure *failure)
{
    int fd = file_open(path, failure);
    if (fd < 0) {
        return fd;
    }
    binary->dwfl = dwfl_begin(&callbacks);
    if (binary->dwfl == NULL) {
        close(fd);
        return failure_set(failure, ENOMEM, "out of memory");
    }
    binary->module = dwfl_report_elf(binary->dwfl, "program", path, fd, 0, true);
    if (binary->module == NULL) {
        close(fd); /* libdwfl owns it only after success */
        return failure_set(failure, EINVAL, "%.80s is no program", path);
    }
    dwfl_report_end(binary->dwfl, NULL, NULL);
    return 0;
}

/* Whether `mapping` is one of the file's executable segments as the kernel maps it:
 * exactly the same pages of the file. If so, sets *ret_bias. */
static bool mapping_fits(Elf *elf, const struct mapping *mapping, uint64_t *ret_bias)
{
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    size_t count = 0;
    if (elf_getphdrnum(elf, &count) != 0) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        GElf_Phdr memory;
        const GElf_Phdr *segment = gelf_getphdr(elf, (int)i, &memory);
        if (segment == NULL || segment->p_type != PT_LOAD ||
            (segment->p_flags & PF_X) == 0) {
            continue;
        }
        uint64_t first = segment->p_offset / page * page;
        uint64_t end = (segment->p_offset + segment->p_filesz + page - 1) / page * page;
        if (mapping->offset == first && mapping->end - mapping->start == end - first) {
            *ret_bias = mapping->start - (segment->p_vaddr / page * page);
            return true;
        }
    }
    return false;
}

/* Finds the bias of the file in the process. Uses the program's mappings that contain
 * addresses of the profile: each must fit a segment, and all must give the same
 * bias. */
static bool binary_place(struct binary *binary, const struct profile *profile,
                         const struct frame *frames, size_t count)
{
    GElf_Addr ignored;
    GElf_Ehdr header;
    Elf *elf = dwfl_module_getelf(binary->module, &ignored);
    const struct mapping *placed = NULL;
    if (elf == NULL || gelf_getehdr(elf, &header) == NULL) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        const struct mapping *mapping = profile_mapping(profile, frames[i].address);
        uint64_t bias;
        if (mapping == NULL || mapping == placed ||
            !profile_in_program(profile, frames[i].address)) {
            continue;
        }
        if (!mapping_fits(elf, mapping, &bias) ||
            (placed != NULL && bias != binary->bias) ||
            (header.e_type == ET_EXEC && bias != 0)) {
            return false;
        }
        placed = mapping;
        binary->bias = bias;
    }
    return placed != NULL;
}

static int code_compare(const void *left, const void *right)
{
    Dwarf_Addr a = ((const struct code *)left)->start;
    Dwarf_Addr b = ((const struct code *)right)->start;
    return a == b ? 0 : a < b ? -1 : 1;
}

static int code_add(struct binary *binary, struct code code)
{
    if (binary->code_count == binary->code_capacity) {
        size_t capacity = binary->code_capacity == 0 ? 64 : 2 * binary->code_capacity;
        struct code *codes =
            reallocarray(binary->codes, capacity, sizeof(*binary->codes));
        if (codes == NULL) {
            return -ENOMEM;
        }
        binary->codes = codes;
        binary->code_capacity = capacity;
    }
    binary->codes[binary->code_count++] = code;
    return 0;
}

/* Lists which compilation unit has which addresses. libdw's own look-up needs the
 * section .debug_aranges, which clang does not write. */
static int codes_collect(struct binary *binary)
{
    Dwarf_Die *unit = NULL;
    Dwarf_Addr bias;
    while ((unit = dwfl_module_nextcu(binary->module, unit, &bias)) != NULL) {
        Dwarf_Addr base;
        struct code code = {.unit = unit, .bias = bias};
        ptrdiff_t next = 0;
        while ((next = dwarf_ranges(unit, next, &base, &code.start, &code.end)) > 0) {
            code.start += bias;
            code.end += bias;
            if (code_add(binary, code) < 0) {
                return -ENOMEM;
            }
        }
    }
    if (binary->code_count > 0) {
        qsort(binary->codes, binary->code_count, sizeof(*binary->codes), code_compare);
    }
    return 0;
}

/* The code that has the address; NULL if there is none. */
static const struct code *code_find(const struct binary *binary, Dwarf_Addr address)
{
    size_t low = 0;
    size_t high = binary->code_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (binary->codes[middle].start <= address) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low == 0 || address >= binary->codes[low - 1].end) {
        return NULL;
    }
    return &binary->codes[low - 1];
}

/* The row of the line table for the address; NULL if there is none. */
static Dwarf_Line *line_find(const struct binary *binary, Dwarf_Addr address)
{
    const struct code *code = code_find(binary, address);
    return code == NULL ? NULL : dwarf_getsrc_die(code->unit, address - code->bias);
}

/* Fills in one frame. Returns 0 or -ENOMEM. */
static int frame_name(const struct binary *binary, struct arena *arena,
                      struct frame *frame)
{
    Dwarf_Addr address = frame->address - binary->bias;
    if (frame->function == NULL) {
        const char *name = dwfl_module_addrname(binary->module, address);
        if (name != NULL) {
            frame->function = arena_text(arena, name, strlen(name));
            if (frame->function == NULL) {
                return -ENOMEM;
            }
        }
    }
    int line = 0;
    Dwarf_Line *row = line_find(binary, address);
    const char *file = row == NULL ? NULL : dwarf_linesrc(row, NULL, NULL);
    if (frame->function != NULL && frame->file == NULL && file != NULL &&
        dwarf_lineno(row, &line) == 0 && line > 0) {
        frame->file = arena_text(arena, file, strlen(file));
        frame->line = (unsigned)line;
        return frame->file == NULL ? -ENOMEM : 0;
    }
    return 0;
}

/* Opens the file as the program of the profile, which has these addresses. The caller
 * calls binary_close in any case. */
static int binary_start(struct binary *binary, const char *path,
                        const struct profile *profile, const struct frame *frames,
                        size_t count, struct failure *failure)
{
    int error = binary_open(binary, path, failure);
    if (error == 0 && !binary_place(binary, profile, frames, count)) {
        error = failure_set(failure, EINVAL,
                            "%.80s does not fit the addresses of the profile", path);
    }
    return error == 0 ? codes_collect(binary) : error;
}

static void binary_close(struct binary *binary)
{
    free(binary->codes);
    if (binary->dwfl != NULL) {
        dwfl_end(binary->dwfl);
    }
}

int binary_name(const char *path, struct profile *profile, struct frame *frames,
                size_t count, struct failure *failure)
{
    struct binary binary = {0};
    int error = binary_start(&binary, path, profile, frames, count, failure);
    for (size_t i = 0; i < count && error == 0; i++) {
        if (profile_in_program(profile, frames[i].address)) {
            error = frame_name(&binary, &profile->arena, &frames[i]);
        }
    }
    if (error == -ENOMEM) {
        failure_set(failure, ENOMEM, "out of memory");
    }
    binary_close(&binary);
    return error;
}

/* -- functions that the compiler has put into others ------------------------------- */

/* A number of a debugging entry, such as the line of a call; 0 if it has none. */
static unsigned number_of(Dwarf_Die *entry, unsigned name)
{
    Dwarf_Attribute memory;
    Dwarf_Word value;
    Dwarf_Attribute *attribute = dwarf_attr(entry, name, &memory);
    return attribute != NULL && dwarf_formudata(attribute, &value) == 0
               ? (unsigned)value
               : 0;
}

/* Where the function of this entry was called before it was put there. */
static const char *caller_file(Dwarf_Die *unit, Dwarf_Die *entry)
{
    Dwarf_Files *files;
    size_t count;
    unsigned number = number_of(entry, DW_AT_call_file);
    return dwarf_getsrcfiles(unit, &files, &count) == 0 && number < count
               ? dwarf_filesrc(files, number, NULL, NULL)
               : NULL;
}

static bool frame_fill(struct frame *frame, struct arena *arena, const char *function,
                       const char *file, unsigned line)
{
    if (function == NULL || file == NULL || line == 0) {
        return false;
    }
    frame->function = arena_text(arena, function, strlen(function));
    frame->file = arena_text(arena, file, strlen(file));
    frame->line = line;
    return frame->function != NULL && frame->file != NULL;
}

/* The functions around an address as they are found, the innermost first. */
struct entries_walk {
    const struct code *code;
    Dwarf_Addr address;
    struct arena *arena;
    const char *file; /* of the next function: its own line, or that of the call */
    unsigned line;
    struct frame *frames;
    size_t most;
    size_t count;
    bool failed;
};

/* Adds the function of this entry, which is around all that were found before. */
static void entry_add(struct entries_walk *walk, Dwarf_Die *entry)
{
    if (walk->failed || walk->count == walk->most ||
        !frame_fill(&walk->frames[walk->count], walk->arena, dwarf_diename(entry),
                    walk->file, walk->line)) {
        walk->failed = true;
        return;
    }
    walk->count++;
    walk->file = caller_file(walk->code->unit, entry);
    walk->line = number_of(entry, DW_AT_call_line);
}

/* Searches what is below `parent`, and adds the functions from the innermost outwards.
 * libdw's dwarf_getscopes would do this, but it gives up at an entry of clang's that it
 * cannot read. Returns whether any entry is around the address. */
static bool entries_find(struct entries_walk *walk, Dwarf_Die *parent)
{
    Dwarf_Die entry;
    for (int rest = dwarf_child(parent, &entry); rest == 0;
         rest = dwarf_siblingof(&entry, &entry)) {
        int tag = dwarf_tag(&entry);
        bool is_function = tag == DW_TAG_subprogram || tag == DW_TAG_inlined_subroutine;
        if (is_function || tag == DW_TAG_lexical_block) {
            if (dwarf_haspc(&entry, walk->address) > 0) {
                entries_find(walk, &entry);
                if (is_function) {
                    entry_add(walk, &entry);
                }
                return true;
            }
        } else if (tag == DW_TAG_namespace && entries_find(walk, &entry)) {
            return true;
        }
    }
    return false;
}

/* Goes outwards through the functions around the address. Nothing is known unless all
 * are. */
static size_t entries_walk(const struct code *code, Dwarf_Addr address,
                           struct arena *arena, struct frame *frames, size_t most)
{
    struct entries_walk walk = {.code = code,
                                .address = address,
                                .arena = arena,
                                .frames = frames,
                                .most = most};
    int line = 0;
    Dwarf_Line *row = dwarf_getsrc_die(code->unit, address);
    if (row == NULL || dwarf_lineno(row, &line) != 0) {
        return 0;
    }
    walk.file = dwarf_linesrc(row, NULL, NULL);
    walk.line = (unsigned)line;
    entries_find(&walk, code->unit);
    return walk.failed ? 0 : walk.count;
}

struct binary *binary_create(const char *path, const struct profile *profile,
                             uint64_t address)
{
    struct failure ignored;
    const struct frame wanted = {.address = address};
    struct binary *binary = calloc(1, sizeof(*binary));
    if (binary != NULL &&
        binary_start(binary, path, profile, &wanted, 1, &ignored) < 0) {
        binary_destroy(binary);
        binary = NULL;
    }
    return binary;
}

void binary_destroy(struct binary *binary)
{
    if (binary != NULL) {
        binary_close(binary);
        free(binary);
    }
}

size_t binary_inlined(const struct binary *binary, struct profile *profile,
                      uint64_t address, struct frame *ret_frames, size_t most)
{
    if (binary == NULL || !profile_in_program(profile, address)) {
        return 0;
    }
    Dwarf_Addr place = address - binary->bias;
    const struct code *code = code_find(binary, place);
    return code == NULL ? 0
                        : entries_walk(code, place - code->bias, &profile->arena,
                                       ret_frames, most);
}

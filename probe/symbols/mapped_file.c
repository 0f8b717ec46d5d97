/*
 * Only regular files are opened: to open a device may start something.
 */
#include "probe/symbols/mapped_file.h"

#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "probe/process/descriptors.h"
#include "probe/process/loaded_code.h"
#include "probe/symbols/elf_facts.h"

#define PATH_BYTES 4096
#define DELETED " (deleted)" /* as the kernel marks it: proc(5) */

const char *probe_debug_root = "/usr/lib/debug";

/* ---- What is in memory ---- */

struct search {
    uintptr_t address;
    char *build_id;
};

static int library_look(struct dl_phdr_info *info, size_t size, void *argument)
{
    (void)size;
    struct search *search = argument;
    bool holds =
        range_has(probe_loaded_segment(info, search->address), search->address);
    for (size_t i = 0; i < info->dlpi_phnum && holds; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        if (segment->p_type == PT_NOTE && search->build_id[0] == '\0') {
            const char *notes = (const char *)info->dlpi_addr + segment->p_vaddr;
            probe_elf_build_id(notes, segment->p_memsz, search->build_id);
        }
    }
    return holds ? 1 : 0;
}

void probe_loaded_build_id(uintptr_t address, char *ret_text)
{
    struct search search = {.address = address, .build_id = ret_text};
    ret_text[0] = '\0';
    dl_iterate_phdr(library_look, &search);
}

/* ---- Files ---- */

static int regular_open(const char *path)
{
    struct stat status;
    if (stat(path, &status) != 0) {
        return -errno;
    }
    if (!S_ISREG(status.st_mode)) {
        return -ENOENT;
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

/* Returns `fd` if the file has this build id; else closes it and returns -ENOENT.
 * Passes -errno on. */
static int check(int fd, const char *build_id)
{
    struct elf_facts facts;
    if (fd < 0) {
        return fd;
    }
    if (probe_elf_facts_read(fd, &facts) != 0 ||
        strcmp(facts.build_id, build_id) != 0) {
        close(fd);
        return -ENOENT;
    }
    return fd;
}

static bool is_program(const char *path)
{
    char program[PATH_BYTES];
    int fd = probe_proc_open("thread-self/exe", O_PATH | O_NOFOLLOW);
    if (fd < 0) {
        return false;
    }
    ssize_t length = readlinkat(fd, "", program, sizeof(program) - 1);
    close(fd);
    program[length > 0 ? length : 0] = '\0';
    return strcmp(program, path) == 0;
}

/* Copies the kernel's code, which is a whole ELF file, into an unnamed file. */
static int vdso_open(const struct mapping *mapping)
{
    int fd = memfd_create("vdso", MFD_CLOEXEC);
    if (fd < 0) {
        return -errno;
    }
    int error = file_write_whole(fd, (const char *)mapping->start,
                                 mapping->end - mapping->start);
    if (error != 0) {
        close(fd);
        return error;
    }
    return fd;
}

/* The link to the mapped file itself: it works for files that were deleted, but only
 * for a process with privileges (proc(5)). */
static int link_open(const struct mapping *mapping)
{
    char path[96];
    snprintf(path, sizeof(path), "self/map_files/%llx-%llx",
             (unsigned long long)mapping->start, (unsigned long long)mapping->end);
    struct stat status;
    int fd = probe_proc_open(path, O_PATH);
    bool regular = fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
    if (fd >= 0) {
        close(fd);
    }
    return regular ? probe_proc_open(path, O_RDONLY) : -ENOENT;
}

/* Opens what is at the mapping's path now. For a file that was deleted this may be the
 * same one, installed again. */
static int path_open(const char *path, const char *build_id)
{
    char shorter[PATH_BYTES];
    size_t length = strlen(path);
    size_t mark = sizeof(DELETED) - 1;
    bool deleted = length > mark && strcmp(path + length - mark, DELETED) == 0;
    if (length >= sizeof(shorter) || (deleted && build_id[0] == '\0')) {
        return -ENOENT;
    }
    memcpy(shorter, path, length + 1);
    shorter[length - (deleted ? mark : 0)] = '\0';
    int fd = regular_open(shorter);
    return build_id[0] == '\0' ? fd : check(fd, build_id);
}

int probe_mapped_file_open(const struct mapping *mapping, const char *build_id)
{
    if (strcmp(mapping->path, "[vdso]") == 0) {
        return vdso_open(mapping);
    }
    if (mapping->path[0] != '/') {
        return -ENOENT;
    }
    int fd = -ENOENT;
    if (is_program(mapping->path)) {
        fd = probe_proc_open("thread-self/exe", O_RDONLY);
    }
    if (fd < 0) {
        fd = path_open(mapping->path, build_id);
    }
    return fd < 0 && fd != -EMFILE && fd != -ENFILE ? link_open(mapping) : fd;
}

/* ---- Detached symbols ---- */

int probe_debug_file_open(const char *path, const char *build_id,
                          const char *debug_link)
{
    char file[PATH_BYTES];
    if (strlen(build_id) < 3) {
        return -ENOENT;
    }
    snprintf(file, sizeof(file), "%s/.build-id/%.2s/%s.debug", probe_debug_root,
             build_id, build_id + 2);
    int fd = check(regular_open(file), build_id);
    const char *slash = strrchr(path, '/');
    if (fd >= 0 || slash == NULL || debug_link[0] == '\0' ||
        strchr(debug_link, '/') != NULL) {
        return fd;
    }
    /* Where gdb looks too: beside the file, in .debug, and below the debug root. */
    const struct place {
        const char *root;
        const char *folder;
    } places[] = {{"", ""}, {"", ".debug/"}, {probe_debug_root, ""}};
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]) && fd < 0; i++) {
        int length =
            snprintf(file, sizeof(file), "%s%.*s%s%s", places[i].root,
                     (int)(slash + 1 - path), path, places[i].folder, debug_link);
        if (length > 0 && (size_t)length < sizeof(file)) {
            fd = check(regular_open(file), build_id);
        }
    }
    return fd;
}

/*
 * The few fields of an ELF file that matter are read by hand, because libelf allocates;
 * one at a time, because a child of clone, a thread, or a signal handler that executes
 * a program may have a stack of a few KiB.
 */
#include "probe/preload/next_program.h"

#include <alloca.h>
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/sanitizer_names.h"
#include "probe/recorder/visit.h"

#define LIBRARY "libleakprobe.so"
#define VARIABLE "LD_PRELOAD="
#define SCRIPT_DEPTH_MAX 4
#define SCRIPT_LINE_MAX 256 /* of its first line the kernel reads as much */
#define PARTS_MAX 64
#define ENTRIES_MAX 512
#ifdef __LP64__
#define OWN_CLASS ELFCLASS64
typedef Elf64_Ehdr elf_header;
typedef Elf64_Phdr elf_part;
typedef Elf64_Dyn elf_entry;
#else
#define OWN_CLASS ELFCLASS32
typedef Elf32_Ehdr elf_header;
typedef Elf32_Phdr elf_part;
typedef Elf32_Dyn elf_entry;
#endif

static char own_path[PATH_MAX]; /* of the library; "" if it is not known */

struct elf_file {
    int fd;
    elf_header header;
};

static bool read_at(int fd, void *ret_data, size_t size, uint64_t offset)
{
    return pread(fd, ret_data, size, (off_t)offset) == (ssize_t)size;
}

/* Reads text up to its end, or up to `size` - 1 bytes of it. */
static void text_at(int fd, char *ret_text, size_t size, uint64_t offset)
{
    ssize_t got = pread(fd, ret_text, size - 1, (off_t)offset);
    ret_text[got > 0 ? got : 0] = '\0';
}

/* Reads one program header. Returns false if there is none with this number. */
static bool part_read(const struct elf_file *file, size_t number, elf_part *ret_part)
{
    return number < file->header.e_phnum && number < PARTS_MAX &&
           read_at(file->fd, ret_part, sizeof(*ret_part),
                   file->header.e_phoff + number * sizeof(*ret_part));
}

static bool part_find(const struct elf_file *file, uint32_t type, elf_part *ret_part)
{
    size_t number = 0;
    while (part_read(file, number, ret_part)) {
        if (ret_part->p_type == type) {
            return true;
        }
        number++;
    }
    return false;
}

/* Where in the file that address is; 0 if it is nowhere. */
static uint64_t offset_of(const struct elf_file *file, uint64_t address)
{
    elf_part part;
    for (size_t i = 0; part_read(file, i, &part); i++) {
        if (part.p_type == PT_LOAD && address >= part.p_vaddr &&
            address - part.p_vaddr < part.p_filesz) {
            return part.p_offset + (address - part.p_vaddr);
        }
    }
    return 0;
}

/* Reads one entry of the dynamic section. Returns false if there is none with this
 * number. */
static bool entry_read(const struct elf_file *file, const elf_part *dynamic,
                       size_t number, elf_entry *ret_entry)
{
    return number < dynamic->p_filesz / sizeof(*ret_entry) && number < ENTRIES_MAX &&
           read_at(file->fd, ret_entry, sizeof(*ret_entry),
                   dynamic->p_offset + number * sizeof(*ret_entry)) &&
           ret_entry->d_tag != DT_NULL;
}

/* Where in the file the names are; 0 if it is nowhere. */
static uint64_t texts_find(const struct elf_file *file, const elf_part *dynamic)
{
    elf_entry entry;
    for (size_t i = 0; entry_read(file, dynamic, i, &entry); i++) {
        if (entry.d_tag == DT_STRTAB) {
            return offset_of(file, entry.d_un.d_ptr);
        }
    }
    return 0;
}

/* Whether one of the libraries that the program names is a sanitizer's. */
static bool names_sanitizer(const struct elf_file *file)
{
    elf_part dynamic;
    if (!part_find(file, PT_DYNAMIC, &dynamic)) {
        return false;
    }
    uint64_t texts = texts_find(file, &dynamic);
    elf_entry entry;
    for (size_t i = 0; texts != 0 && entry_read(file, &dynamic, i, &entry); i++) {
        char name[32];
        if (entry.d_tag == DT_NEEDED) {
            text_at(file->fd, name, sizeof(name), texts + entry.d_un.d_val);
            if (is_sanitizer_name(name)) {
                return true;
            }
        }
    }
    return false;
}

/* Whether the loader of this process's program can be expected to load the other one's
 * libraries, too: it is for the same kind of processor. */
static bool is_like_own(const elf_header *header)
{
    elf_header own;
    int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    bool alike = self < 0 || !read_at(self, &own, sizeof(own), 0) ||
                 (own.e_machine == header->e_machine &&
                  own.e_ident[EI_CLASS] == header->e_ident[EI_CLASS]);
    if (self >= 0) {
        close(self);
    }
    return alike && header->e_ident[EI_CLASS] == OWN_CLASS;
}

/* Whether the program names a loader, and which: one of another C library? */
static bool has_loader(const struct elf_file *file, bool *ret_foreign)
{
    elf_part loader;
    char path[256];
    if (!part_find(file, PT_INTERP, &loader)) {
        return false;
    }
    text_at(file->fd, path, sizeof(path), loader.p_offset);
    *ret_foreign = strstr(path, "/ld-linux") == NULL;
    return true;
}

/* Of a static program the loader's variables are not read: it does not refuse. */
static bool elf_refuses(int fd)
{
    struct elf_file file = {.fd = fd};
    bool is_foreign = false;
    if (!read_at(fd, &file.header, sizeof(file.header), 0) ||
        memcmp(file.header.e_ident, ELFMAG, SELFMAG) != 0) {
        return false;
    }
    return !is_like_own(&file.header) ||
           (has_loader(&file, &is_foreign) && (is_foreign || names_sanitizer(&file)));
}

/* Whether the file is a script: then its interpreter is written to `ret_interpreter`,
 * which may be the path as well. If it is a program, `ret_refuses` is written. */
static bool is_script(const char *path, char *ret_interpreter, size_t size,
                      bool *ret_refuses)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    bool script = false;
    *ret_refuses = false;
    if (fd < 0) {
        return false;
    }
    if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode)) {
        text_at(fd, ret_interpreter, size, 0);
        script = strncmp(ret_interpreter, "#!", 2) == 0;
        *ret_refuses = !script && elf_refuses(fd);
    }
    close(fd);
    if (script) {
        const char *start = ret_interpreter + 2 + strspn(ret_interpreter + 2, " \t");
        size_t length = strcspn(start, " \t\n");
        memmove(ret_interpreter, start, length);
        ret_interpreter[length] = '\0';
    }
    return script;
}

static bool file_refuses(const char *path)
{
    char interpreter[SCRIPT_LINE_MAX];
    bool refuses = false;
    for (int i = 0; i <= SCRIPT_DEPTH_MAX; i++) {
        if (!is_script(path, interpreter, sizeof(interpreter), &refuses)) {
            return refuses;
        }
        path = interpreter;
    }
    return false;
}

void probe_next_start(void)
{
    Dl_info own;
    if (dladdr((void *)probe_next_start, &own) != 0 && own.dli_fname[0] == '/') {
        snprintf(own_path, sizeof(own_path), "%s", own.dli_fname);
    }
}

/* Whether the loader will find the library. It does not after a chroot, nor if the
 * process has given up the right to read it, and then says so on standard error. */
static bool is_out_of_reach(void)
{
    /* access asks for the real user, without the capabilities that exec takes away. */
    return own_path[0] != '\0' && access(own_path, R_OK) != 0;
}

bool probe_next_refuses(const char *path)
{
    /* A thread that is to be cancelled goes on to the program's own call, which is no
     * point for that: open and pread are. */
    struct probe_visit visit = probe_visit_begin();
    bool refuses = path != NULL && (is_out_of_reach() || file_refuses(path));
    probe_visit_end(visit);
    return refuses;
}

/* Whether the command is in the directory, whose name has that length; then
 * `ret_refuses` is written. A function of its own, so that its part of the stack is no
 * larger than the name, and is given back before the next directory. */
static __attribute__((noinline)) bool is_in(const char *directory, size_t length,
                                            const char *command, bool *ret_refuses)
{
    size_t command_size = strlen(command) + 1;
    if (length + 1 + command_size > PATH_MAX) {
        return false;
    }
    char *path = alloca(length + 1 + command_size);
    memcpy(path, directory, length);
    if (length > 0) {
        path[length++] = '/';
    }
    memcpy(path + length, command, command_size);
    if (access(path, X_OK) != 0) {
        return false;
    }
    *ret_refuses = probe_next_refuses(path);
    return true;
}

bool probe_next_refuses_command(const char *command)
{
    if (command == NULL || *command == '\0' || strchr(command, '/') != NULL) {
        return probe_next_refuses(command);
    }
    int saved = errno;
    bool refuses = false;
    const char *directories = getenv("PATH");
    directories = directories == NULL ? "/bin:/usr/bin" : directories;
    for (;;) {
        size_t length = strcspn(directories, ":");
        if (is_in(directories, length, command, &refuses) ||
            directories[length] == '\0') {
            errno = saved;
            return refuses;
        }
        directories += length + 1;
    }
}

size_t probe_next_count(char *const names[])
{
    size_t count = 0;
    while (names != NULL && names[count] != NULL) {
        count++;
    }
    return count + 1;
}

static bool is_library(const char *path, size_t length)
{
    const size_t name = sizeof(LIBRARY) - 1;
    return length >= name && memcmp(path + length - name, LIBRARY, name) == 0 &&
           (length == name || path[length - name - 1] == '/');
}

/* Copies the variable, "LD_PRELOAD=...", without the library. Returns false if nothing
 * else is in it. */
static bool preload_copy(const char *variable, char *text)
{
    const char *at = variable + sizeof(VARIABLE) - 1;
    size_t length = sizeof(VARIABLE) - 1;
    memcpy(text, VARIABLE, length);
    while (*at != '\0') {
        size_t part = strcspn(at, " :");
        if (part > 0 && !is_library(at, part)) {
            if (length > sizeof(VARIABLE) - 1) {
                text[length++] = ':';
            }
            memcpy(text + length, at, part);
            length += part;
        }
        at += part;
        at += *at != '\0' ? 1 : 0;
    }
    text[length] = '\0';
    return length > sizeof(VARIABLE) - 1;
}

size_t probe_next_preload_size(char *const names[])
{
    size_t most = 1;
    for (size_t i = 0; names != NULL && names[i] != NULL; i++) {
        size_t size = strlen(names[i]) + 1;
        if (strncmp(names[i], VARIABLE, sizeof(VARIABLE) - 1) == 0 &&
            size <= NEXT_PRELOAD_MAX) {
            most = size > most ? size : most;
        }
    }
    return most;
}

void probe_next_environment(char *const names[], char **ret_names, char *text)
{
    size_t kept = 0;
    for (size_t i = 0; names != NULL && names[i] != NULL; i++) {
        char *name = names[i];
        if (strncmp(name, VARIABLE, sizeof(VARIABLE) - 1) == 0 &&
            strlen(name) < NEXT_PRELOAD_MAX) {
            name = preload_copy(name, text) ? text : NULL;
        }
        if (name != NULL) {
            ret_names[kept++] = name;
        }
    }
    ret_names[kept] = NULL;
}

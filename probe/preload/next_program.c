/*
 * The few fields of an ELF file that matter are read by hand, because libelf allocates.
 */
#include "probe/preload/next_program.h"

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
#include "probe/recorder/inside.h"

#define LIBRARY "libleakprobe.so"
#define VARIABLE "LD_PRELOAD="
#define SCRIPT_DEPTH_MAX 4
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
    size_t parts_count;
    elf_part parts[PARTS_MAX];
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

static const elf_part *part_find(const struct elf_file *file, uint32_t type)
{
    for (size_t i = 0; i < file->parts_count; i++) {
        if (file->parts[i].p_type == type) {
            return &file->parts[i];
        }
    }
    return NULL;
}

/* Where in the file that address is; 0 if it is nowhere. */
static uint64_t offset_of(const struct elf_file *file, uint64_t address)
{
    for (size_t i = 0; i < file->parts_count; i++) {
        const elf_part *part = &file->parts[i];
        if (part->p_type == PT_LOAD && address >= part->p_vaddr &&
            address - part->p_vaddr < part->p_filesz) {
            return part->p_offset + (address - part->p_vaddr);
        }
    }
    return 0;
}

/* Returns the number of entries of the dynamic section. */
static size_t entries_read(const struct elf_file *file, elf_entry *ret_entries)
{
    const elf_part *dynamic = part_find(file, PT_DYNAMIC);
    size_t count = dynamic == NULL ? 0 : dynamic->p_filesz / sizeof(elf_entry);
    count = count > ENTRIES_MAX ? ENTRIES_MAX : count;
    bool got = count > 0 && read_at(file->fd, ret_entries, count * sizeof(elf_entry),
                                    dynamic->p_offset);
    return got ? count : 0;
}

/* Whether one of the libraries that the program names is a sanitizer's. */
static bool names_sanitizer(const struct elf_file *file)
{
    elf_entry entries[ENTRIES_MAX];
    size_t count = entries_read(file, entries);
    uint64_t texts = 0;
    for (size_t i = 0; i < count; i++) {
        if (entries[i].d_tag == DT_STRTAB) {
            texts = offset_of(file, entries[i].d_un.d_ptr);
        }
    }
    for (size_t i = 0; i < count && texts != 0; i++) {
        char name[32];
        if (entries[i].d_tag == DT_NEEDED) {
            text_at(file->fd, name, sizeof(name), texts + entries[i].d_un.d_val);
            if (is_sanitizer_name(name)) {
                return true;
            }
        }
    }
    return false;
}

/* Of a static program the loader's variables are not read: it does not refuse. */
static bool elf_refuses(int fd)
{
    elf_header header;
    struct elf_file file = {.fd = fd};
    if (!read_at(fd, &header, sizeof(header), 0) ||
        memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) {
        return false;
    }
    elf_header own;
    int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    bool alike = self < 0 || !read_at(self, &own, sizeof(own), 0) ||
                 (own.e_machine == header.e_machine &&
                  own.e_ident[EI_CLASS] == header.e_ident[EI_CLASS]);
    if (self >= 0) {
        close(self);
    }
    if (!alike || header.e_ident[EI_CLASS] != OWN_CLASS) {
        return true;
    }
    file.parts_count = header.e_phnum > PARTS_MAX ? PARTS_MAX : header.e_phnum;
    const elf_part *loader = NULL;
    if (read_at(fd, file.parts, file.parts_count * sizeof(elf_part), header.e_phoff)) {
        loader = part_find(&file, PT_INTERP);
    }
    char path[256] = "";
    if (loader != NULL) {
        text_at(fd, path, sizeof(path), loader->p_offset);
    }
    return loader != NULL &&
           (strstr(path, "/ld-linux") == NULL || names_sanitizer(&file));
}

static bool file_refuses(const char *path, unsigned depth)
{
    char line[512];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    struct stat status;
    bool refuses = false;
    if (fd < 0) {
        return false;
    }
    if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode)) {
        text_at(fd, line, sizeof(line), 0);
        if (strncmp(line, "#!", 2) != 0) {
            refuses = elf_refuses(fd);
        } else if (depth < SCRIPT_DEPTH_MAX) {
            char *interpreter = line + 2 + strspn(line + 2, " \t");
            interpreter[strcspn(interpreter, " \t\n")] = '\0';
            refuses = file_refuses(interpreter, depth + 1);
        }
    }
    close(fd);
    return refuses;
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
    int saved = errno;
    probe_inside++;
    bool refuses = path != NULL && (is_out_of_reach() || file_refuses(path, 0));
    probe_inside--;
    errno = saved;
    return refuses;
}

bool probe_next_refuses_command(const char *command)
{
    if (command == NULL || *command == '\0' || strchr(command, '/') != NULL) {
        return probe_next_refuses(command);
    }
    int saved = errno;
    const char *directories = getenv("PATH");
    directories = directories == NULL ? "/bin:/usr/bin" : directories;
    char path[PATH_MAX];
    for (;;) {
        int length = (int)strcspn(directories, ":");
        int bytes = snprintf(path, sizeof(path), "%.*s%s%s", length, directories,
                             length > 0 ? "/" : "", command);
        bool is_there =
            bytes > 0 && (size_t)bytes < sizeof(path) && access(path, X_OK) == 0;
        if (is_there || directories[length] == '\0') {
            errno = saved;
            return is_there && probe_next_refuses(path);
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

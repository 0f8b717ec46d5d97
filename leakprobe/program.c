#include "leakprobe/program.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/sanitizer_names.h"

#define SCRIPT_DEPTH_MAX 5 /* as the kernel: an interpreter may be a script */

/* ---- Finding it ---- */

/* Whether the path is a file that can be executed; *error remembers the better of the
 * reasons why none was. */
static bool is_program(const char *path, int *error)
{
    struct stat status;
    if (stat(path, &status) != 0) {
        return false;
    }
    if (S_ISREG(status.st_mode) && access(path, X_OK) == 0) {
        return true;
    }
    *error = EACCES;
    return false;
}

static bool path_search(const char *command, char *ret_path, size_t size, int *error)
{
    const char *directories = getenv("PATH");
    if (directories == NULL) {
        directories = "/bin:/usr/bin"; /* what execvp takes then */
    }
    while (true) {
        size_t length = strcspn(directories, ":");
        int bytes = snprintf(ret_path, size, "%.*s%s%s", (int)length, directories,
                             length > 0 ? "/" : "", command);
        if (bytes > 0 && (size_t)bytes < size && is_program(ret_path, error)) {
            return true;
        }
        if (directories[length] == '\0') {
            return false;
        }
        directories += length + 1;
    }
}

int program_find(const char *command, char *ret_path, size_t size,
                 struct failure *failure)
{
    int error = ENOENT;
    bool found;
    if (strchr(command, '/') == NULL) {
        found = *command != '\0' && path_search(command, ret_path, size, &error);
    } else {
        int length = snprintf(ret_path, size, "%s", command);
        found = (size_t)length < size && is_program(ret_path, &error);
    }
    if (found) {
        return 0;
    }
    return failure_set(
        failure, error, "%s '%.300s'",
        error == ENOENT ? "no such program:" : "not a program:", command);
}

/* ---- Looking into it ---- */

/* The interpreter in a script's first line, "#!/bin/sh -e"; false if it is none. */
static bool interpreter_read(int fd, char *ret_path, size_t size)
{
    char line[PATH_MAX + 2];
    ssize_t got = pread(fd, line, sizeof(line) - 1, 0);
    if (got < 2 || line[0] != '#' || line[1] != '!') {
        return false;
    }
    line[got] = '\0';
    const char *start = line + 2 + strspn(line + 2, " \t");
    size_t length = strcspn(start, " \t\n");
    return snprintf(ret_path, size, "%.*s", (int)length, start) < (int)size;
}

/* Whether the loader would ignore LD_PRELOAD: the kernel sets AT_SECURE (getauxval(3)).
 */
static bool gets_more_rights(int fd, struct failure *reason)
{
    struct stat status;
    if (fstat(fd, &status) != 0) {
        return false;
    }
    if ((status.st_mode & S_ISUID) != 0 && status.st_uid != getuid()) {
        failure_set(reason, EPERM, "it is set-uid");
        return true;
    }
    if ((status.st_mode & S_ISGID) != 0 && (status.st_mode & S_IXGRP) != 0 &&
        status.st_gid != getgid()) {
        failure_set(reason, EPERM, "it is set-gid");
        return true;
    }
    if (getuid() != 0 && fgetxattr(fd, "security.capability", NULL, 0) > 0) {
        failure_set(reason, EPERM, "its file has capabilities");
        return true;
    }
    return false;
}

/* Whether one of the libraries in the dynamic section is a sanitizer. */
static bool needs_sanitizer(Elf *elf, struct failure *reason)
{
    Elf_Scn *section = NULL;
    GElf_Shdr header;
    while ((section = elf_nextscn(elf, section)) != NULL) {
        if (gelf_getshdr(section, &header) == NULL || header.sh_type != SHT_DYNAMIC) {
            continue;
        }
        Elf_Data *data = elf_getdata(section, NULL);
        GElf_Dyn entry;
        for (int i = 0; data != NULL && gelf_getdyn(data, i, &entry) != NULL; i++) {
            const char *name =
                entry.d_tag == DT_NEEDED
                    ? elf_strptr(elf, header.sh_link, (size_t)entry.d_un.d_val)
                    : NULL;
            if (name != NULL && is_sanitizer_name(name)) {
                failure_set(reason, EPERM,
                            "it has a sanitizer's instruments already (%.60s)", name);
                return true;
            }
        }
    }
    return false;
}

/* Whether the program asks for the loader that this one was started by: only that one
 * can load the library. */
static bool has_loader(Elf *elf, struct failure *reason)
{
    size_t count = 0;
    elf_getphdrnum(elf, &count);
    for (size_t i = 0; i < count; i++) {
        GElf_Phdr part;
        if (gelf_getphdr(elf, (int)i, &part) != NULL && part.p_type == PT_INTERP) {
            size_t bytes = 0;
            const char *file = elf_rawfile(elf, &bytes);
            bool glibc = file != NULL && part.p_offset < bytes &&
                         strstr(file + part.p_offset, "/ld-linux") != NULL;
            if (!glibc) {
                failure_set(reason, EPERM, "its loader is not glibc's");
            }
            return glibc;
        }
    }
    failure_set(reason, EPERM, "it is linked statically, so no loader runs");
    return false;
}

static enum program_kind elf_kind_of(Elf *elf, struct failure *reason)
{
    GElf_Ehdr header;
    GElf_Ehdr own;
    if (elf_kind(elf) != ELF_K_ELF || gelf_getehdr(elf, &header) == NULL) {
        return PROGRAM_TAKES; /* the kernel will say what is wrong with it */
    }
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    Elf *self = fd < 0 ? NULL : elf_begin(fd, ELF_C_READ, NULL);
    bool known = self != NULL && gelf_getehdr(self, &own) != NULL;
    elf_end(self);
    if (fd >= 0) {
        close(fd);
    }
    if (known && (header.e_machine != own.e_machine ||
                  header.e_ident[EI_CLASS] != own.e_ident[EI_CLASS])) {
        failure_set(reason, EPERM, "it is for another kind of processor");
        return PROGRAM_REFUSES;
    }
    if (!has_loader(elf, reason)) {
        return PROGRAM_IGNORES;
    }
    return needs_sanitizer(elf, reason) ? PROGRAM_REFUSES : PROGRAM_TAKES;
}

static enum program_kind kind_of(const char *path, unsigned depth,
                                 struct failure *reason)
{
    char interpreter[PATH_MAX];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    enum program_kind kind = PROGRAM_TAKES;
    if (fd < 0) {
        return kind;
    }
    if (interpreter_read(fd, interpreter, sizeof(interpreter))) {
        if (depth < SCRIPT_DEPTH_MAX) {
            kind = kind_of(interpreter, depth + 1, reason);
        }
    } else if (gets_more_rights(fd, reason)) {
        kind = PROGRAM_IGNORES;
    } else {
        Elf *elf = elf_begin(fd, ELF_C_READ, NULL);
        kind = elf_kind_of(elf, reason);
        elf_end(elf);
    }
    close(fd);
    return kind;
}

enum program_kind program_kind(const char *path, struct failure *reason)
{
    elf_version(EV_CURRENT);
    return kind_of(path, 0, reason);
}

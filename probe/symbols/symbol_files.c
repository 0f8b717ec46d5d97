/*
 * The list only grows. Strings of a stale file may still be in use, so its tables stay.
 */
#include "probe/symbols/symbol_files.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "base/size.h"
#include "probe/recorder/inside.h"
#include "probe/symbols/mapped_file.h"
#include "probe/symbols/symbols.h"

#define FILES_MAX 1024
#define TABLES_BYTES_MAX ((size_t)(512 * MIB))

static struct symbol_file files[FILES_MAX];
static size_t files_count;
static size_t tables_bytes;

static bool is_same(const struct symbol_file *file, const char *path,
                    const struct stat *status)
{
    return !file->stale && file->status.st_dev == status->st_dev &&
           file->status.st_ino == status->st_ino &&
           file->status.st_size == status->st_size &&
           file->status.st_mtim.tv_sec == status->st_mtim.tv_sec &&
           file->status.st_mtim.tv_nsec == status->st_mtim.tv_nsec &&
           strcmp(file->path, path) == 0;
}

static struct symbol_request request_of(const struct symbol_source *source,
                                        const struct symbol_file *file)
{
    struct symbol_request request = {.fd = source->fd,
                                     .path = source->path,
                                     .facts = &file->facts,
                                     .line_bytes = UINT64_MAX,
                                     .interrupted = source->interrupted};
    if (source->when_needed) {
        request.line_bytes = SYMBOLS_LINES_MAX;
        request.detached_line_bytes =
            source->is_program ? SYMBOLS_LINES_MAX : SYMBOLS_LINES_DETACHED_MAX;
    }
    return request;
}

static int file_read(const struct symbol_source *source, struct symbol_file *file)
{
    int error = probe_elf_facts_read(source->fd, &file->facts);
    if (error != 0) {
        return error;
    }
    struct symbol_request request = request_of(source, file);
    probe_inside++; /* see libdw.c: not all of its calls of free would be seen */
    error = probe_symbol_tables_read(&request, &file->tables);
    probe_inside--;
    return error;
}

int probe_symbol_files_get(const struct symbol_source *source,
                           const struct symbol_file **ret_file)
{
    struct stat status;
    if (fstat(source->fd, &status) != 0) {
        return -errno;
    }
    for (size_t i = 0; i < files_count; i++) {
        if (is_same(&files[i], source->path, &status)) {
            *ret_file = &files[i];
            return 0;
        }
    }
    if (files_count == FILES_MAX || tables_bytes > TABLES_BYTES_MAX) {
        return -ENOSPC;
    }
    struct symbol_file *file = &files[files_count];
    *file = (struct symbol_file){.path = source->path, .status = status};
    int error = file_read(source, file);
    if (error != 0) {
        return error;
    }
    tables_bytes += probe_symbol_tables_bytes(&file->tables);
    files_count++;
    *ret_file = file;
    return 0;
}

const struct symbol_variables *
probe_symbol_files_variables(const struct symbol_file *file,
                             const struct symbol_source *source)
{
    struct symbol_file *own = &files[file - files];
    if (!own->variables_read) {
        struct symbol_request request = request_of(source, own);
        probe_inside++;
        int error = probe_symbol_variables_read(&request, &own->variables);
        probe_inside--;
        if (error != 0) {
            return NULL;
        }
        tables_bytes += probe_symbol_variables_bytes(&own->variables);
        own->variables_read = true;
    }
    return &own->variables;
}

bool probe_symbol_files_refresh(void)
{
    bool any = false;
    for (size_t i = 0; i < files_count; i++) {
        struct symbol_file *file = &files[i];
        if (file->stale || file->facts.has_symbols || file->tables.detached) {
            continue;
        }
        int fd = probe_debug_file_open(file->path, file->facts.build_id,
                                       file->facts.debug_link);
        if (fd >= 0) {
            close(fd);
            file->stale = true;
            any = true;
        }
    }
    return any;
}

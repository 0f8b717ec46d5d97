#include "probe/symbols/symbol_session.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <unistd.h>

#include "probe/symbols/mapped_file.h"

/* libdw wants the detached file, and closes it when the session ends. `userdata` is the
 * place in the module where the session is. */
static int debug_info_find(Dwfl_Module *module, void **userdata, const char *name,
                           Dwarf_Addr base, const char *file_name, const char *link,
                           GElf_Word link_crc, char **ret_file_name)
{
    (void)module, (void)name, (void)base, (void)file_name, (void)link, (void)link_crc;
    (void)ret_file_name;
    struct symbol_session *session = *userdata;
    const struct symbol_request *request = session->request;
    int fd = probe_debug_file_open(request->path, request->facts->build_id,
                                   request->facts->debug_link);
    struct elf_facts facts;
    if (fd >= 0 && probe_elf_facts_read(fd, &facts) == 0) {
        session->detached = true;
        session->detached_lines = facts.line_bytes;
    }
    return fd < 0 ? -1 : fd;
}

/* The file itself is given to libdw; it never looks for one. */
static const Dwfl_Callbacks callbacks = {.find_debuginfo = debug_info_find};

/* Gives the file to the session. Returns 0, with no module if libdw cannot read it; or
 * -errno. */
static int file_report(struct symbol_session *session)
{
    const struct libdw *libdw = session->libdw;
    const char *path = session->request->path;
    int fd = fcntl(session->request->fd, F_DUPFD_CLOEXEC, 0);
    if (fd < 0) {
        return -errno;
    }
    session->module = libdw->dwfl_report_elf(session->dwfl, path, path, fd, 0, true);
    if (session->module == NULL) {
        close(fd);
        return 0;
    }
    void **userdata = NULL;
    libdw->dwfl_module_info(session->module, &userdata, NULL, NULL, NULL, NULL, NULL,
                            NULL);
    *userdata = session;
    return libdw->dwfl_report_end(session->dwfl, NULL, NULL) == 0 ? 0 : -ENOMEM;
}

int probe_symbol_session_open(const struct symbol_request *request,
                              struct symbol_session *session)
{
    *session = (struct symbol_session){.libdw = probe_libdw(), .request = request};
    if (session->libdw == NULL) {
        return probe_libdw_may_come() ? -EMFILE : 0;
    }
    session->dwfl = session->libdw->dwfl_begin(&callbacks);
    if (session->dwfl == NULL) {
        return -ENOMEM;
    }
    int error = file_report(session);
    if (error != 0) {
        probe_symbol_session_close(session);
    }
    return error;
}

bool probe_symbol_session_interrupted(struct symbol_session *session)
{
    if (!session->interrupted && session->request->interrupted != NULL) {
        session->interrupted = session->request->interrupted();
    }
    return session->interrupted;
}

bool probe_symbol_session_lines_wanted(const struct symbol_session *session,
                                       bool *ret_left_out)
{
    const struct symbol_request *request = session->request;
    uint64_t own = request->facts->line_bytes;
    uint64_t bytes = own > 0 ? own : session->detached_lines;
    uint64_t limit = own > 0 ? request->line_bytes : request->detached_line_bytes;
    *ret_left_out = limit > 0 && bytes > limit;
    return bytes > 0 && bytes <= limit;
}

void probe_symbol_session_close(struct symbol_session *session)
{
    if (session->dwfl != NULL) {
        session->libdw->dwfl_end(session->dwfl);
    }
    session->dwfl = NULL;
    session->module = NULL;
}

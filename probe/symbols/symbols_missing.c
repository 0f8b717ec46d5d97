/*
 * Looks at the headers of each mapped file once, whether its tables have been read yet
 * or not.
 */
#include "probe/symbols/symbols_missing.h"

#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "probe/symbols/elf_facts.h"
#include "probe/symbols/mapped_file.h"
#include "probe/symbols/packages.h"
#include "probe/symbols/symbols.h"

#define FILES_MAX 64 /* in the list; the others are counted */
#define SHOWN_MAX 12 /* a longer list is folded */

struct missing {
    const struct module *modules[FILES_MAX];
    struct package_question packages[FILES_MAX];
    size_t count;
    size_t more;
    bool large; /* the lines of some file were left out */
};

/* Whether the file behind a module has only its exported names. A file that is not
 * there any more is not counted: nothing brings its names. */
static bool is_bare(const struct module *module)
{
    struct mapping mapping = {.start = module->start,
                              .end = module->end,
                              .offset = module->offset,
                              .path = module->path};
    struct elf_facts facts;
    if (module->path[0] != '/') {
        return false;
    }
    int fd = probe_mapped_file_open(&mapping, module->build_id);
    if (fd < 0) {
        return false;
    }
    bool bare = probe_elf_facts_read(fd, &facts) == 0 && !facts.has_symbols;
    close(fd);
    if (!bare) {
        return false;
    }
    fd = probe_debug_file_open(module->path, facts.build_id, facts.debug_link);
    if (fd >= 0) {
        close(fd);
    }
    return fd < 0;
}

static bool is_listed(const struct missing *missing, const struct module *module)
{
    for (size_t i = 0; i < missing->count; i++) {
        if (strcmp(missing->modules[i]->path, module->path) == 0) {
            return true;
        }
    }
    return false;
}

static void missing_find(struct missing *missing)
{
    size_t number = 0;
    const struct module *module = NULL;
    while ((module = probe_symbols_module_next(&number)) != NULL) {
        missing->large = missing->large || probe_symbols_lines_left_out(module);
        if (is_listed(missing, module) || !is_bare(module)) {
            continue;
        }
        if (missing->count == FILES_MAX) {
            missing->more++;
            continue;
        }
        missing->packages[missing->count].path = module->path;
        missing->modules[missing->count++] = module;
    }
    probe_packages_find(missing->packages, missing->count);
}

static void file_add(struct buffer *html, const struct module *module,
                     const char *package)
{
    buffer_text(html, "<li><code>");
    buffer_html(html, module->path);
    buffer_text(html, "</code>");
    if (package[0] != '\0') {
        char name[PACKAGE_NAME_BYTES + 8];
        probe_package_of_symbols(package, name, sizeof(name));
        buffer_text(html, ": package <code>");
        buffer_html(html, name);
        buffer_text(html, "</code>");
    }
    if (module->build_id[0] != '\0') {
        buffer_printf(html, ", build id <code>%s</code>", module->build_id);
    } else {
        buffer_text(html, ", without a build id");
    }
    buffer_text(html, "</li>\n");
}

static void missing_write(const struct missing *missing, struct buffer *html)
{
    bool packages = false;
    buffer_text(html, "<p>These files have no symbol table, so only the functions that "
                      "they export have a name. Symbols are taken from "
                      "<code>/usr/lib/debug/.build-id</code> as soon as they are "
                      "there.</p>\n");
    buffer_printf(html, "<details%s><summary>%zu files</summary>\n<ul>\n",
                  missing->count <= SHOWN_MAX ? " open" : "", missing->count);
    for (size_t i = 0; i < missing->count; i++) {
        file_add(html, missing->modules[i], missing->packages[i].package);
        packages = packages || missing->packages[i].package[0] != '\0';
    }
    buffer_text(html, "</ul>\n</details>\n");
    if (missing->more > 0) {
        buffer_printf(html, "<p>And %zu more.</p>\n", missing->more);
    }
    if (packages) {
        buffer_text(html,
                    "<p>Packages that end in <code>-dbgsym</code> are in the "
                    "debug archive (component main of SUITE-debug, such as "
                    "bookworm-debug); the page \u201cHow to get a backtrace\u201d "
                    "in Debian's wiki says how to add it.</p>\n");
    }
}

void probe_symbols_missing_add(struct buffer *html)
{
    struct missing missing = {.count = 0};
    bool readable = probe_symbols_readable();
    probe_symbols_load();
    missing_find(&missing);
    if (readable && missing.count == 0 && !missing.large) {
        return;
    }
    buffer_text(html, "<h2 id=\"names\">Names that are missing</h2>\n");
    if (!readable) {
        buffer_text(html,
                    "<p>No function has a name, only file and offset: the library "
                    "libdw is not installed (package <code>libdw1</code>; the "
                    "program must be started again).</p>\n");
    }
    if (missing.count > 0) {
        missing_write(&missing, html);
    }
    if (missing.large) {
        buffer_printf(html,
                      "<p>The line tables of some files are too large to be read "
                      "(over %llu MiB; over %llu MiB if they are detached from a "
                      "library).</p>\n",
                      (unsigned long long)(SYMBOLS_LINES_MAX >> 20),
                      (unsigned long long)(SYMBOLS_LINES_DETACHED_MAX >> 20));
    }
}

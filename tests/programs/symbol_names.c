/*
 * Looks up names as the probe does in a program that is not ours. Each line of standard
 * input is a command, and gives one line of output:
 *
 *   open PATH     loads a library; its function `inner_address` returns an address
 *   close         unloads the last one
 *   name          the name of the last library's inner function
 *   again         the same, without a new probe_symbols_load
 *   own           the name of a static function of this program
 *   vdso          the name of the kernel's clock_gettime
 *   unnamed       the name of code in an unnamed file
 *   debug PATH    where detached symbols are
 *   packages PATH where dpkg's lists are
 *   missing       what the index page says about names
 *   jail PATH     prepares for a chroot, and makes it
 *   drop          gives up the rights of root
 *   stop, go      reading is interrupted, or no longer
 *   dw            whether libdw is loaded
 *   count         how many descriptors are open
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "probe/process/descriptors.h"
#include "probe/symbols/mapped_file.h"
#include "probe/symbols/packages.h"
#include "probe/symbols/symbols.h"
#include "probe/symbols/symbols_missing.h"

static void *library;
static uintptr_t address;
static bool stopped;

__attribute__((noinline)) static int own_static(int value)
{
    return value * 3;
}

static bool is_stopped(void)
{
    return stopped;
}

static void name_print(uintptr_t where, bool load)
{
    struct symbol symbol;
    if (load) {
        probe_symbols_load();
    }
    probe_symbols_find(where, &symbol);
    printf("%s %s %s:%u\n", symbol.function, symbol.system_name,
           symbol.file == NULL ? "?" : symbol.file, symbol.line);
}

static void library_open(const char *path)
{
    library = dlopen(path, RTLD_NOW);
    uintptr_t (*inner_address)(void) = NULL;
    void *found = library == NULL ? NULL : dlsym(library, "inner_address");
    memcpy(&inner_address, &found, sizeof(found));
    address = inner_address == NULL ? 0 : inner_address();
    printf("%s\n", inner_address == NULL ? dlerror() : "opened");
}

static int vdso_find(struct dl_phdr_info *info, size_t size, void *ret_base)
{
    (void)size;
    if (strstr(info->dlpi_name, "vdso") != NULL) {
        *(uintptr_t *)ret_base = info->dlpi_addr;
    }
    return 0;
}

/* The functions of the kernel's code, which has no other public names. */
static void vdso_print(void)
{
    uintptr_t base = 0;
    struct symbol symbol = {.function = "?"};
    dl_iterate_phdr(vdso_find, &base);
    probe_symbols_load();
    for (uintptr_t at = base; at < base + 8192; at += 16) {
        probe_symbols_find(at, &symbol);
        if (strcmp(symbol.function, "clock_gettime") == 0) {
            break;
        }
    }
    printf("%s\n", symbol.function);
}

static void unnamed_print(void)
{
    int fd = memfd_create("made", MFD_CLOEXEC);
    char *code = fd < 0 || ftruncate(fd, 4096) != 0
                     ? MAP_FAILED
                     : mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
    if (code == MAP_FAILED) {
        printf("no mapping\n");
        return;
    }
    name_print((uintptr_t)code + 16, true);
}

static void missing_print(void)
{
    struct buffer html = {0};
    probe_symbols_missing_add(&html);
    for (size_t i = 0; i < html.length; i++) {
        putchar(html.data[i] == '\n' ? ' ' : html.data[i]);
    }
    putchar('\n');
    buffer_release(&html);
}

static int descriptors_count(void)
{
    int count = 0;
    for (int fd = 0; fd < 1024; fd++) {
        count += fcntl(fd, F_GETFD) >= 0 ? 1 : 0;
    }
    return count;
}

static void jail(const char *path)
{
    probe_symbols_read_all();
    printf("%s\n", chroot(path) == 0 && chdir("/") == 0 ? "jailed" : "no");
}

/* Returns false if there is no such command with a path. */
static bool run_on_path(const char *command, const char *path)
{
    if (strcmp(command, "open") == 0) {
        library_open(path);
    } else if (strcmp(command, "jail") == 0) {
        jail(path);
    } else if (strcmp(command, "debug") == 0) {
        probe_debug_root = strdup(path);
        printf("set\n");
    } else if (strcmp(command, "packages") == 0) {
        probe_package_lists = strdup(path);
        printf("set\n");
    } else {
        return false;
    }
    return true;
}

static void run(const char *command)
{
    if (strcmp(command, "name") == 0 || strcmp(command, "again") == 0) {
        name_print(address, command[0] == 'n');
    } else if (strcmp(command, "own") == 0) {
        name_print((uintptr_t)own_static, true);
    } else if (strcmp(command, "vdso") == 0) {
        vdso_print();
    } else if (strcmp(command, "unnamed") == 0) {
        unnamed_print();
    } else if (strcmp(command, "missing") == 0) {
        missing_print();
    } else if (strcmp(command, "close") == 0) {
        printf("%d\n", dlclose(library));
    } else if (strcmp(command, "drop") == 0) {
        printf("%s\n", setgid(65534) == 0 && setuid(65534) == 0 ? "dropped" : "no");
    } else if (strcmp(command, "stop") == 0 || strcmp(command, "go") == 0) {
        stopped = command[0] == 's';
        printf("%s\n", command);
    } else if (strcmp(command, "dw") == 0) {
        void *dw = dlopen("libdw.so.1", RTLD_LAZY | RTLD_NOLOAD);
        printf("%s\n", dw == NULL ? "no" : "yes");
    } else if (strcmp(command, "count") == 0) {
        printf("%d\n", descriptors_count());
    } else {
        printf("no such command\n");
    }
}

int main(void)
{
    char line[4096];
    probe_descriptors_protect(900);
    probe_symbols_read_when_needed(is_stopped);
    while (fgets(line, sizeof(line), stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        char *space = strchr(line, ' ');
        if (space != NULL) {
            *space = '\0';
        }
        if (space == NULL || !run_on_path(line, space + 1)) {
            run(line);
        }
        fflush(stdout);
    }
    return own_static(0);
}

/*
 * Which Debian package a file belongs to, from dpkg's own lists. Nothing is executed.
 *
 * Source: dpkg(1), /var/lib/dpkg/info/PACKAGE.list: a path in each line.
 */
#ifndef PROBE_SYMBOLS_PACKAGES_H
#define PROBE_SYMBOLS_PACKAGES_H

#include <stddef.h>

#define PACKAGE_NAME_BYTES 80

struct package_question {
    const char *path;                 /* of the file */
    char package[PACKAGE_NAME_BYTES]; /* the answer, without ":amd64"; "": unknown */
};

/* Where the lists are. Only tests change it. */
extern const char *probe_package_lists;

/* Answers all questions in one pass over the lists. */
void probe_packages_find(struct package_question *questions, size_t count);

/* Writes the name of the package with the detached symbols of `package`: NAME-dbgsym,
 * but for the few that have an older one. */
void probe_package_of_symbols(const char *package, char *name, size_t size);

#endif

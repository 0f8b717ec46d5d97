/*
 * Asks __cxa_demangle, and keeps each answer.
 */
#include "probe/symbols/demangle.h"

#include <ctype.h>
#include <dlfcn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "probe/stacks/hash_table.h"
#include "probe/symbols/kept_text.h"

#define MANGLED_BYTES_MAX 1024 /* libstdc++ takes stack for long names */

typedef char *demangle_function(const char *mangled, char *buffer, size_t *bytes,
                                int *status);

static demangle_function *demangler;
static struct table numbers;  /* by the pointer to the name */
static struct buffer answers; /* const char *, by number - 1 */

/* Finds the function, if libstdc++ is loaded by now. The library then stays:
 * RTLD_NODELETE keeps it when the program closes it. */
static demangle_function *demangler_find(void)
{
    void *address = dlsym(RTLD_DEFAULT, "__cxa_demangle");
    if (address == NULL) {
        void *library =
            dlopen("libstdc++.so.6", RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
        address = library == NULL ? NULL : dlsym(library, "__cxa_demangle");
    }
    demangle_function *function = NULL;
    memcpy(&function, &address, sizeof(function));
    return function;
}

/* ---- Shortening ---- */

/* The length of the operator at `text`, which follows the word "operator": "<<", "()",
 * "->". 0: it is a conversion or new, which read like other words. */
static size_t operator_length(const char *text)
{
    if (strncmp(text, "()", 2) == 0 || strncmp(text, "[]", 2) == 0) {
        return 2;
    }
    return strspn(text, "+-*/%^&|~!=<>,");
}

static bool word_at(const char *name, const char *at, const char *word)
{
    bool begins = at == name || !(isalnum((unsigned char)at[-1]) || at[-1] == '_');
    return begins && strncmp(at, word, strlen(word)) == 0;
}

/* The address after the bracket that closes the one at `at`; the end of the text if
 * none does. */
static const char *bracket_end(const char *at)
{
    int depth = 0;
    for (; *at != '\0'; at++) {
        if (strchr("(<{[", *at) != NULL) {
            depth++;
        } else if (strchr(")}]", *at) != NULL || (*at == '>' && at[-1] != '-')) {
            depth--;
        }
        if (depth == 0) {
            return at + 1;
        }
    }
    return at;
}

/* How many bytes at `at` stay together in the short name; 0: brackets to leave out. */
static size_t piece_length(const char *name, const char *at)
{
    static const char unnamed[] = "(anonymous namespace)";
    if (strncmp(at, unnamed, sizeof(unnamed) - 1) == 0) {
        return sizeof(unnamed) - 1;
    }
    if (word_at(name, at, "operator")) {
        return 8 + operator_length(at + 8);
    }
    if (word_at(name, at, "decltype(")) {
        return (size_t)(bracket_end(at + 8) - at);
    }
    if (*at == '{') { /* "{lambda(int)#1}" */
        return (size_t)(bracket_end(at) - at);
    }
    bool tag = strncmp(at, "[abi:", 5) == 0; /* of a version of the library */
    return tag || *at == '(' || *at == '<' ? 0 : 1;
}

void probe_demangle_shorten(char *name)
{
    char *to = name;
    char *begin = name; /* after the type that is returned */
    bool in_operator = false;
    const char *from = name;
    while (*from != '\0') {
        size_t length = piece_length(name, from);
        if (length == 0) {
            const char *end = bracket_end(from);
            if (*from == '(' && *end != ':') {
                break; /* the parameters; what follows says "const" and the like */
            }
            from = end;
            continue;
        }
        in_operator = in_operator || word_at(name, from, "operator");
        if (*from == ' ' && !in_operator) {
            begin = to + 1;
        }
        memmove(to, from, length);
        to += length;
        from += length;
    }
    while (to > begin && to[-1] == ' ') {
        to--;
    }
    *to = '\0';
    memmove(name, begin, (size_t)(to - begin) + 1);
}

/* ---- Asking ---- */

static const char *ask(const char *name)
{
    int status = -1;
    char *text = demangler(name, NULL, NULL, &status);
    if (text == NULL || status != 0) {
        free(text);
        return NULL;
    }
    probe_demangle_shorten(text);
    const char *kept = text[0] == '\0' ? NULL : probe_text_keep(text);
    free(text);
    return kept;
}

const char *probe_demangle(const char *name)
{
    if (strncmp(name, "_Z", 2) != 0 || strlen(name) > MANGLED_BYTES_MAX) {
        return name;
    }
    if (demangler == NULL && (demangler = demangler_find()) == NULL) {
        return name;
    }
    uint32_t *number = probe_table_at(&numbers, (uintptr_t)name);
    if (number == NULL) {
        return name;
    }
    if (*number == 0) {
        const char *answer = ask(name);
        answer = answer == NULL ? name : answer;
        buffer_append(&answers, &answer, sizeof(answer));
        if (answers.error != 0) {
            return name;
        }
        *number = (uint32_t)(answers.length / sizeof(answer));
    }
    return ((const char *const *)(const void *)answers.data)[*number - 1];
}

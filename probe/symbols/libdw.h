/*
 * The functions of elfutils' libdw, opened while the program runs. It is not linked in,
 * for two reasons: a program that has the probe in it need not have the library, and
 * the names that one of them exports do not become the other's.
 */
#ifndef PROBE_SYMBOLS_LIBDW_H
#define PROBE_SYMBOLS_LIBDW_H

#include <elfutils/libdw.h>
#include <elfutils/libdwfl.h>
#include <stdbool.h>

/* Every function that is called. To use one more, add it here. */
#define LIBDW_FUNCTIONS(DO)                                                            \
    DO(dwarf_attr)                                                                     \
    DO(dwarf_attr_integrate)                                                           \
    DO(dwarf_child)                                                                    \
    DO(dwarf_decl_file)                                                                \
    DO(dwarf_decl_line)                                                                \
    DO(dwarf_diename)                                                                  \
    DO(dwarf_formaddr)                                                                 \
    DO(dwarf_formstring)                                                               \
    DO(dwarf_formudata)                                                                \
    DO(dwarf_getlocation)                                                              \
    DO(dwarf_getlocation_attr)                                                         \
    DO(dwarf_getsrclines)                                                              \
    DO(dwarf_lineaddr)                                                                 \
    DO(dwarf_lineendsequence)                                                          \
    DO(dwarf_lineno)                                                                   \
    DO(dwarf_linesrc)                                                                  \
    DO(dwarf_onesrcline)                                                               \
    DO(dwarf_siblingof)                                                                \
    DO(dwarf_tag)                                                                      \
    DO(dwfl_begin)                                                                     \
    DO(dwfl_end)                                                                       \
    DO(dwfl_module_getsym_info)                                                        \
    DO(dwfl_module_getsymtab)                                                          \
    DO(dwfl_module_info)                                                               \
    DO(dwfl_module_nextcu)                                                             \
    DO(dwfl_report_elf)                                                                \
    DO(dwfl_report_end)

struct libdw {
#define LIBDW_MEMBER(name) __typeof__(name) *(name);
    LIBDW_FUNCTIONS(LIBDW_MEMBER)
#undef LIBDW_MEMBER
};

/* The functions; NULL if the library is not there. The first call opens it, and it
 * stays open: call it under a lock. */
const struct libdw *probe_libdw(void);

/* Whether it may be opened another time: there was no descriptor left. */
bool probe_libdw_may_come(void);

#endif

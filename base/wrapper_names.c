/*
 * The known wrappers, by the project that they come from. A name with a '*' stands for
 * all that begin so; it is used only where no other function begins so.
 */
#include "base/wrapper_names.h"

#include <stddef.h>

#include <string.h>

static const char *const known[] = {
    /* GNU, git, and many more */
    "xmalloc", "xmallocz", "xcalloc", "xrealloc", "xreallocarray", "xnmalloc",
    "xnrealloc", "xzalloc", "xstrdup", "xstrndup", "xmemdup", "xmemdup0", "xmemdupz",
    "xasprintf", "xvasprintf", "x2realloc", "x2nrealloc", "do_xmalloc", "xcharalloc",
    "ximalloc", "xizalloc", "xicalloc", "xirealloc", "safe_malloc", "safe_calloc",
    "safe_realloc", "safe_strdup", "checked_malloc", "checked_calloc",
    "checked_realloc", "my_malloc", "my_calloc", "my_realloc", "my_strdup", "mymalloc",
    "emalloc", "ecalloc", "erealloc", "estrdup", "ck_malloc", "ck_calloc", "ck_realloc",
    "ck_realloc_u32", "must_malloc", "must_calloc", "must_realloc",
    /* redis, valkey */
    "zmalloc*", "zcalloc*", "zrealloc*", "ztrymalloc*", "ztrycalloc*", "ztryrealloc*",
    "zstrdup", "s_malloc", "s_realloc", "s_trymalloc", "hi_malloc", "hi_calloc",
    "hi_realloc", "hi_strdup",
    /* GLib */
    "g_malloc*", "g_realloc*", "g_try_malloc*", "g_try_realloc*", "g_aligned_alloc*",
    "g_slice_alloc*", "g_slice_copy", "g_strdup", "g_strndup", "g_memdup", "g_memdup2",
    /* nginx */
    "ngx_alloc", "ngx_calloc", "ngx_memalign", "ngx_palloc", "ngx_palloc_*",
    "ngx_pnalloc", "ngx_pcalloc", "ngx_pmemalign", "ngx_create_pool", "ngx_pstrdup",
    /* the Apache Portable Runtime */
    "apr_palloc*", "apr_pcalloc*", "apr_pstrdup", "apr_pstrndup", "apr_pmemdup",
    "allocator_alloc",
    /* Python */
    "PyMem_Malloc", "PyMem_Calloc", "PyMem_Realloc", "PyMem_Raw*", "_PyMem_*",
    "PyObject_Malloc", "PyObject_Calloc", "PyObject_Realloc", "_PyObject_Malloc",
    "_PyObject_Calloc", "_PyObject_Realloc", "pymalloc_alloc", "new_arena",
    "_PyObject_Arena*",
    /* SQLite */
    "sqlite3_malloc*", "sqlite3_realloc*", "sqlite3Malloc*", "sqlite3MemMalloc",
    "sqlite3MemRealloc", "sqlite3Realloc", "sqlite3DbMalloc*", "sqlite3DbRealloc*",
    "sqlite3DbStr*", "mallocWithAlarm", "dbMallocRawFinish", "dbReallocFinish",
    /* OpenSSL, libevent, libuv, FFmpeg, PostgreSQL, mosquitto */
    "CRYPTO_malloc", "CRYPTO_zalloc", "CRYPTO_calloc", "CRYPTO_realloc",
    "CRYPTO_strdup", "CRYPTO_strndup", "CRYPTO_memdup", "event_mm_malloc_",
    "event_mm_calloc_", "event_mm_realloc_", "event_mm_strdup_", "uv__malloc",
    "uv__calloc", "uv__realloc", "uv__strdup", "uv__strndup", "av_malloc*", "av_calloc",
    "av_realloc*", "av_strdup", "av_memdup", "palloc", "palloc0", "palloc_extended",
    "repalloc", "pstrdup", "pnstrdup", "MemoryContextAlloc*", "MemoryContextStrdup",
    "AllocSetAlloc*", "AllocSetRealloc", "mosquitto__malloc", "mosquitto__calloc",
    "mosquitto__realloc", "mosquitto__strdup", "mosquitto_malloc", "mosquitto_calloc",
    "mosquitto_realloc", "mosquitto_strdup",
    /* Perl */
    "Perl_safesys*", "Perl_savepv*", "Perl_savesharedpv*",
    /* C++ and Rust */
    "operator new*", "_Znw*", "_Zna*", "std::allocator<*", "std::allocator_traits<*",
    "std::__new_allocator<*", "__gnu_cxx::new_allocator<*",
    "__gnu_cxx::__alloc_traits<*", "__rust_alloc*", "__rust_realloc", "__rdl_alloc*",
    "__rdl_realloc", "__rg_alloc*", "__rg_realloc", "alloc::alloc::alloc*",
    "alloc::alloc::realloc", "alloc::alloc::exchange_malloc", "alloc::alloc::Global::*",
    "<alloc::alloc::Global*",
    /* allocators under a name of their own */
    "je_malloc*", "je_calloc", "je_realloc", "je_rallocx", "je_mallocx", "mi_malloc*",
    "mi_calloc*", "mi_realloc*", "mi_zalloc*", "__libc_malloc", "__libc_calloc",
    "__libc_realloc", "__libc_memalign"};

bool wrapper_name_fits(const char *function, const char *pattern)
{
    size_t length = strlen(pattern);
    if (length > 0 && pattern[length - 1] == '*') {
        return strncmp(function, pattern, length - 1) == 0;
    }
    return strncmp(function, pattern, length) == 0 &&
           (function[length] == '\0' || strchr(".(@", function[length]) != NULL);
}

bool wrapper_name_known(const char *function)
{
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (wrapper_name_fits(function, known[i])) {
            return true;
        }
    }
    return false;
}

/*
 * Where no source line is known, the mapped file is named instead.
 */
#include "probe/symbols/frame_text.h"

#include <stddef.h>
#include <string.h>

#include "probe/symbols/symbols.h"

/* The source file and line, or the mapped file. */
static void place_append(struct buffer *text, const struct symbol *symbol,
                         uintptr_t address)
{
    if (symbol->file_in_tree != NULL) {
        buffer_printf(text, "%s:%u", symbol->file_in_tree, symbol->line);
        return;
    }
    const struct module *module = probe_symbols_module(address);
    buffer_text(text, module == NULL ? "?" : module->path);
}

void probe_frame_comment(struct buffer *text, uintptr_t shown, uintptr_t inside)
{
    struct symbol symbol;
    probe_symbols_find(inside, &symbol);
    buffer_printf(text, "#\t0x%llx\t%s+0x%llx\t", (unsigned long long)shown,
                  symbol.function, (unsigned long long)(shown - symbol.start));
    place_append(text, &symbol, inside);
    buffer_append(text, "\n", 1);
}

void probe_frame_addresses(struct buffer *text, const uintptr_t *frames, size_t depth)
{
    for (size_t i = 0; i < depth; i++) {
        buffer_printf(text, " 0x%llx", (unsigned long long)frames[i] + 1);
    }
}

void probe_frame_block(struct buffer *text, uintptr_t inside)
{
    struct symbol symbol;
    probe_symbols_find(inside, &symbol);
    buffer_printf(text, "%s\n\t", symbol.function);
    place_append(text, &symbol, inside);
    buffer_printf(text, " +0x%llx\n", (unsigned long long)(inside - symbol.start));
}

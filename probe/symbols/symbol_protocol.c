/*
 * Parses addresses and appends their names; reads the command line from /proc.
 */
#include "probe/symbols/symbol_protocol.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "base/number.h"
#include "probe/process/descriptors.h"
#include "probe/symbols/symbols.h"

#define READ_BYTES ((size_t)4096)

/* Reads one word as an address; false if it is anything else. */
static bool word_parse(const char *word, size_t length, uintptr_t *ret_address)
{
    if (length > 2 && word[0] == '0' && (word[1] == 'x' || word[1] == 'X')) {
        word += 2;
        length -= 2;
    }
    uint64_t address;
    if (number_scan_hex(word, word + length, &address) != word + length) {
        return false;
    }
    *ret_address = address;
    return true;
}

int probe_symbol_answer(const char *request, size_t bytes, struct buffer *ret_text)
{
    if (bytes > SYMBOL_REQUEST_BYTES_MAX) {
        return -EMSGSIZE;
    }
    probe_symbols_load();
    buffer_text(ret_text, "num_symbols: 1\n");
    for (size_t at = 0; at < bytes;) {
        const char *word = request + at;
        const char *plus = memchr(word, '+', bytes - at);
        size_t length = plus == NULL ? bytes - at : (size_t)(plus - word);
        at += length + 1;
        uintptr_t address = 0;
        struct symbol symbol;
        if (word_parse(word, length, &address) &&
            probe_symbols_find(address, &symbol)) {
            buffer_printf(ret_text, "0x%llx\t%s\n", (unsigned long long)address,
                          symbol.function);
        }
    }
    return ret_text->error;
}

int probe_command_line_answer(struct buffer *ret_text)
{
    int fd = probe_proc_open("thread-self/cmdline", O_RDONLY);
    if (fd < 0) {
        return fd;
    }
    int error = 0;
    ssize_t got = 1;
    while (got != 0 && error == 0) {
        char *end = buffer_reserve(ret_text, READ_BYTES);
        if (end == NULL) {
            error = ret_text->error;
            break;
        }
        got = read(fd, end, READ_BYTES);
        if (got > 0) {
            buffer_extend(ret_text, (size_t)got);
        } else if (got < 0 && errno != EINTR) {
            error = -errno;
        }
    }
    close(fd);
    /* Every argument ends with a '\0'; the one after the last argument is removed. */
    if (error == 0 && ret_text->length > 0 &&
        ret_text->data[ret_text->length - 1] == '\0') {
        ret_text->length--;
    }
    return error;
}

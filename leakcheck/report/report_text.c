/*
 * The table as a file, as it is printed to a pipe.
 */
#include <errno.h>
#include <stdlib.h>

#include "leakcheck/report/report.h"
#include "leakcheck/report/table.h"

int report_text(const char *path, const struct judgement *judgement,
                struct failure *failure)
{
    char *text = NULL;
    size_t length = 0;
    FILE *stream = open_memstream(&text, &length);
    if (stream == NULL) {
        return failure_set(failure, ENOMEM, "out of memory");
    }
    table_judgement(stream, TABLE_STYLE_PLAIN, judgement);
    int error = fclose(stream) != 0 ? failure_set(failure, ENOMEM, "out of memory")
                                    : report_write(path, text, length, failure);
    free(text);
    return error;
}

/*
 * The unit, and the number of decimals, depend on the size of the number.
 */
#include "leakcheck/report/text.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void text_append(char *text, size_t size, const char *format, ...)
{
    size_t length = strlen(text);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text + length, size - length, format, arguments);
    va_end(arguments);
}

struct text text_bytes(double bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    struct text text;
    int unit = 0;
    /* At most three digits before the point, once rounded: 0.98 MiB, not 1000.0 KiB. */
    while (unit < 4 && fabs(bytes) >= (unit == 0 ? 1023.5 : 999.95)) {
        bytes /= 1024;
        unit++;
    }
    /* No "-0 B". */
    bytes = unit == 0 && fabs(bytes) < 0.5 ? 0 : bytes;
    int decimals = unit == 0 ? 0 : fabs(bytes) < 0.995 ? 2 : 1;
    snprintf(text.at, sizeof(text.at), "%.*f %s", decimals, bytes, units[unit]);
    return text;
}

struct text text_count(double count)
{
    struct text text;
    bool whole = fabs(count - round(count)) < 0.005;
    const char *format = whole ? "%.0f" : fabs(count) < 9.995 ? "%.2f" : "%.1f";
    snprintf(text.at, sizeof(text.at), format, whole ? round(count) + 0.0 : count);
    return text;
}

struct text text_number_of(uint64_t count, const char *singular)
{
    struct text text;
    snprintf(text.at, sizeof(text.at), "%" PRIu64 " %.40s%s", count, singular,
             count == 1 ? "" : "s");
    return text;
}

struct text text_unmeasured(size_t count)
{
    struct text text = {""};
    if (count > 0) {
        snprintf(text.at, sizeof(text.at), ", %zu not measured", count);
    }
    return text;
}

struct text text_amount(enum resource resource, double amount)
{
    return resource_is_bytes(resource) ? text_bytes(amount) : text_count(amount);
}

struct text text_growth(enum resource resource, double amount)
{
    return text_amount(resource, amount < 0 ? 0 : amount);
}

bool text_is_shrinkage(enum resource resource, double amount)
{
    return text_amount(resource, amount).at[0] == '-';
}

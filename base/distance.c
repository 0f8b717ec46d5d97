#include "base/distance.h"

#include <string.h>

#define LENGTH_MAX 63

size_t text_distance(const char *a, const char *b)
{
    size_t row[LENGTH_MAX + 1];
    size_t length = strnlen(b, LENGTH_MAX);
    for (size_t j = 0; j <= length; j++) {
        row[j] = j;
    }
    for (size_t i = 1; i <= LENGTH_MAX && a[i - 1] != '\0'; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= length; j++) {
            size_t cost = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            size_t gap = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            row[j] = cost < gap ? cost : gap;
        }
    }
    return row[length];
}

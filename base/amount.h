/*
 * Arithmetic on amounts that come from outside. A result that is too large becomes
 * AMOUNT_MAX, one that is too small -AMOUNT_MAX. AMOUNT_MAX is a quarter of the type's
 * range, so the sum or difference of two amounts cannot overflow.
 */
#ifndef BASE_AMOUNT_H
#define BASE_AMOUNT_H

#include <stdint.h>

#define AMOUNT_MAX (INT64_MAX / 4)

static inline int64_t amount_limit(int64_t amount)
{
    if (amount > AMOUNT_MAX) {
        return AMOUNT_MAX;
    }
    return amount < -AMOUNT_MAX ? -AMOUNT_MAX : amount;
}

static inline int64_t amount_add(int64_t left, int64_t right)
{
    return amount_limit(amount_limit(left) + amount_limit(right));
}

static inline int64_t amount_subtract(int64_t left, int64_t right)
{
    return amount_limit(amount_limit(left) - amount_limit(right));
}

static inline int64_t amount_multiply(int64_t left, int64_t right)
{
    int64_t product;
    if (__builtin_mul_overflow(left, right, &product)) {
        return (left < 0) == (right < 0) ? AMOUNT_MAX : -AMOUNT_MAX;
    }
    return amount_limit(product);
}

#endif

/* Blocks that variables hold: of the program, of a file, of a function, of a thread. */
#include "cases.h"

struct slot {
    int number;
    void *block;
};

void *volatile shelf;
static void *volatile drawer;
static volatile struct slot slots[8];
static char *volatile inside;
static void **volatile rows;
static size_t rows_count;
void *volatile early = &early; /* data with a value comes before data without */
void *volatile late;
static _Thread_local void *volatile own_desk;
static void *volatile wrapped;
static void *volatile joined;
static void **volatile growing;
static size_t growing_count;
static void *volatile gone;

static APART void *shelf_fill(void)
{
    return TOLD(malloc(100));
}

/* 1: 100 @ shelf_fill < global shelf */
static void case_global(void)
{
    shelf = shelf_fill();
}

static APART void *drawer_fill(void)
{
    return TOLD(calloc(3, 50));
}

/* 1: 150 @ drawer_fill < global drawer */
static void case_file_static(void)
{
    drawer = drawer_fill();
}

static APART void *pocket_fill(void)
{
    return TOLD(malloc(210));
}

/* 1: 210 @ pocket_fill < global pocket */
static APART void case_function_static(void)
{
    static void *volatile pocket;
    pocket = pocket_fill();
    (void)pocket;
}

static APART void *slot_fill(size_t bytes)
{
    return TOLD(malloc(bytes));
}

/* 2: 330 @ slot_fill < global slots */
static void case_struct_in_array(void)
{
    slots[2].block = slot_fill(110);
    slots[7].block = slot_fill(220);
}

static APART char *inside_fill(void)
{
    return TOLD(malloc(4000));
}

/* 1: 4000 @ inside_fill < global inside */
static void case_interior_pointer(void)
{
    inside = inside_fill() + 1234;
}

static APART void rows_grow(void)
{
    rows = realloc(rows, (rows_count + 1) * sizeof(*rows));
}

static APART void *row_make(void)
{
    return TOLD(strdup("a row of a table"));
}

/* 20: 340 @ row_make < rows_grow < global rows
 * 1: 160 @ rows_grow < global rows */
static void case_array_of_pointers(void)
{
    while (rows_count < 20) {
        rows_grow();
        rows[rows_count++] = row_make();
    }
    told("rows_grow", rows);
}

static APART void **both_make(size_t bytes)
{
    return TOLD(malloc(bytes));
}

static APART void *under_make(void)
{
    return TOLD(malloc(64));
}

/* The first in the fixed order has it; what it leads to is shared as well.
 * 1: 500 @ both_make < global early shared
 * 1: 64 @ under_make < both_make < global early shared */
static void case_two_globals(void)
{
    void **both = both_make(500);
    *both = under_make();
    early = both;
    late = both;
}

static APART void *desk_fill(void)
{
    return TOLD(malloc(310));
}

/* 1: 310 @ desk_fill < thread-local own_desk */
static void case_thread_local(void)
{
    own_desk = desk_fill();
}

static APART void *xmalloc(size_t bytes)
{
    void *block = malloc(bytes);
    if (block == NULL) {
        abort();
    }
    return block;
}

static APART void *parcel_make(void)
{
    return TOLD(xmalloc(410));
}

/* 1: 410 @ parcel_make < global wrapped */
static void case_wrapper(void)
{
    wrapped = parcel_make();
}

static inline __attribute__((always_inline)) void *joined_make(void)
{
    return told("joined_fill", malloc(420));
}

static APART void *joined_fill(void)
{
    return joined_make();
}

/* The inlined function is a part of the one that has a place in the program.
 * 1: 420 @ joined_fill < global joined */
static void case_inlined(void)
{
    joined = joined_fill();
}

static APART void *growing_fill(void)
{
    return TOLD(malloc(1000));
}

static APART void growing_grow(void)
{
    growing = realloc(growing, (growing_count + 3) * sizeof(*growing));
}

/* Each time three more.
 * 3: 3000 @ growing_fill < growing_grow < global growing
 * 1: 24 @ growing_grow < global growing */
static void case_grows(void)
{
    growing_grow();
    for (int i = 0; i < 3; i++) {
        growing[growing_count++] = growing_fill();
    }
}

static APART void *gone_fill(void)
{
    return TOLD(malloc(777));
}

/* Each second time it goes.
 * 1: 777 @ gone_fill < global gone */
static void case_goes(void)
{
    free(gone);
    gone = gone == NULL ? gone_fill() : NULL;
}

int main(int argc, char **argv)
{
    static const struct held_case cases[] = {
        {"global", case_global, false},
        {"file_static", case_file_static, false},
        {"function_static", case_function_static, false},
        {"struct_in_array", case_struct_in_array, false},
        {"interior_pointer", case_interior_pointer, false},
        {"array_of_pointers", case_array_of_pointers, false},
        {"two_globals", case_two_globals, false},
        {"thread_local", case_thread_local, true},
        {"wrapper", case_wrapper, false},
        {"inlined", case_inlined, false},
        {"grows", case_grows, false},
        {"goes", case_goes, false},
    };
    return cases_main(cases, sizeof(cases) / sizeof(cases[0]), argc, argv);
}

/*
 * A game program searches for a good sequence of moves. Each level of the search makes
 * one move on its board and calls the next level.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "runtime/context.h"
#include "scenario.h"

#define BOARD_BYTES (1024 * 1024)
#define LEVELS_MAX 48
/* Twice the boards, because with AddressSanitizer every level takes more stack. */
#define SEARCH_STACK_BYTES ((2 * LEVELS_MAX + 4) * BOARD_BYTES)

struct board {
    unsigned char squares[BOARD_BYTES];
};

struct search {
    const struct scenario_request *request;
    size_t levels;
    /* The results. */
    size_t score;
    uint32_t boards; /* a checksum of the boards of all levels, deepest first */
};

/* The position that every search starts from. */
static struct board board_start;
static atomic_size_t searches_running;

/* The move of a level, not 0: the id spells them. */
static unsigned char search_move(const struct search *search, size_t level)
{
    const char *id = search->request->id;
    return (unsigned char)id[level % strlen(id)];
}

/* Searches from `board` and returns the score of the sequence. */
static size_t board_search(struct board board, struct search *search, size_t level)
{
    /* LEAK: every level has a copy of the whole board on its stack until it returns. */
    board.squares[level] = search_move(search, level);
    size_t below = 0;
    if (level + 1 < search->levels) {
        below = board_search(board, search, level + 1);
    } else {
        context_sleep(search->request->context, search->request->hold_ms);
    }
    size_t score = below + board.squares[level];
    search->boards =
        search->boards * 31 + scenario_digest(board.squares, search->levels);
    return score;
}

static void *search_work(void *argument)
{
    struct search *search = argument;
    pthread_setname_np(pthread_self(), "board-search");
    search->score = board_search(board_start, search, 0);
    return NULL;
}

/* Searches in a separate thread, whose stack is large enough. */
static int search_run(const struct scenario_request *request,
                      struct scenario_answer *answer)
{
    struct search search = {
        .request = request,
        .levels = request->bytes / BOARD_BYTES,
        .boards = scenario_digest(request->id, strlen(request->id)),
    };
    pthread_attr_t attributes;
    int error = pthread_attr_init(&attributes);
    if (error != 0) {
        return -error;
    }
    pthread_t thread;
    error = pthread_attr_setstacksize(&attributes, SEARCH_STACK_BYTES);
    if (error == 0) {
        error = pthread_create(&thread, &attributes, search_work, &search);
    }
    pthread_attr_destroy(&attributes);
    if (error != 0) {
        return -error;
    }
    atomic_fetch_add(&searches_running, 1);
    pthread_join(thread, NULL);
    atomic_fetch_sub(&searches_running, 1);
    scenario_answer_set(answer, "%zu levels, score %zu, %08x, %zu bytes", search.levels,
                        search.score, search.boards, request->bytes);
    return 0;
}

static size_t searches_count(void)
{
    return atomic_load(&searches_running);
}

const struct scenario array_by_value_scenario = {
    .name = "array-by-value",
    .family = "by-value",
    .title = "A large struct passed by value",
    .kind = SCENARIO_TEMPORARY,
    .story = "A game program passes its board, a struct of 1 MiB, down a recursive "
             "search of 32 levels.",
    .symptom =
        "While a search runs, the resident set is larger by 1 MiB for each level; "
        "afterwards it is as before. The heap profile shows none of it.",
    .cause = "A struct passed by value is copied for every call, and the copies stay "
             "on the stack until the calls return.",
    .fix = "The board is passed by pointer, and each level undoes its move.",
    .find_it = "Call it with hold=5000 and look at rss_bytes in /status meanwhile; "
               "/debug/pprof/goroutine?debug=1 shows board_search 32 deep.",
    .bytes_default = 32 * 1024 * 1024,
    .bytes_min = BOARD_BYTES,
    .bytes_max = LEVELS_MAX * BOARD_BYTES,
    .bytes_meaning = "the boards of all levels, 1 MiB each",
    .holds = {.stack_blocks = 1},
    .working_threads = 1,
    .run = search_run,
    .held = searches_count,
};

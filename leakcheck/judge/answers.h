/*
 * Answers: what the work of a call came to, as its reply says. Both halves of a pair
 * get the same questions, and must give the same answers: a fix that does less of the
 * work is no fix.
 */
#ifndef LEAKCHECK_JUDGE_ANSWERS_H
#define LEAKCHECK_JUDGE_ANSWERS_H

#include "leakcheck/judge/trial.h"
#include "leakcheck/measure/drive.h"

/* The questions about one scenario. The leaky half gets only those before
 * QUESTION_OTHER, because each of its calls leaves something behind. */
enum {
    QUESTION_PLAIN, /* with the default size */
    QUESTION_SMALL, /* with the least size, and another id */
    QUESTION_TWICE, /* with a count, an odd size, and an id that must be escaped */
    QUESTION_OTHER, /* the id of QUESTION_PLAIN with the size of QUESTION_SMALL */
    QUESTION_AGAIN, /* QUESTION_SMALL once more, after the trials */
    QUESTIONS
};

/* What one half answered. { 0 }: it was not asked. */
struct answers {
    bool asked[QUESTIONS];
    struct answer given[QUESTIONS];
};

enum answers_result {
    ANSWERS_NOT_MEASURED,     /* a reply of the leaky half, or both, has none in it */
    ANSWERS_EQUAL,            /* the answers of both halves */
    ANSWERS_LEAKY_UNFINISHED, /* those of fixed alone are there, and are plausible */
    ANSWERS_WRONG,
};

struct answers_finding {
    enum answers_result result;
    unsigned compared; /* questions that both halves answered */
    char reason[512];  /* what is wrong; "" if nothing is */
};

/* Asks one half about one scenario, all but QUESTION_AGAIN. `limits` are the server's
 * guard rails: where a leaky call takes much of one, it gets one question less. Returns
 * 0 or -errno. */
int answers_ask(struct server *server, const struct scenario_info *info, enum role role,
                const struct resources *limits, struct answers *ret_answers,
                struct failure *failure);

/* Asks the fixed half QUESTION_AGAIN: a fix that works for the first calls only is
 * found out. Returns 0 or -errno. */
int answers_ask_again(struct server *server, const struct scenario_info *info,
                      struct answers *answers, struct failure *failure);

/* Whether a call of this half ended before its work was done. */
bool answers_unfinished(const struct answers *answers);

/* Compares the answers of both halves. Those of the fixed half must also be the same
 * for the same question, and differ for another id or another size. */
struct answers_finding answers_compare(const struct scenario_info *info,
                                       const struct answers *leaky,
                                       const struct answers *fixed);

/* The result for scripts ("equal", "unequal", "leaky not finished", "not measured"),
 * and for people ("answers equal"). */
const char *answers_word(enum answers_result result);
const char *answers_phrase(enum answers_result result);

#endif

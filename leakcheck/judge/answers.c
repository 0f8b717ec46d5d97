/*
 * The questions are few and small: what a leaky half leaves for them stays until its
 * server ends.
 */
#include "leakcheck/judge/answers.h"

#include <stdio.h>
#include <string.h>

#define RAIL_PART 64 /* a call that takes more of a guard rail is a costly one */

/* The least size and half of it more, odd where the least is even. */
static int64_t odd_size(const struct scenario_info *info)
{
    int64_t bytes = info->bytes_min + info->bytes_min / 2 + 1;
    return info->bytes_max != UNKNOWN && bytes > info->bytes_max ? info->bytes_max
                                                                 : bytes;
}

static struct question question_make(const struct scenario_info *info, int number)
{
    static const char *const ids[QUESTIONS] = {
        [QUESTION_PLAIN] = "leakcheck",
        [QUESTION_SMALL] = "x",
        [QUESTION_TWICE] = "%25s%20%26%20%22quoted%22%20%27%5C",
        [QUESTION_OTHER] = "leakcheck",
        [QUESTION_AGAIN] = "x",
    };
    struct question question = {
        .id = ids[number], .bytes = info->bytes_min, .count = 1};
    if (number == QUESTION_TWICE) {
        question.bytes = odd_size(info);
        question.count = 2;
    }
    if (number == QUESTION_PLAIN || info->bytes_default == UNKNOWN) {
        question.bytes = UNKNOWN;
    }
    return question;
}

/* Whether a call of the leaky half leaves much, or leaves what goes on growing. */
static bool is_costly(const struct scenario_info *info, const struct resources *limits)
{
    for (int i = RESOURCE_THREADS; i <= RESOURCE_TIMERS; i++) {
        if (limits->amount[i] != UNKNOWN &&
            info->leaves.amount[i] > limits->amount[i] / RAIL_PART) {
            return true;
        }
    }
    return info->growth_bytes_per_second > 0;
}

static bool is_asked(const struct scenario_info *info, enum role role,
                     const struct resources *limits, int number)
{
    if (role == ROLE_FIXED || number < QUESTION_TWICE) {
        return true;
    }
    return number == QUESTION_TWICE && !is_costly(info, limits);
}

/* Asks one question, and keeps the answer. */
static int question_ask(struct server *server, const struct scenario_info *info,
                        int number, struct answers *answers, struct failure *failure)
{
    struct question question = question_make(info, number);
    int error =
        drive_question(server, info, &question, &answers->given[number], failure);
    answers->asked[number] = error == 0;
    return error;
}

int answers_ask(struct server *server, const struct scenario_info *info, enum role role,
                const struct resources *limits, struct answers *ret_answers,
                struct failure *failure)
{
    struct answers answers = {0};
    for (int i = 0; i < QUESTION_AGAIN; i++) {
        int error = is_asked(info, role, limits, i)
                        ? question_ask(server, info, i, &answers, failure)
                        : 0;
        if (error < 0) {
            return error;
        }
    }
    *ret_answers = answers;
    return 0;
}

int answers_ask_again(struct server *server, const struct scenario_info *info,
                      struct answers *answers, struct failure *failure)
{
    return question_ask(server, info, QUESTION_AGAIN, answers, failure);
}

static bool is_given(const struct answers *answers, int number)
{
    return answers->asked[number] && answers->given[number].kind == ANSWER_GIVEN;
}

static bool is_same(const struct answer *one, const struct answer *other)
{
    return strcmp(one->text, other->text) == 0;
}

static struct question_text question_text(const struct scenario_info *info, int number)
{
    struct question question = question_make(info, number);
    return drive_question_text(&question);
}

/* Compares what both halves said to one question. Returns false if it is wrong. */
static bool halves_agree(const struct scenario_info *info, int number,
                         const struct answers *leaky, const struct answers *fixed,
                         struct answers_finding *finding)
{
    const struct answer *first = &leaky->given[number];
    const struct answer *second = &fixed->given[number];
    if (!is_given(leaky, number) || !is_given(fixed, number)) {
        return true;
    }
    finding->compared++;
    if (is_same(first, second)) {
        return true;
    }
    snprintf(finding->reason, sizeof(finding->reason),
             "for %s, leaky says '%.150s', fixed says '%.150s'",
             question_text(info, number).at, first->text, second->text);
    return false;
}

/* Whether any answer of one half is of this kind. */
static bool has_kind(const struct answers *answers, enum answer_kind kind)
{
    for (int i = 0; i < QUESTIONS; i++) {
        if (answers->asked[i] && answers->given[i].kind == kind) {
            return true;
        }
    }
    return false;
}

/* Whether the fixed half gives an answer each time, if the leaky half's replies have
 * one. */
static bool fixed_is_finished(const struct scenario_info *info,
                              const struct answers *leaky, const struct answers *fixed,
                              struct answers_finding *finding)
{
    bool expected = has_kind(leaky, ANSWER_GIVEN) || has_kind(leaky, ANSWER_UNFINISHED);
    for (int i = 0; i < QUESTIONS; i++) {
        bool missing = expected && fixed->given[i].kind == ANSWER_MISSING;
        if (!fixed->asked[i] ||
            (fixed->given[i].kind != ANSWER_UNFINISHED && !missing)) {
            continue;
        }
        snprintf(finding->reason, sizeof(finding->reason), "for %s: %s on fixed",
                 question_text(info, i).at, missing ? "no answer" : "not finished");
        return false;
    }
    return true;
}

/* Whether two answers of the fixed half differ, as those to different questions must;
 * true if one of them is not there. `what` is what differs in the question. */
static bool fixed_differs(const struct scenario_info *info, const struct answers *fixed,
                          int number, const char *what, struct answers_finding *finding)
{
    const struct answer *first = &fixed->given[number];
    const struct answer *other = &fixed->given[QUESTION_OTHER];
    if (!is_given(fixed, number) || !is_given(fixed, QUESTION_OTHER) ||
        !is_same(first, other)) {
        return true;
    }
    snprintf(finding->reason, sizeof(finding->reason),
             "for %s and for another %s, fixed says '%.150s' alike",
             question_text(info, number).at, what, first->text);
    return false;
}

/* Whether the fixed half gives the same answer to the same question, and another one to
 * another id and to another size. */
static bool fixed_is_sound(const struct scenario_info *info,
                           const struct answers *fixed, struct answers_finding *finding)
{
    const struct answer *first = &fixed->given[QUESTION_SMALL];
    const struct answer *again = &fixed->given[QUESTION_AGAIN];
    if (is_given(fixed, QUESTION_SMALL) && is_given(fixed, QUESTION_AGAIN) &&
        !is_same(first, again)) {
        snprintf(finding->reason, sizeof(finding->reason),
                 "for %s, fixed says '%.150s', and then '%.150s'",
                 question_text(info, QUESTION_SMALL).at, first->text, again->text);
        return false;
    }
    bool sizes_differ =
        info->bytes_default != UNKNOWN && info->bytes_default != info->bytes_min;
    return fixed_differs(info, fixed, QUESTION_SMALL, "id", finding) &&
           (!sizes_differ ||
            fixed_differs(info, fixed, QUESTION_PLAIN, "size", finding));
}

bool answers_unfinished(const struct answers *answers)
{
    return has_kind(answers, ANSWER_UNFINISHED);
}

struct answers_finding answers_compare(const struct scenario_info *info,
                                       const struct answers *leaky,
                                       const struct answers *fixed)
{
    struct answers_finding finding = {.result = ANSWERS_WRONG};
    if (!fixed_is_finished(info, leaky, fixed, &finding)) {
        return finding;
    }
    for (int i = 0; i < QUESTIONS; i++) {
        if (!halves_agree(info, i, leaky, fixed, &finding)) {
            return finding;
        }
    }
    if (!fixed_is_sound(info, fixed, &finding)) {
        return finding;
    }
    bool missing = has_kind(leaky, ANSWER_MISSING) || has_kind(fixed, ANSWER_MISSING);
    bool unfinished = answers_unfinished(leaky);
    bool measured = !missing && (unfinished || finding.compared > 0);
    finding.result = !measured    ? ANSWERS_NOT_MEASURED
                     : unfinished ? ANSWERS_LEAKY_UNFINISHED
                                  : ANSWERS_EQUAL;
    return finding;
}

const char *answers_word(enum answers_result result)
{
    static const char *const words[] = {
        [ANSWERS_NOT_MEASURED] = "not measured",
        [ANSWERS_EQUAL] = "equal",
        [ANSWERS_LEAKY_UNFINISHED] = "leaky not finished",
        [ANSWERS_WRONG] = "unequal",
    };
    return words[result];
}

const char *answers_phrase(enum answers_result result)
{
    static const char *const phrases[] = {
        [ANSWERS_NOT_MEASURED] = "answers not measured",
        [ANSWERS_EQUAL] = "answers equal",
        [ANSWERS_LEAKY_UNFINISHED] = "answers finished on fixed alone",
        [ANSWERS_WRONG] = "answers wrong",
    };
    return phrases[result];
}

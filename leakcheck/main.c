/*
 * leakcheck makes calls to servers, measures them, and decides whether they leak. This
 * file reads the options, runs the judge of pairs, of one half, of a program that is no
 * server, or the gate, and has the results written.
 */
#include <curl/curl.h>
#include <stdio.h>

#include "base/clock.h"
#include "leakcheck/judge/alone.h"
#include "leakcheck/judge/gate.h"
#include "leakcheck/judge/pair.h"
#include "leakcheck/measure/child.h"
#include "leakcheck/options.h"
#include "leakcheck/report/losses_report.h"
#include "leakcheck/report/progress.h"
#include "leakcheck/report/report.h"
#include "leakcheck/report/report_file.h"
#include "leakcheck/report/table.h"

#define EXIT_GOOD 0
#define EXIT_LEAK 1
#define EXIT_NO_VERDICT 2

static int complain(const struct failure *failure)
{
    fprintf(stderr, "leakcheck: %s\n", failure->text);
    return EXIT_NO_VERDICT;
}

/* What is neither is not measured. */
static int exit_of(bool good, bool bad)
{
    return good ? EXIT_GOOD : bad ? EXIT_LEAK : EXIT_NO_VERDICT;
}

/* Judges the pairs of scenarios on two servers. */
static int pairs_main(const struct options *options)
{
    struct failure failure = {""};
    struct judgement judgement = {0};
    int status = EXIT_NO_VERDICT;
    struct progress progress;
    progress_start(&progress, stderr, false);
    struct judge_order order = options->pairs;
    order.progress = &progress.judge;
    int error = judge_run(&judgement, &order, &failure);
    progress_stop(&progress);
    if (error == 0) {
        table_judgement(stdout, table_style_of(stdout), &judgement);
        if (options->text != NULL) {
            error = report_text(options->text, &judgement, &failure);
        }
        if (error == 0 && options->json != NULL) {
            error = report_json_judgement(options->json, &judgement, &failure);
        }
        if (error == 0 && options->report != NULL) {
            error = report_html(options->report, options->source, &judgement, &failure);
        }
    }
    if (error < 0) {
        complain(&failure);
    } else {
        struct judge_summary summary = judge_summarize(&judgement);
        status = exit_of(summary.good, summary.bad);
    }
    judge_release(&judgement);
    return status;
}

/* Judges one of the lab's servers alone. */
static int alone_main(const struct options *options)
{
    struct failure failure = {""};
    struct alone alone = {0};
    int status = EXIT_NO_VERDICT;
    int error = alone_run(&alone, &options->pairs, &failure);
    if (error == 0) {
        table_alone(stdout, table_style_of(stdout), &alone);
        if (options->json != NULL) {
            error = report_json_alone(options->json, &alone, &failure);
        }
    }
    if (error < 0) {
        complain(&failure);
    } else {
        struct alone_summary summary = alone_summarize(&alone);
        status = exit_of(summary.good, summary.bad);
    }
    alone_release(&alone);
    return status;
}

/* Judges one server of any make. */
static int gate_main(const struct options *options)
{
    struct failure failure = {""};
    struct gate gate = {0};
    struct gate_settings settings = options->gate; /* the gate keeps a pointer to it */
    int status = EXIT_NO_VERDICT;
    bool starts = options->gate.run != NULL || options->gate.call.command != NULL;
    int error = starts ? child_guard(&failure) : 0;
    if (error == 0) {
        struct progress progress;
        progress_start(&progress, stderr, true);
        settings.progress = &progress.gate;
        error = gate_run(&gate, &settings, &failure);
        progress_stop(&progress);
        gate.progress = NULL;
    }
    if (error == 0) {
        table_gate(stdout, table_style_of(stdout), &gate, &options->gate);
        if (options->json != NULL) {
            error = report_json_gate(options->json, &gate, &options->gate, &failure);
        }
    }
    if (error < 0) {
        complain(&failure);
        table_output(stderr, &gate);
    } else {
        status = gate_is_over(&gate) ? EXIT_LEAK : EXIT_GOOD;
    }
    gate_release(&gate);
    return status;
}

/* Judges what a program has lost when it ends. */
static int losses_main(const struct options *options)
{
    struct failure failure = {""};
    struct losses losses = {.count = 0};
    int status = EXIT_NO_VERDICT;
    const struct losses_settings *settings = &options->losses;
    int error = child_guard(&failure);
    if (error == 0) {
        error = losses_run(&losses, settings, &failure);
    }
    if (error == 0) {
        losses_table(stdout, table_style_of(stdout), &losses, settings);
        if (options->json != NULL) {
            error = losses_json(options->json, &losses, settings, &failure);
        }
    }
    if (error < 0) {
        complain(&failure);
    } else if (losses_are_over(&losses)) {
        status = EXIT_LEAK;
    } else if (losses_end_well(&losses, settings)) {
        status = EXIT_GOOD;
    }
    losses_release(&losses);
    return status;
}

/* Prints the names of a server's scenarios. */
static int list_main(const struct options *options)
{
    struct failure failure = {""};
    struct server server = {0};
    struct arena arena = {0};
    struct scenario_info *list;
    size_t count;
    int64_t deadline_ms = clock_now_ms() + (int64_t)options->pairs.timeout_secs * 1000;
    int error = server_open(&server, options->pairs.urls[0], deadline_ms, &failure);
    if (error == 0) {
        error = server_scenarios(&server, &arena, &list, &count, &failure);
    }
    for (size_t i = 0; error == 0 && i < count; i++) {
        puts(list[i].name);
    }
    arena_release(&arena);
    server_close(&server);
    return error < 0 ? complain(&failure) : EXIT_GOOD;
}

/* Checks that the reports can be written before the measuring, which takes some
 * time. */
static int reports_check(const struct options *options, struct failure *failure)
{
    int error = options->json == NULL ? 0 : report_check(options->json, failure);
    if (error == 0 && options->report != NULL) {
        error = report_check(options->report, failure);
    }
    if (error == 0 && options->text != NULL) {
        error = report_check(options->text, failure);
    }
    return error;
}

/* What nobody could read was not said: then it is no success either. */
static int output_check(int status)
{
    if (fflush(stdout) == 0 && ferror(stdout) == 0) {
        return status;
    }
    fputs("leakcheck: cannot write the standard output\n", stderr);
    return status == EXIT_GOOD ? EXIT_NO_VERDICT : status;
}

int main(int argc, char **argv)
{
    struct options options;
    struct failure failure = {""};
    int status;
    if (!options_parse(&options, argc, argv, &status)) {
        return status;
    }
    if (reports_check(&options, &failure) < 0) {
        return complain(&failure);
    }
    curl_global_init(CURL_GLOBAL_DEFAULT);
    status = options.to_its_end   ? losses_main(&options)
             : options.list       ? list_main(&options)
             : options.alone      ? alone_main(&options)
             : options.one_server ? gate_main(&options)
                                  : pairs_main(&options);
    curl_global_cleanup();
    return output_check(status);
}

/*
 * The reports that are written to files: JSON for scripts, HTML for people.
 */
#ifndef LEAKCHECK_REPORT_REPORT_H
#define LEAKCHECK_REPORT_REPORT_H

#include "leakcheck/judge/alone.h"
#include "leakcheck/judge/gate.h"
#include "leakcheck/judge/pair.h"
#include "leakcheck/report/report_file.h"

/* Write a new report to `path`. Return 0, or -errno with a reason. */
int report_text(const char *path, const struct judgement *judgement,
                struct failure *failure);
int report_json_judgement(const char *path, const struct judgement *judgement,
                          struct failure *failure);
int report_json_alone(const char *path, const struct alone *alone,
                      struct failure *failure);
int report_json_gate(const char *path, const struct gate *gate,
                     const struct gate_settings *settings, struct failure *failure);

/* `source` is the directory that holds the files that /scenarios names. */
int report_html(const char *path, const char *source, const struct judgement *judgement,
                struct failure *failure);

#endif

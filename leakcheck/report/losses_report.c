#include "leakcheck/report/losses_report.h"

#include <cjson/cJSON.h>
#include <sys/wait.h>

#include "leakcheck/measure/child.h"
#include "leakcheck/report/report_file.h"

/* "208 bytes in 2 blocks" */
static struct text text_of(int64_t bytes, int64_t objects)
{
    struct text text;
    snprintf(text.at, sizeof(text.at), "%lld byte%s in %lld block%s", (long long)bytes,
             bytes == 1 ? "" : "s", (long long)objects, objects == 1 ? "" : "s");
    return text;
}

/* "  104 bytes in 1 block   session_open src/session.c:41" */
static void loss_print(FILE *stream, const struct loss *loss)
{
    const struct frame *frame = loss->frame;
    fprintf(stream, "  %s", text_of(loss->bytes, loss->objects).at);
    fprintf(stream, "  %s",
            frame == NULL || frame->function == NULL ? "an unknown function"
                                                     : frame->function);
    if (frame != NULL && frame->file != NULL) {
        fprintf(stream, " %s:%u", frame->file, frame->line);
    }
    fputs(loss->direct ? "\n" : " (indirect: another lost block leads to it)\n",
          stream);
}

static void process_print(FILE *stream, struct table_style style,
                          const struct process_losses *process, bool first,
                          int64_t limit)
{
    if (!first && process->lost_objects == 0) {
        return;
    }
    if (!first) {
        fprintf(stream, "%-12s pid %d\n", "forked", process->pid);
    }
    fprintf(stream, "%-12s %s\n", "in use",
            text_of(process->inuse_bytes, process->inuse_objects).at);
    fprintf(stream, "%-12s %s, limit %lld", "lost",
            text_of(process->lost_bytes, process->lost_objects).at, (long long)limit);
    if (process->over) {
        fprintf(stream, "%s: OVER%s", table_paint(style, TABLE_RED),
                table_paint(style, TABLE_PLAIN));
    }
    fputc('\n', stream);
    for (size_t i = 0; i < process->count; i++) {
        loss_print(stream, &process->items[i]);
    }
}

static const char *verdict_of(const struct losses *losses,
                              const struct losses_settings *settings)
{
    return losses_are_over(losses)             ? "leaks"
           : losses_end_well(losses, settings) ? "holds"
                                               : NULL;
}

void losses_table(FILE *stream, struct table_style style, const struct losses *losses,
                  const struct losses_settings *settings)
{
    const struct ending *ending = &losses->ending;
    const char *verdict = verdict_of(losses, settings);
    bool over = losses_are_over(losses);
    fprintf(stream, "%-12s %s, pid %d: %s\n", "program", settings->command, ending->pid,
            child_end_text(ending->status).at);
    for (size_t i = 0; i < losses->count; i++) {
        process_print(stream, style, &losses->processes[i], i == 0, settings->max_lost);
    }
    fprintf(stream, "%-12s %s", "verdict",
            table_paint(style, verdict == NULL ? TABLE_BOLD
                               : over          ? TABLE_RED
                                               : TABLE_GREEN));
    fputs(verdict == NULL ? "none: the program failed"
          : over          ? "LEAKS"
                          : "holds",
          stream);
    fprintf(stream, "%s\n", table_paint(style, TABLE_PLAIN));
    fprintf(stream, "%-12s %zu process%s, %.1f s\n", "measured in", losses->count,
            losses->count == 1 ? "" : "es", (double)ending->elapsed_ms / 1000);
}

static void process_add(cJSON *list, const struct process_losses *process)
{
    cJSON *item = cJSON_CreateObject();
    cJSON_AddItemToArray(list, item);
    cJSON_AddNumberToObject(item, "pid", process->pid);
    cJSON_AddNumberToObject(item, "inuse_objects", (double)process->inuse_objects);
    cJSON_AddNumberToObject(item, "inuse_bytes", (double)process->inuse_bytes);
    cJSON_AddNumberToObject(item, "lost_objects", (double)process->lost_objects);
    cJSON_AddNumberToObject(item, "lost_bytes", (double)process->lost_bytes);
    cJSON_AddBoolToObject(item, "over", process->over);
    cJSON *lines = cJSON_AddArrayToObject(item, "lost");
    for (size_t i = 0; i < process->count; i++) {
        const struct loss *loss = &process->items[i];
        const struct frame *frame = loss->frame;
        cJSON *line = cJSON_CreateObject();
        cJSON_AddItemToArray(lines, line);
        cJSON_AddStringToObject(
            line, "function",
            frame == NULL || frame->function == NULL ? "" : frame->function);
        cJSON_AddStringToObject(
            line, "file", frame == NULL || frame->file == NULL ? "" : frame->file);
        cJSON_AddNumberToObject(line, "line", frame == NULL ? 0 : frame->line);
        cJSON_AddBoolToObject(line, "direct", loss->direct);
        cJSON_AddNumberToObject(line, "objects", (double)loss->objects);
        cJSON_AddNumberToObject(line, "bytes", (double)loss->bytes);
    }
}

int losses_json(const char *path, const struct losses *losses,
                const struct losses_settings *settings, struct failure *failure)
{
    const char *verdict = verdict_of(losses, settings);
    cJSON *root = cJSON_CreateObject();
    cJSON_AddStringToObject(root, "command", settings->command);
    cJSON_AddNumberToObject(root, "pid", losses->ending.pid);
    cJSON_AddNumberToObject(root, "exit_status", WEXITSTATUS(losses->ending.status));
    if (verdict == NULL) {
        cJSON_AddNullToObject(root, "verdict");
    } else {
        cJSON_AddStringToObject(root, "verdict", verdict);
    }
    cJSON_AddNumberToObject(root, "max_lost", (double)settings->max_lost);
    cJSON_AddNumberToObject(root, "elapsed_ms", (double)losses->ending.elapsed_ms);
    cJSON *list = cJSON_AddArrayToObject(root, "processes");
    for (size_t i = 0; i < losses->count; i++) {
        process_add(list, &losses->processes[i]);
    }
    return report_write_json(path, root, failure);
}

/*
 * Source code in the report: the lines around the guilty one, and how the halves of a
 * pair differ.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "leakcheck/report/html.h"

#define FILE_BYTES_MAX (256 * 1024)
#define LINES_MAX 1500 /* per file: the comparison needs a table of lines by lines */
#define AROUND 7       /* lines before and after the guilty one */
#define CONTEXT 3      /* lines before and after a difference */

/* A file, cut into lines. */
struct lines {
    struct buffer text;
    const char *start[LINES_MAX + 1];
    size_t length[LINES_MAX + 1];
    size_t count;
};

static bool lines_read(struct lines *lines, const char *source, const char *file)
{
    char path[1024];
    char part[4096];
    size_t length;
    if (file[0] == '\0' ||
        snprintf(path, sizeof(path), "%s/%s", source, file) >= (int)sizeof(path)) {
        return false;
    }
    FILE *stream = fopen(path, "r");
    if (stream == NULL) {
        return false;
    }
    do {
        length = fread(part, 1, sizeof(part), stream);
        if (length > 0) {
            buffer_append(&lines->text, part, length);
        }
    } while (length == sizeof(part) && lines->text.length < FILE_BYTES_MAX);
    fclose(stream);
    if (lines->text.data == NULL || lines->text.error != 0) {
        return false;
    }
    const char *at = lines->text.data;
    while (*at != '\0' && lines->count < LINES_MAX) {
        lines->start[lines->count] = at;
        lines->length[lines->count] = strcspn(at, "\n");
        at += lines->length[lines->count];
        at += *at == '\n';
        lines->count++;
    }
    return true;
}

static void lines_free(struct lines *lines)
{
    if (lines != NULL) {
        buffer_release(&lines->text);
        free(lines);
    }
}

static void line_write(struct buffer *page, const struct lines *lines, size_t index,
                       const char *class, const char *sign)
{
    buffer_printf(page, "<span class=\"%s\"><i>%4zu</i>%s", class, index + 1, sign);
    buffer_html_length(page, lines->start[index], lines->length[index]);
    buffer_text(page, "\n</span>");
}

/* Opens a block of code. On a narrow page it scrolls, and says so. Its caption is
 * `what`, then `file`. */
static void code_open(struct buffer *page, const char *what, const char *file)
{
    buffer_text(page, "<figure class=\"code\"><figcaption>");
    buffer_text(page, what);
    buffer_html(page, file);
    buffer_text(page, "<span> scrolls sideways &#8596;</span></figcaption>"
                      "<pre tabindex=\"0\" role=\"region\" aria-label=\"Code: ");
    buffer_html(page, file);
    buffer_text(page, "\">");
}

static void code_close(struct buffer *page)
{
    buffer_text(page, "</pre></figure>");
}

static bool line_has(const struct lines *lines, size_t index, const char *text)
{
    const char *found = strstr(lines->start[index], text);
    return found != NULL && found < lines->start[index] + lines->length[index];
}

/* Whether a line is part of the comment that says what the bug is. */
static bool is_answer(const struct lines *lines, size_t index)
{
    bool answer = line_has(lines, index, "LEAK:");
    for (size_t i = index; i-- > 0 && !answer && !line_has(lines, i, "*/");) {
        answer = line_has(lines, i, "LEAK:");
    }
    return answer;
}

/* In place of a line that only "Cause and fix" shows: its number and its indent. */
static void answer_write(struct buffer *page, const struct lines *lines, size_t index)
{
    int indent = 0;
    while (indent < (int)lines->length[index] && lines->start[index][indent] == ' ') {
        indent++;
    }
    buffer_printf(
        page, "<span class=\"gap\"><i>%4zu</i>  %*s... (see Cause and fix)\n</span>",
        index + 1, indent, "");
}

static void note_write(struct buffer *page, const char *file)
{
    buffer_text(page, "<p class=\"note\">The source is not shown: ");
    buffer_html(page, file[0] == '\0' ? "the server names no file" : file);
    buffer_text(page, file[0] == '\0' ? ".</p>" : " is not here (see --source).</p>");
}

void html_source(struct buffer *page, const char *source, const char *file,
                 unsigned line)
{
    struct lines *lines = calloc(1, sizeof(*lines));
    if (lines == NULL || !lines_read(lines, source, file) || line == 0 ||
        line > lines->count) {
        note_write(page, file);
        lines_free(lines);
        return;
    }
    size_t guilty = line - 1;
    size_t first = guilty > AROUND ? guilty - AROUND : 0;
    size_t last = guilty + AROUND < lines->count ? guilty + AROUND : lines->count - 1;
    code_open(page, "", file);
    for (size_t i = first; i <= last; i++) {
        if (is_answer(lines, i)) {
            answer_write(page, lines, i);
        } else {
            line_write(page, lines, i, i == guilty ? "guilty" : "same", "  ");
        }
    }
    code_close(page);
    lines_free(lines);
}

static bool same_line(const struct lines *a, size_t i, const struct lines *b, size_t j)
{
    return a->length[i] == b->length[j] &&
           memcmp(a->start[i], b->start[j], a->length[i]) == 0;
}

/* One line of the difference: in both files, removed or added. */
struct step {
    char sign; /* ' ', '-' or '+' */
    size_t index;
};

/* Finds the longest common subsequence, with a table of lengths. Returns the number of
 * steps, 0 if memory is short. `steps` has room for all lines of both files. */
static size_t steps_make(const struct lines *a, const struct lines *b,
                         struct step *steps)
{
    size_t width = b->count + 1;
    unsigned short *common = calloc((a->count + 1) * width, sizeof(*common));
    if (common == NULL) {
        return 0;
    }
    for (size_t i = a->count; i-- > 0;) {
        for (size_t j = b->count; j-- > 0;) {
            unsigned short down = common[(i + 1) * width + j];
            unsigned short right = common[i * width + j + 1];
            unsigned short both = (unsigned short)(common[(i + 1) * width + j + 1] + 1);
            unsigned short most = down > right ? down : right;
            common[i * width + j] = same_line(a, i, b, j) ? both : most;
        }
    }
    size_t count = 0;
    size_t i = 0;
    size_t j = 0;
    while (i < a->count || j < b->count) {
        if (i < a->count && j < b->count && same_line(a, i, b, j)) {
            steps[count++] = (struct step){' ', i++};
            j++;
        } else if (j == b->count || (i < a->count && common[(i + 1) * width + j] >=
                                                         common[i * width + j + 1])) {
            steps[count++] = (struct step){'-', i++};
        } else {
            steps[count++] = (struct step){'+', j++};
        }
    }
    free(common);
    return count;
}

/* Whether a difference is within CONTEXT steps. */
static bool is_near_change(const struct step *steps, size_t count, size_t at)
{
    size_t first = at > CONTEXT ? at - CONTEXT : 0;
    for (size_t i = first; i < count && i <= at + CONTEXT; i++) {
        if (steps[i].sign != ' ') {
            return true;
        }
    }
    return false;
}

static void steps_write(struct buffer *page, const struct lines *a,
                        const struct lines *b, const struct step *steps, size_t count)
{
    bool shown = true;
    for (size_t i = 0; i < count; i++) {
        bool near = is_near_change(steps, count, i);
        if (near && !shown) {
            buffer_text(page, "<span class=\"gap\">...\n</span>");
        }
        shown = near;
        if (!near) {
            continue;
        }
        if (steps[i].sign == '+') {
            line_write(page, b, steps[i].index, "new", "+ ");
        } else {
            bool old = steps[i].sign == '-';
            line_write(page, a, steps[i].index, old ? "old" : "same",
                       old ? "- " : "  ");
        }
    }
}

void html_diff(struct buffer *page, const char *source, const char *const files[2])
{
    struct lines *a = calloc(1, sizeof(*a));
    struct lines *b = calloc(1, sizeof(*b));
    struct step *steps = calloc(2 * LINES_MAX, sizeof(*steps));
    if (a == NULL || b == NULL || steps == NULL || !lines_read(a, source, files[0]) ||
        !lines_read(b, source, files[1])) {
        note_write(page, files[0]);
    } else {
        code_open(page, "What the fix changes in ", files[0]);
        steps_write(page, a, b, steps, steps_make(a, b, steps));
        code_close(page);
    }
    free(steps);
    lines_free(a);
    lines_free(b);
}

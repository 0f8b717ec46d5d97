/*
 * The pages of lost blocks and of who holds the others.
 */
#include <errno.h>
#include <string.h>

#include "probe/http/form.h"
#include "probe/pages/pages.h"
#include "probe/pages/profile_reply.h"
#include "probe/reach/holders.h"
#include "probe/reach/reach.h"
#include "probe/recorder/stack_records.h"
#include "probe/symbols/symbols.h"

static void answer(const struct request *request, bool lost, struct reply *reply)
{
    struct parameter debug = {.name = "debug", .type = PARAMETER_NUMBER, .maximum = 1};
    if (!probe_form_read(request, &debug, 1, reply)) {
        return;
    }
    struct holders holders = {.count = 0};
    struct reach_question question = {.name_roots = probe_holders_name,
                                      .argument = &holders,
                                      .sleep = request->site->sleep,
                                      .owner = request->site->owner};
    struct reach reach;
    pid_t stubborn;
    int error = probe_reach_ask(&question, &reach, &stubborn);
    if (error != 0) {
        probe_reply_error(reply, error == -EBUSY ? 409 : 503, "reach", "x", "%s, %d",
                          strerror(-error), (int)stubborn);
        return;
    }
    struct buffer text = {0};
    struct shared_copy *copy = reach.copy;
    buffer_printf(&text,
                  "# stopped %.3f ms, took %.3f ms, blocks %u, roots %u, root bytes "
                  "%llu, threads %zu, inexact %zu, not read %zu\n",
                  (double)reach.stopped_ns / 1e6, (double)reach.took_ns / 1e6,
                  copy->blocks_count, copy->roots_count,
                  (unsigned long long)copy->root_bytes, copy->threads_count,
                  copy->inexact, copy->not_read);
    probe_symbols_load();
    for (uint32_t i = 0; i < copy->blocks_count; i++) {
        struct reach_block *block = &copy->blocks[i];
        if ((block->holder == REACH_NONE) != lost) {
            continue;
        }
        buffer_printf(&text, "%p %llu %s kind %d%s%s", (void *)block->address,
                      (unsigned long long)block->bytes,
                      block->indirect ? "indirect" : "direct", (int)block->holder,
                      block->shared ? " shared" : "",
                      block->from == REACH_NONE ? "" : " through");
        if (!lost) {
            uint32_t at = i;
            while (copy->blocks[at].from != REACH_NONE) {
                at = copy->blocks[at].from;
            }
            struct reach_root *root = &copy->roots[copy->blocks[at].root];
            buffer_printf(&text, " %s at %p,", probe_holder_text(&holders, root->holder), (void*)root->place);
        }
        struct stack_record *record = probe_record_at(block->stack);
        for (uint32_t j = 0; j < record->depth && j < 6; j++) {
            struct symbol symbol;
            probe_symbols_find(record->frames[j], &symbol);
            buffer_printf(&text, " < %s", symbol.function);
        }
        buffer_text(&text, "\n");
    }
    probe_reach_release(&reach);
    probe_holders_release(&holders);
    probe_profile_reply(reply, REPLY_TEXT, 0, &text);
}

void probe_page_lost(const struct request *request, struct reply *reply)
{
    answer(request, true, reply);
}

void probe_page_retained(const struct request *request, struct reply *reply)
{
    answer(request, false, reply);
}

"""Wrong fixes of exercises 16 to 29, the usual kind: something is freed, closed or
released too early, or twice. AddressSanitizer must report each of them."""

# By scenario: replacements, (old text, new text), in the fixed half. Each old text is
# there once. They compile. Whichever of two threads is faster, there is an error.
TOO_EARLY = {
    # The oldest answer is freed while it is still in the cache.
    "global_cache": (
        (
            "    struct answer *oldest = cache;\n",
            "    struct answer *oldest = cache;\n    void *memory = oldest;\n"
            "    free(memory);\n",
        ),
        ("    free(oldest);\n", ""),
    ),
    # Each pop gives up two views of the batch, and has one of its own.
    "slice_tail": (
        (
            "    slice_release(&queue);\n",
            "    struct slice batch = queue;\n    slice_release(&batch);\n"
            "    slice_release(&queue);\n",
        ),
    ),
    # The product is freed, and then its label is copied.
    "interface_list": (
        ("    free(product);\n", ""),
        (
            "    catalogue->labels[i] = product->label;\n",
            "    void *memory = product;\n    free(memory);\n"
            "    catalogue->labels[i] = product->label;\n",
        ),
    ),
    # The worker closes its report at its end, and the request closes it after the join.
    "channel_no_receiver": (
        (
            "\n    return NULL;\n}\n",
            "\n    report_close(report);\n    return NULL;\n}\n",
        ),
    ),
    # The receiver is closed as soon as it has ended, and again with the sender.
    "channel_nil": (
        (
            "        pthread_join(receiver->worker, NULL);\n",
            "        pthread_join(receiver->worker, NULL);\n"
            "        relay_close(receiver);\n",
        ),
    ),
    # The worker frees its quote when it has been received, and so does the broker.
    "channel_one_receiver": (
        (
            "&quote, &quote->inquiry->context);\n",
            "&quote, &quote->inquiry->context);\n    free(quote);\n",
        ),
    ),
    # Each file is closed when it is written, and once more by the clean-up.
    "loop_defer": (
        (
            "        error = note_write(file, request->id, request->bytes);\n",
            "        error = note_write(file, request->id, request->bytes);\n"
            "        note_close(file);\n",
        ),
    ),
    # The worker frees what it was given, which is on the stack of the request.
    "thread_loop": (
        (
            "    atomic_fetch_sub(&feeds_watched, 1);\n",
            "    atomic_fetch_sub(&feeds_watched, 1);\n    free(argument);\n",
        ),
    ),
    # clip_trim has released the whole clip already.
    "slice_lost_pointers": (
        (
            "    clip_release(&middle);\n",
            "    clip_release(&middle);\n    clip_release(&clip);\n",
        ),
    ),
    # Each account is closed when its own transfer is done, and again at the end.
    "lock_deadlock": (
        (
            "        pthread_join(accounts[i]->worker, NULL);\n",
            "        pthread_join(accounts[i]->worker, NULL);\n"
            "        account_close(accounts[i]);\n",
        ),
    ),
    # The request frees its record when it is sent, and so does the writer.
    "channel_backlog": (
        (
            "    error = channel_try_send(&audit_log, &record);\n",
            "    error = channel_try_send(&audit_log, &record);\n    free(record);\n",
        ),
    ),
    # The button takes no reference to its window, but still gives one back.
    "finalizer_cycle": (("    object_retain_weak(&parent->object);\n", ""),),
    # Each level frees the board, which belongs to all and is not from malloc.
    "array_by_value": (
        ("#include <stdatomic.h>\n", "#include <stdatomic.h>\n#include <stdlib.h>\n"),
        (
            "    board->squares[level] = 0;\n",
            "    board->squares[level] = 0;\n    free(board);\n",
        ),
    ),
    # The buffer is freed although the pool keeps it for the next strip.
    "buffer_churn": (
        (
            "    if (!pool_put(strips, strip, request->bytes)) {\n",
            "    if (pool_put(strips, strip, request->bytes)) {\n",
        ),
    ),
}

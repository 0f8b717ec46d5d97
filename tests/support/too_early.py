"""What is freed, closed or released too early, or twice: the usual wrong fixes."""

# By pair: changes of the fixed half, (old text, new text). Each old text is there once.
# The changed half compiles. AddressSanitizer reports it, whichever thread is faster.
TOO_EARLY = {
    # Success closes the file, and then comes to the end, which does it again.
    "file_unclosed": (
        (
            "            *ret_price = price;\n",
            "            *ret_price = price;\n            fclose(file);\n",
        ),
    ),
    # The list frees the order that it gives up, and so does the importer.
    "global_list": (
        (
            "    orders[i] = orders[--orders_count];\n",
            "    free(orders[i]);\n    orders[i] = orders[--orders_count];\n",
        ),
    ),
    # Copied and not changed: one string is freed twice, the other never.
    "cstring_argument": (
        ("    cstring_release(key);\n", "    cstring_release(file);\n"),
    ),
    # The memory is freed before the ticker in it is stopped.
    "ticker_unstopped": (
        (
            "    ticker_stop(&progress->ticker);\n    free(progress);\n",
            "    free(progress);\n    ticker_stop(&progress->ticker);\n",
        ),
    ),
    # The room is closed when its worker has ended, and then once more.
    "thread_ignored_exit": (
        (
            "    pthread_join(worker, NULL);\n",
            "    pthread_join(worker, NULL);\n    room_close(room);\n",
        ),
    ),
    # The text is freed as soon as it has arrived, before its checksum is computed.
    "http_body": (
        (
            "    curl_multi_cleanup(multi);\n",
            "    curl_multi_cleanup(multi);\n    free(body.text);\n",
        ),
    ),
    # No copy: the signature is a view of a payload that is freed.
    "slice_prefix": (
        (
            "    signature->view = slice_borrow(signature->bytes, SIGNATURE_BYTES);\n"
            "    slice_copy(signature->view, payload);\n",
            "    signature->view = slice_borrow(payload.data, SIGNATURE_BYTES);\n",
        ),
    ),
    # No copy: the headline is a part of an article that is freed.
    "string_prefix": (
        (
            "    memcpy(headline->room, article, HEADLINE_BYTES);\n"
            "    headline->room[HEADLINE_BYTES] = '\\0';\n"
            "    headline->text = headline->room;\n",
            "    article[HEADLINE_BYTES] = '\\0';\n    headline->text = article;\n",
        ),
    ),
    # The series is released by the preview, and by the request to which it belongs.
    "slice_return": (
        (
            "    preview->points = series_first(series, preview->room);\n",
            "    preview->points = series_first(series, preview->room);\n"
            "    slice_release(&series);\n",
        ),
    ),
    # The box holds the badge of a visitor that is freed, and not the guest's own.
    "interface_struct": (
        (
            "    guest->badge = visitor->badge;\n"
            "    box_init(&guest->box, &type, &guest->badge);\n",
            "    box_init(&guest->box, &type, &visitor->badge);\n",
        ),
    ),
    # gauge_stop has freed the gauge.
    "ticker_many": (
        (
            "        gauge_stop(gauges[started]);\n",
            "        gauge_stop(gauges[started]);\n        free(gauges[started]);\n",
        ),
    ),
    # Success frees the connection's memory, and then the end does it again.
    "database_statement": (
        (
            "    if (status == SQLITE_ROW) {\n",
            "    if (status == SQLITE_ROW) {\n        free(memory);\n",
        ),
    ),
    # The file is closed when its worker has ended, and then once more.
    "channel_never_closed": (
        (
            "    pthread_join(worker, NULL);\n",
            "    pthread_join(worker, NULL);\n    export_close(file);\n",
        ),
    ),
    # The worker closes the order when it ends, and the request once more.
    "thread_wait": (
        (
            "    pthread_join(worker, NULL);\n",
            "    pthread_join(worker, NULL);\n    order_close(order);\n",
        ),
    ),
    # The first entry is closed twice.
    "lock_never_released": (
        (
            " i = 1; i < count && go; i++) {\n",
            " i = 0; i < count && go; i++) {\n",
        ),
    ),
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
            "    if (error != 0) {\n        free(record);\n    } else if (audit_has_writer) {\n",
            "    free(record);\n    if (error == 0 && audit_has_writer) {\n",
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

"""Wrong fixes of cases 1 to 15: what is freed, closed or released too early, or twice."""

# By pair: changes of the fixed half, (old text, new text). The changed half compiles
# without a warning. Under AddressSanitizer the first call is reported, every time, because
# no other thread has to be faster or slower for that.
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
}

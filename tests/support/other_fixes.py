"""What else learners hand in for an exercise, by the pair's name: ways out that do less
than the case needs, and fixes that are right and not the lab's. Each is a change of the
leaky half."""

CHURN_MALLOC = "    unsigned char *strip = malloc(request->bytes);\n"
CHURN_CHECK = "    if (strip == NULL) {\n        return -ENOMEM;\n    }\n"
CHURN_FREE = "    free(strip);\n"

# By pair and name: the change, and which verdicts are right.
WAYS_OUT = {
    ("http_body", "the sum is kept for a size"): (
        [
            (
                "    struct body body = {.text",
                "    static size_t last;\n    static uint32_t sum;\n"
                "    if (last == bytes) {\n        *ret_sum = sum;\n        return 0;\n"
                "    }\n    struct body body = {.text",
            ),
            (
                "        *ret_sum = scenario_digest(body.text, body.length);",
                "        *ret_sum = sum = scenario_digest(body.text, body.length);\n"
                "        last = bytes;",
            ),
        ],
        ("still leaks",),
    ),
    ("cstring_argument", "static buffers"): (
        [
            (
                "    char *cstring = malloc(bytes);",
                "    static char room[2][65536];\n    static int turn;\n"
                "    char *cstring = bytes <= 65536 ? room[turn++ % 2] : NULL;",
            )
        ],
        ("answers changed", "memory error"),
    ),
    ("buffer_churn", "a static buffer of the usual size"): (
        [
            (CHURN_MALLOC, "    static unsigned char strip[64 * 1024];\n"),
            (CHURN_CHECK, ""),
            (CHURN_FREE, ""),
        ],
        ("memory error",),
    ),
    ("buffer_churn", "a static buffer"): (
        [
            (CHURN_MALLOC, "    static unsigned char strip[16 * 1024 * 1024];\n"),
            (CHURN_CHECK, ""),
            (CHURN_FREE, ""),
        ],
        ("answers changed",),
    ),
    ("buffer_churn", "mappings"): (
        [
            ("#include <string.h>\n", "#include <string.h>\n#include <sys/mman.h>\n"),
            (
                "malloc(request->bytes)",
                "mmap(NULL, request->bytes, PROT_READ | PROT_WRITE,\n"
                "        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)",
            ),
            (CHURN_FREE, "    munmap(strip, request->bytes);\n"),
        ],
        ("answers changed",),
    ),
    ("buffer_churn", "the stack"): (
        [
            ("#include <string.h>\n", "#include <string.h>\n#include <alloca.h>\n"),
            ("malloc(request->bytes)", "alloca(request->bytes)"),
            (CHURN_FREE, ""),
        ],
        ("memory error", "crashes"),
    ),
    ("global_cache", "the last answer alone"): (
        [
            (
                "    answer->expires_at",
                "    while (cache != NULL) {\n        cache_drop_oldest();\n    }\n"
                "    answer->expires_at",
            )
        ],
        ("answers changed",),
    ),
    ("slice_prefix", "a small table"): (
        [("#define SIGNATURES_MAX 65536", "#define SIGNATURES_MAX 16")],
        ("answers changed", "still leaks"),
    ),
    ("thread_wait", "no thread"): (
        [
            (
                "    pthread_t worker;\n"
                "    int error = -pthread_create(&worker, NULL, order_main, order);\n"
                "    if (error != 0) {\n        order_close(order);\n"
                "        return error;\n    }\n",
                "",
            ),
            (
                "    uint32_t digest = 0;\n    channel_send(&order->paid, NULL, NULL);\n",
                "",
            ),
            (
                "    channel_receive(&order->receipt, &digest, NULL);\n",
                "    uint32_t digest = scenario_digest(order->papers, order->papers_bytes);\n",
            ),
            ("    pthread_detach(worker);\n", "    order_close(order);\n"),
        ],
        ("answers changed",),
    ),
    ("lock_never_released", "no lock"): (
        [
            ("    pthread_mutex_lock(&ledger->lock);\n    if", "    if"),
            (
                "    ledger->receipts += receipt;\n"
                "    pthread_mutex_unlock(&ledger->lock);\n",
                "    ledger->receipts += receipt;\n",
            ),
        ],
        ("answers changed",),
    ),
    ("global_list", "calls are refused"): (
        [
            (
                "    order_show(order, bytes, answer);\n",
                "    order_show(order, bytes, answer);\n"
                "    if (orders_count > 16) {\n        return -EAGAIN;\n    }\n",
            )
        ],
        ("answers changed",),
    ),
}

FAIR = {
    ("slice_prefix", "a new array"): [
        (
            "    signature->view = slice_sub(payload, 0, SIGNATURE_BYTES);",
            "    struct slice_array *room = malloc(slice_array_bytes(SIGNATURE_BYTES));\n"
            "    signature->view = slice_of(room, SIGNATURE_BYTES);\n"
            "    slice_copy(signature->view, payload);",
        )
    ],
    ("string_prefix", "a copy"): [
        (
            "    article[HEADLINE_BYTES] = '\\0';\n    headline->text = article;\n"
            "    headline->storage = article;\n",
            "    headline->storage = strndup(article, HEADLINE_BYTES);\n"
            "    headline->text = headline->storage;\n    free(article);\n",
        )
    ],
    ("interface_list", "small copies"): [
        (
            "    box_init(&catalogue->boxes[i], &type, product);\n",
            "    struct label *label = malloc(sizeof(*label));\n"
            "    *label = product->label;\n    free(product);\n"
            "    box_init(&catalogue->boxes[i], &type, label);\n",
        )
    ],
    ("global_cache", "the last sixteen"): [
        (
            "    answer->expires_at",
            "    while (HASH_COUNT(cache) >= 16) {\n        cache_drop_oldest();\n    }\n"
            "    answer->expires_at",
        )
    ],
    ("thread_wait", "a detached thread with a deadline"): [
        (
            "channel_receive(&order->paid, NULL, NULL) == 0)",
            "channel_receive(&order->paid, NULL, &order->patience) == 0)",
        ),
        ("#define ORDER_PATIENCE_MS 20", "#define ORDER_PATIENCE_MS 500"),
    ],
    ("channel_one_receiver", "a buffer for all"): [
        (
            "    struct context context; /* ends the inquiry */\n",
            "    struct context context; /* ends the inquiry */\n"
            "    struct quote *room[QUOTE_MARKETS];\n",
        ),
        (
            "channel_init(&inquiry->quotes, NULL, sizeof(struct quote *), 0);",
            "channel_init(&inquiry->quotes, inquiry->room, sizeof(struct quote *),\n"
            "                     QUOTE_MARKETS);",
        ),
        ("        quote_close(quote);\n        return 0;\n", "        ;\n"),
    ],
    ("finalizer_cycle", "a pointer that is not counted"): [
        ("    object_retain(&parent->object);\n", ""),
        ("        object_release(&child->parent->object);\n", "        ;\n"),
    ],
    ("buffer_churn", "one buffer for a page"): [
        (
            "struct page *page)\n{\n    /*",
            "struct page *page, unsigned char *strip)\n{\n    /*",
        ),
        (CHURN_MALLOC + CHURN_CHECK, ""),
        (CHURN_FREE, ""),
        (
            "    int error = 0;\n",
            "    unsigned char *strip = malloc(request->bytes);\n"
            "    int error = strip == NULL ? -ENOMEM : 0;\n",
        ),
        ("request, i, &page);", "request, i, &page, strip);"),
        ("    return error;\n}\n", "    free(strip);\n    return error;\n}\n"),
    ],
}

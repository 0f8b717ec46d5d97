// The resources that a scenario may keep: how /status counts each, how /scenarios
// declares it, and how it is written.

import {formatBytes, formatCount} from "/page/dom.js";

const one = (word) => (count) =>
    `${formatCount(count)} ${word}${count === 1 ? "" : "s"}`;

export const HEAP = {
    label: "heap in use",
    read: (status) => status.memory?.alloc_bytes,
    declared: (amount) => amount.heap_bytes,
    words: (bytes) => `${formatBytes(bytes)} of heap`,
    format: formatBytes,
    noise: 16384, // what connections and replies take for a moment
};
export const THREADS = {
    label: "threads",
    read: (status) => status.threads,
    declared: (amount) => amount.threads,
    words: one("thread"),
    format: formatCount,
    noise: 0,
};
export const FDS = {
    label: "descriptors",
    read: (status) => status.fds,
    declared: (amount) => amount.fds,
    words: one("descriptor"),
    format: formatCount,
    noise: 0, // see one_by_one.js
};
export const TIMERS = {
    label: "timers",
    read: (status) => status.timers,
    declared: (amount) => amount.timers,
    words: one("timer"),
    format: formatCount,
    noise: 0,
};
// These two are looked at where a scenario leaves nothing that stays.
export const RESIDENT = {
    label: "resident memory",
    read: (status) => status.memory?.rss_bytes,
    declared: (amount) => amount.stack_bytes ?? 0,
    words: (bytes) => `${formatBytes(bytes)} of stack`,
    format: formatBytes,
    noise: 4 * 1048576, // what the allocator keeps for later
};
export const ALLOCATED = {
    label: "allocated in total",
    read: (status) => status.memory?.total_alloc_bytes,
    format: formatBytes,
    noise: 1048576, // buffers of the moment
};

export const KEPT = [HEAP, THREADS, FDS, TIMERS];
export const HELD = [HEAP, RESIDENT, THREADS, FDS];

// What a resource comes to in a reply of /status; null if the server does not count it.
export function read(resource, status) {
    const value = resource.read(status);
    return typeof value === "number" && Number.isFinite(value) ? value : null;
}

// A difference with its sign: "+10 MiB", "0", "−2".
export function signed(resource, value) {
    const sign = value > 0 ? "+" : value < 0 ? "\u2212" : "";
    return sign + resource.format(Math.abs(value));
}

// An amount in words: "1 thread, 64 KiB of heap"; "nothing".
export function inWords(amount) {
    const parts = [THREADS, FDS, TIMERS, HEAP, RESIDENT]
        .map((resource) => [resource, resource.declared(amount)])
        .filter(([, value]) => value > 0)
        .map(([resource, value]) => resource.words(value));
    return parts.length > 0 ? parts.join(", ") : "nothing";
}

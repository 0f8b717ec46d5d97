// What the page says of a profile beside its numbers. A profile that is not listed here
// is read as the heap's: its frames are calls.

const CALLS = {
    about: "",
    heads: ["Function", "Own", "With callees"],
    by: "own", // what the table is sorted by
    noFile: "a library, source not known",
    mark: "of which kind",
    empty: "This profile is empty: there is nothing of it in this process.",
    stacks: "stacks",
};

const OTHERS = {
    lost: {
        about: "Nothing in the process points to these blocks any more, so nobody can " +
            "free them. The lowest frame is the code that allocated them.",
        empty: "Nothing is lost: the process can still reach every block.",
    },
    retained: {
        about: "Read it from the top: who holds the memory, then the blocks on the " +
            "way, and at the bottom the code that allocated it.",
        heads: ["Function or holder", "Allocated", "Holds"],
        by: "total",
        noFile: "a thread or a library, source not known",
        mark: "a remark",
        stacks: "paths",
    },
    goroutineleak: {
        about: "These threads never go on: each waits for a lock that nobody can " +
            "release any more. Who has it stands under Locks, below.",
        mark: "for which reason",
        empty: "Of no thread is it proved that it never goes on.",
    },
    fds: {
        about: "What is open now, by the code that opened it.",
        empty: "Nothing is open.",
    },
    threadcreate: {
        about: "The threads that live, by the code that started them; and, as the value " +
            "ended, those that have ended and were never joined, whose stacks stay " +
            "mapped.",
        empty: "There are no such threads.",
    },
    timers: {
        about: "The POSIX timers that were not deleted, by the code that made them.",
        empty: "There are no timers.",
    },
    mmaps: {
        about: "The address space, by the code that mapped it: in mappings, or in bytes.",
    },
    children: {
        about: "The child processes, by the code that started them; the value ended " +
            "counts those that have ended and were not waited for.",
        empty: "There are no such children.",
    },
};

export function wordsOf(profile) {
    return {...CALLS, ...OTHERS[profile]};
}

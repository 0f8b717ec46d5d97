// What the page says of a profile beside its numbers. A profile that is not listed here
// is read as the heap's: its frames are calls.

const CALLS = {
    about: "",
    heads: ["Function", "Own", "With callees"],
    by: "own", // what the table is sorted by
    noFile: "a library, source not known",
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
        stacks: "paths",
    },
};

export function wordsOf(profile) {
    return {...CALLS, ...OTHERS[profile]};
}

// What /debug/locks says, in words.

const TEXTS = {
    deadlock: ["DEADLOCK", 0],
    never_released: ["NEVER RELEASED", 1],
    stuck: ["STUCK BEHIND THEM", 2],
    waits: ["waits", 3],
};

const list = (value) => (Array.isArray(value) ? value : []);
const plural = (count, one, more) => `${count} ${count === 1 ? one : more}`;

// Reads a reply: {text, proofs, stuck, groups}. `text` is the state in a few words; a
// proof is {title, text}, and never ends by itself; `stuck` counts the threads that never
// go on for it. A group are threads that wait alike; the stuck ones come first, then
// those that wait longest. Throws an Error for what is no such reply.
export function readLocks(reply) {
    if (typeof reply?.measured !== "boolean") {
        throw new Error("this is no list of locks");
    }
    if (!reply.measured) {
        const text = `not measured: ${reply.reason ?? "no reason is given"}`;
        return {text, proofs: [], stuck: 0, groups: []};
    }
    const names = namesOf(reply);
    const waits = list(reply.waits).map((wait) => readWait(wait, reply, names));
    const rank = cycleRanks(reply);
    waits.sort((a, b) =>
        a.rank - b.rank ||
        (rank.get(a.tid) ?? 0) - (rank.get(b.tid) ?? 0) ||
        b.seconds - a.seconds,
    );
    const proofs = [
        ...list(reply.deadlocks).map((each) => deadlock(each, names)),
        ...list(reply.never_released).map((each) => neverReleased(each, names)),
    ];
    const stuck = waits.filter(({kind}) => kind !== "waits").length;
    return {text: summary(waits, reply), proofs, stuck, groups: groupsOf(waits)};
}

function summary(waits, reply) {
    const unjudged = reply.kernel_asked === false
        ? "; those in a condition variable are not judged, because the kernel does " +
          "not say where they are"
        : "";
    if (waits.length === 0) {
        return `no thread waits for a mutex or rwlock${unjudged}`;
    }
    const total = plural(waits.length, "thread waits", "threads wait");
    const parts = Object.entries(TEXTS)
        .filter(([kind]) => kind !== "waits")
        .map(([kind, [badge]]) => [badge, waits.filter((each) => each.kind === kind)])
        .filter(([, those]) => those.length > 0)
        .map(([badge, those]) => `${badge}: ${those.length}`);
    return `${[`${total} for a lock`, ...parts].join("; ")}${unjudged}`;
}

// -- threads --------------------------------------------------------------------------

function namesOf({waits, holders}) {
    const found = new Map();
    for (const {tid, name} of [...list(waits), ...list(holders)]) {
        found.set(tid, name);
    }
    return found;
}

function threadText(tid, name) {
    return name ? `${name} (${tid})` : `thread ${tid}`;
}

// The place of each thread among those in a cycle: each waits for the next one.
function cycleRanks({deadlocks}) {
    const threads = list(deadlocks).flatMap((each) => list(each.threads));
    return new Map(threads.map((tid, index) => [tid, index]));
}

function deadlock({threads}, names) {
    const tids = list(threads);
    const cycle = [...tids, tids[0]].map((tid) => threadText(tid, names.get(tid)));
    const text = tids.length === 1
        ? `${cycle[0]} waits for a lock that it has itself.`
        : `each waits for a lock of the next one: ${cycle.join(" \u2192 ")}.`;
    return {title: "DEADLOCK", text};
}

function neverReleased({lock, owner, threads}, names) {
    const tids = list(threads);
    const who = tids.slice(0, 3).map((tid) => threadText(tid, names.get(tid)));
    const more = tids.length - who.length;
    const text =
        `thread ${owner} had the lock ${lock} when it ended; ` +
        `${plural(tids.length, "thread waits", "threads wait")} for it: ` +
        `${who.join(", ")}${more > 0 ? ` and ${more} more` : ""}.`;
    return {title: "NEVER RELEASED", text};
}

// -- one wait -------------------------------------------------------------------------

function readWait(wait, {holders}, names) {
    const kind = wait.verdict in TEXTS ? wait.verdict : "waits";
    const [badge, rank] = TEXTS[kind];
    return {
        tid: wait.tid,
        kind,
        badge,
        rank,
        thread: threadText(wait.tid, wait.name),
        lock: lockLines(wait),
        seconds: Number(wait.waited_seconds) || 0,
        holder: holderLines(wait.holder ?? {}, list(holders), names),
        frames: framesOf(wait),
    };
}

// Threads that wait at the same place for the same lock and the same reason, as one:
// `key` is the same as long as they do, whoever comes and goes.
function groupsOf(waits) {
    const groups = new Map();
    for (const {thread, seconds, ...wait} of waits) {
        const {kind, badge, lock, holder, frames, rank} = wait;
        // In a cycle each thread has a place of its own.
        const alone = kind === "deadlock" ? wait.tid : null;
        const key = JSON.stringify([kind, lock, holder, frames, alone]);
        const group = groups.get(key) ??
            {key, kind, badge, rank, lock, holder, frames, threads: [], seconds: []};
        group.threads.push(thread);
        group.seconds.push(seconds);
        groups.set(key, group);
    }
    return [...groups.values()];
}

// "mutex 0x7f12", "recursive, robust", "with a time limit".
function lockLines({lock, kind, type, robust, shared, pi, wants, timed}) {
    const what = [
        type && type !== "normal" ? type : null,
        robust ? "robust" : null,
        shared ? "in shared memory" : null,
        pi ? "priority inheritance" : null,
    ];
    const how = [
        {read: "to read", write: "to write"}[wants],
        wants === "mutex after condition" ? "after a condition variable" : null,
        timed ? "with a time limit" : null,
    ];
    const lines = [what, how].map((texts) => texts.filter(Boolean).join(", "));
    return [`${kind} ${lock}`, ...lines.filter(Boolean)];
}

function holderLines({state, tid, name, readers}, holders, names) {
    const at = holders.find((each) => each.tid === tid);
    switch (state) {
        case "thread": {
            const text = threadText(tid, name ?? names.get(tid));
            const place = at ? placeOf(framesOf(at)) : "";
            return place ? [text, `now in ${place}`] : [text];
        }
        case "ended":
            return [`thread ${tid}`, "which has ended"];
        case "other_process":
            return tid ? [`thread ${tid}`, "of another process"] : ["another process"];
        case "this_or_other_process":
            return [`thread ${tid}`, "of this process or another one"];
        case "readers":
            return [plural(readers ?? 0, "reader", "readers"), "which ones is not known"];
        case "nobody":
            return ["nobody", "it was released just now"];
        default:
            return ["not known"];
    }
}

// -- stacks ---------------------------------------------------------------------------

// {name, place}: the place is "FILE:LINE", or "" where that is not known.
function framesOf({stack}) {
    return list(stack).map((frame) => ({
        name: String(frame.function ?? "?"),
        place: frame.file ? `${frame.file}:${frame.line}` : "",
    }));
}

// The innermost frame whose source is known; a header of the system is not the
// program's, unless there is no other.
export function ownFrame(frames) {
    const known = frames.filter(({place}) => place !== "");
    return known.find(({place}) => !place.startsWith("/usr/include/")) ??
        known[0] ?? frames[0];
}

// Where a thread is.
function placeOf(frames) {
    const own = ownFrame(frames);
    return own ? `${own.name} ${own.place}`.trim() : "";
}

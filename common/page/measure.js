// What grew on one server since a card's first call, out of its /status. A figure is
// taken when the server is at rest, which is when a few samples in a row agree. If that
// does not happen within a limit, the page says so.

import {FDS, HEAP, KEPT, THREADS, TIMERS, read} from "/page/lab/resources.js";
import {isOther} from "/page/server.js";

const SAMPLES = 4;        // as many in a row must agree
const BETWEEN_MS = 150;   // together longer than what the fixed half's cache remembers
const SETTLE_MS = 10000;  // at most
const HELD_BETWEEN_MS = 80;

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// How far a resource moves within a list of samples.
function moves(resource, samples) {
    const values = samples.map((status) => read(resource, status) ?? 0);
    return Math.max(...values) - Math.min(...values);
}

function agree(samples) {
    return KEPT.every((resource) => moves(resource, samples) <= resource.noise);
}

// The least of each resource, because a connection or a reply of the moment only adds;
// and the last of all else.
function least(samples) {
    const last = samples[samples.length - 1];
    const lowest = (resource) => {
        const values = samples.map((status) => read(resource, status));
        return values.includes(null) ? null : Math.min(...values);
    };
    return {
        ...last,
        memory: {...last.memory, alloc_bytes: lowest(HEAP)},
        threads: lowest(THREADS),
        fds: lowest(FDS),
        timers: lowest(TIMERS),
    };
}

// A few of these names.
function some(names) {
    const more = names.length - 2;
    return names.slice(0, 2).join(", ") + (more > 0 ? ` and ${more} others` : "");
}

export class Measurement {
    // `growing`: the scenarios whose leftovers go on growing. `changed` is called when
    // there is something new to show.
    constructor(server, scenario, growing, changed) {
        this.server = server;
        this.scenario = scenario;
        this.growing = growing.filter((name) => name !== scenario.name);
        this.changed = changed;
        this.turn = 0;
        this.forget("not run yet");
    }

    // state: "none"; "running", so not at rest; "settled"; "unsettled", still changing
    // after the limit. `reason` says why there is nothing to show.
    forget(reason) {
        this.turn++;
        this.first = null;
        this.now = null;
        this.before = null; // the status just before the last call
        this.peak = null;
        this.note = ""; // what else there is to say
        this.state = "none";
        this.reason = reason;
        this.changed();
    }

    // Takes the figures from which growth is counted, if there are none yet, or if the
    // old ones would count what happened meanwhile.
    async begin() {
        this.turn++;
        let status = await this.server.json("/status");
        this.see(status);
        const others = this.others();
        if (others.length > 0) {
            this.forget("");
            this.note = `counted from this call on, as ${some(others)} ran before it`;
        }
        if (this.first === null) {
            await pause(this.server.restsIn);
            const samples = await this.samples();
            status = least(samples);
            this.first = status;
            this.now = status;
        }
        this.before = status;
        this.state = "running";
        this.changed();
    }

    async samples() {
        const samples = [];
        while (samples.length < SAMPLES) {
            await pause(BETWEEN_MS / 3);
            samples.push(await this.server.json("/status"));
        }
        return samples;
    }

    // Figures while calls run, which are not at rest.
    see(status) {
        if (this.first === null) {
            return;
        }
        if (isOther(this.first, status)) {
            this.forget("the server has restarted since");
            return;
        }
        this.now = status;
        this.changed();
    }

    // Waits for rest, then takes the figures. Another call that begins ends the wait.
    async settle() {
        const turn = ++this.turn;
        const end = performance.now() + SETTLE_MS;
        let samples = [];
        let calm = false;
        while (!calm && performance.now() < end) {
            await pause(BETWEEN_MS);
            const status = await this.server.json("/status");
            if (turn !== this.turn) {
                return;
            }
            this.see(status);
            samples = [...samples, status].slice(-SAMPLES);
            calm = samples.length === SAMPLES && agree(samples) &&
                this.server.restsIn === 0;
        }
        if (this.first !== null && samples.length > 0) {
            this.now = least(samples);
            this.state = calm ? "settled" : "unsettled";
            this.changed();
        }
    }

    // Keeps the highest figures until `call` is over, for what is held only while it
    // runs. They are counted from what begin() saw just before.
    async watch(call) {
        const before = this.before;
        const highest = [];
        let going = true;
        const over = call.finally(() => {
            going = false;
        });
        while (going) {
            const status = await this.server.json("/status");
            if (going) {
                highest.push(status);
                await pause(HELD_BETWEEN_MS);
            }
        }
        await over;
        this.peak = highest.length > 0 ? {before, highest} : null;
        this.changed();
    }

    // How much a resource grew; null if that was not measured.
    growth(resource) {
        if (this.first === null || this.now === null) {
            return null;
        }
        const from = read(resource, this.first);
        const to = read(resource, this.now);
        return from === null || to === null ? null : to - from;
    }

    // The most that was in use during a held call, beyond what was before it; null if
    // that was not measured.
    highest(resource) {
        if (this.peak === null) {
            return null;
        }
        const before = read(resource, this.peak.before);
        const seen = this.peak.highest.map((status) => read(resource, status));
        return before === null || seen.includes(null)
            ? null
            : Math.max(...seen) - before;
    }

    // What a reader must know of the figures, in words.
    remarks() {
        const {name} = this.server;
        if (this.first === null || this.now === null) {
            return [`${name}: not measured, ${this.reason}.`];
        }
        const states = {
            running: "not at rest yet, so these figures are of the moment",
            unsettled: "still changing, so these figures are of the moment",
        };
        const others = this.others();
        const said = [states[this.state], this.note];
        if (others.length > 0) {
            said.push(`in these figures, too: ${some(others)}, called meanwhile`);
        }
        const held = (each) => this.now.scenarios?.[each]?.held > 0;
        const left = this.growing.filter(held);
        if (left.length > 0) {
            said.push(`in these figures, too: what ${some(left)} left still grows`);
        }
        return said.filter(Boolean).map((text) => `${name}: ${text}.`);
    }

    // Calls of a scenario since the first one, by the server's own count.
    calls(name = this.scenario.name) {
        const count = (status) => status?.scenarios?.[name]?.calls ?? 0;
        return this.now === null ? 0 : count(this.now) - count(this.first);
    }

    // The other scenarios that were called meanwhile, which are in the growth too.
    others() {
        return Object.keys(this.now?.scenarios ?? {})
            .filter((name) => name !== this.scenario.name && this.calls(name) > 0);
    }
}

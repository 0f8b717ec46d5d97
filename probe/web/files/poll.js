// Asks each server for /status again and again, and keeps the newest samples.

import {Refusal, isOther} from "/page/server.js";
import {view} from "/page/view.js";

const SHORTEST_MS = 50;
const LONGEST_MS = 60000;
const LIMIT_MS = 3000; // a server that is silent for longer is away
const HIDDEN_MS = 10000; // between samples while nobody sees the page

// Seconds since 1970, as of a clock that nobody sets while the page is open.
export function clock() {
    return (performance.timeOrigin + performance.now()) / 1000;
}

// Dispatches "sample" with {server, sample} in its detail. A sample is {time, status,
// restarted, error}: the time by clock(); the status, or null if the server gave none,
// and then why, in words; whether this is another process than before.
export class Poll extends EventTarget {
    #samples;
    #last = new Map(); // the last status of each server
    #timers = new Map();
    #run = 0; // its number while it runs, so that an answer for an ended one is dropped
    #runs = 0;

    // `interval` is in milliseconds; "#interval=100" in the address overrides it. Of
    // each server the newest `keep` samples are kept: a page may stay open for days.
    constructor(servers, {interval = 1000, keep = 600} = {}) {
        super();
        this.servers = servers;
        this.keep = keep;
        const asked = Number(view.get("interval")) || interval;
        this.interval = Math.min(LONGEST_MS, Math.max(SHORTEST_MS, asked));
        this.#samples = new Map(servers.map((server) => [server, []]));
        document.addEventListener("visibilitychange", () => this.soon());
    }

    // The samples of a server, oldest first. They belong to the Poll.
    samples(server) {
        return this.#samples.get(server);
    }

    // The servers are asked at once, and their samples come when the caller has ended.
    start() {
        if (this.#run === 0) {
            this.#run = ++this.#runs;
            this.servers.forEach((server) => this.#take(server));
        }
    }

    stop() {
        this.#run = 0;
        this.#timers.forEach((timer) => clearTimeout(timer));
        this.#timers.clear();
    }

    #wait(server, ms) {
        this.#timers.set(server, setTimeout(() => this.#take(server), ms));
    }

    // Takes samples at once: something has happened, or a person looks here again.
    soon() {
        if (document.hidden) {
            return;
        }
        for (const [server, timer] of this.#timers) {
            clearTimeout(timer);
            this.#wait(server, 0);
        }
    }

    async #take(server) {
        this.#timers.delete(server);
        const run = this.#run;
        const begin = performance.now();
        const sample = await this.#ask(server);
        if (this.#run !== run) {
            return;
        }
        const samples = this.#samples.get(server);
        samples.push(sample);
        samples.splice(0, samples.length - this.keep);
        this.dispatchEvent(new CustomEvent("sample", {detail: {server, sample}}));
        const interval = document.hidden ? HIDDEN_MS : this.interval;
        const taken = performance.now() - begin;
        if (this.#run === run) {
            this.#wait(server, Math.max(0, interval - taken));
        }
    }

    async #ask(server) {
        const sample = {time: 0, status: null, restarted: false, error: null};
        try {
            const status = await server.json("/status", {limit: LIMIT_MS});
            if (!isStatus(status)) {
                throw new Error(`${server.name} answers, but not with its status`);
            }
            const before = this.#last.get(server);
            sample.restarted = before !== undefined && isOther(before, status);
            sample.status = status;
            this.#last.set(server, status);
        } catch (error) {
            sample.error =
                error instanceof Refusal
                    ? `${server.name} refuses its status: ${error.message}`
                    : error.message;
        }
        sample.time = clock();
        return sample;
    }
}

// Whether a reply is what this page reads: another program may be at the address.
function isStatus(status) {
    return (
        Number.isFinite(status?.pid) &&
        Number.isFinite(status.uptime_seconds) &&
        typeof status.memory === "object" &&
        status.memory !== null
    );
}

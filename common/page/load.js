// Calls of scenarios: one request to each server, or a steady rate of them. A rate
// stays low, never piles requests up, and stops by itself.

import {view} from "/page/view.js";

export const RATES = [0.5, 1, 2, 5]; // calls a second
const LONGEST_S = 15 * 60;
const HIDDEN_S = 60;
const CALL_MS = 100000; // a server begins no further call after 90 s

// Calls a scenario once on each of these servers. Returns, for each, {server, reply} or
// {server, error}.
export function call(servers, name, {count = 1, hold = 0} = {}) {
    const query = new URLSearchParams({id: "page", count});
    if (hold > 0) {
        query.set("hold", hold);
    }
    const path = `/leak/${encodeURIComponent(name)}?${query}`;
    return Promise.all(servers.map(async (server) => {
        try {
            return {server, reply: await server.call(path, {limit: CALL_MS})};
        } catch (error) {
            return {server, error};
        }
    }));
}

// The rate that is chosen, which a link keeps.
export function chosenRate() {
    const rate = Number(view.get("rate"));
    return RATES.includes(rate) ? rate : 1;
}

export function chooseRate(rate) {
    view.set("rate", String(rate));
}

// A steady rate of one scenario at a time. Event "change" when it starts, calls, stops.
export class SteadyLoad extends EventTarget {
    constructor() {
        super();
        this.card = null; // whose scenario runs; null: none
        this.rate = 0;
        this.calls = 0;
        this.reason = ""; // why the last one stopped
        this.turn = 0;
        this.hidden = null;
        document.addEventListener("visibilitychange", () => this.watchHidden());
        window.addEventListener("pagehide", () => this.stop("the page was left"));
    }

    // A tab that nobody looks at must not fill a server for hours.
    watchHidden() {
        clearTimeout(this.hidden);
        if (document.hidden) {
            this.hidden = setTimeout(
                () => this.stop(`the page was hidden for ${HIDDEN_S} s`),
                HIDDEN_S * 1000,
            );
        }
    }

    told() {
        this.dispatchEvent(new Event("change"));
    }

    stop(reason) {
        if (this.card !== null) {
            const card = this.card;
            this.turn++;
            this.card = null;
            this.reason = reason;
            this.told();
            card.steadyStopped(reason);
        }
    }

    // Calls `card.callOnce()` at this rate: it returns why to stop, or null. The next
    // call waits for the one before; what is late is left out, not caught up with.
    async start(card, rate) {
        this.stop("another scenario was started");
        const turn = ++this.turn;
        Object.assign(this, {card, rate, calls: 0, reason: ""});
        this.told();
        const begun = performance.now();
        let due = begun;
        while (turn === this.turn) {
            const reason = await card.callOnce();
            if (turn !== this.turn) {
                return;
            }
            this.calls++;
            this.told();
            const now = performance.now();
            if (reason !== null) {
                this.stop(reason);
            } else if (now - begun > LONGEST_S * 1000) {
                this.stop(`it ran for ${LONGEST_S / 60} minutes, the most it may`);
            }
            due = Math.max(due + 1000 / rate, now);
            await new Promise((resolve) => setTimeout(resolve, due - now));
        }
    }
}

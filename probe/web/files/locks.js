// The locks: which thread waits for which one, since when, and who has it; and what is
// proved of them. A proof is said at the top of the page, too.

import {
    button, describe, element, formatCount, formatTime, setText,
} from "/page/dom.js";
import {readLocks} from "/page/lock_words.js";

const EVERY = 5; // a server is asked for its locks with every fifth sample,
const SHARE = 20; // but for no more than a twentieth of the time
const ROWS_MAX = 100; // of one server

// Draws the locks of the Poll's servers into `place`, and what is proved into `news`.
export function drawLocks(place, poll, news) {
    new Locks(place, poll, news);
}

class Locks {
    #states = new Map(); // of each server: {samples, rests, text, view}
    #rows = new Map(); // by a key of their own: a row stays while its thread waits

    constructor(place, poll, news) {
        this.place = place;
        this.servers = poll.servers;
        this.news = news;
        this.told = element("p", {role: "status"}, "Not asked for yet.");
        this.links = element("span", {class: "links"});
        this.proofs = element("ul", {class: "proofs"});
        this.body = element("tbody", {role: "rowgroup"});
        this.table = this.#makeTable();
        this.more = element("p", {class: "about-profile", hidden: true});
        place.append(
            element("div", {class: "told"}, this.told, this.links),
            this.proofs,
            this.table,
            this.more,
        );
        for (const server of poll.servers) {
            const text = "is not asked yet";
            this.#states.set(server, {samples: 0, rests: 0, text, view: null});
        }
        this.#link();
        poll.addEventListener("sample", ({detail: {server, sample}}) => {
            this.#see(server, sample);
        });
    }

    // A table on a phone is a list of its rows, so its roles are said.
    #makeTable() {
        const heads = ["Thread", "Waits for", "For", "Held by", "Waits at"].map((text) =>
            element("th", {scope: "col", role: "columnheader"}, text),
        );
        const head = element("tr", {role: "row"}, heads);
        return element(
            "table",
            {class: "figures locks", role: "table", "aria-label": "Locks", hidden: true},
            element("thead", {role: "rowgroup"}, head),
            this.body,
        );
    }

    #link() {
        const several = this.servers.length > 1;
        this.links.replaceChildren(
            ...this.servers.map((server) => {
                const text = several ? `As text: ${server.name}` : "As text";
                return element("a", {href: `${server.url}/debug/locks`}, text);
            }),
        );
    }

    // -- asking -----------------------------------------------------------------------

    #see(server, {status}) {
        const state = this.#states.get(server);
        if (status === null) {
            state.samples = 0; // it is asked as soon as it answers
            this.#take(server, "is away", null);
        } else if (!document.hidden && performance.now() >= state.rests) {
            state.samples++;
            if (state.samples % EVERY === 1) {
                this.#ask(server, state);
            }
        }
    }

    async #ask(server, state) {
        const begin = performance.now();
        state.rests = Infinity;
        try {
            const locks = readLocks(await server.json("/debug/locks?format=json"));
            this.#take(server, locks.text, locks);
        } catch (error) {
            this.#take(server, `does not say who waits: ${describe(error)}`, null);
        }
        const end = performance.now();
        state.rests = end + SHARE * (end - begin);
    }

    #take(server, text, view) {
        Object.assign(this.#states.get(server), {text, view});
        this.#draw();
    }

    // -- drawing ----------------------------------------------------------------------

    #draw() {
        const told = [];
        const proofs = [];
        const rows = new Map();
        let hidden = 0;
        for (const server of this.servers) {
            const {text, view} = this.#states.get(server);
            told.push(`${server.name}: ${text}.`);
            proofs.push(...(view?.proofs ?? []).map((proof) => ({server, ...proof})));
            const waits = view?.waits ?? [];
            hidden += Math.max(0, waits.length - ROWS_MAX);
            for (const wait of waits.slice(0, ROWS_MAX)) {
                const key = `${this.servers.indexOf(server)} ${wait.key}`;
                const row = this.#rows.get(key) ?? makeRow();
                fillRow(row, wait, this.servers.length > 1 ? server : null);
                rows.set(key, row);
            }
        }
        this.#rows = rows;
        setText(this.told, told.join(" "));
        this.#drawProofs(proofs);
        order(this.body, [...rows.values()].map(({row}) => row));
        this.table.hidden = rows.size === 0;
        this.more.hidden = hidden === 0;
        setText(this.more, `And ${formatCount(hidden)} more: the text lists them all.`);
    }

    #drawProofs(proofs) {
        const lines = proofs.map(({server, title, text}) => {
            const of = this.servers.length > 1 ? `${server.name}: ` : "";
            return [title, `${of}${text}`];
        });
        const said = JSON.stringify(lines);
        if (this.said === said) {
            return;
        }
        this.said = said;
        this.proofs.replaceChildren(
            ...lines.map(([title, text]) =>
                element("li", {}, element("strong", {}, title), ` ${text}`),
            ),
        );
        this.#drawNews(proofs);
    }

    // One line at the top of the page, for what never ends by itself.
    #drawNews(proofs) {
        this.news.hidden = proofs.length === 0;
        if (proofs.length === 0) {
            this.news.replaceChildren();
            return;
        }
        const of = (server) => {
            const own = proofs.filter((proof) => proof.server === server);
            const titles = [...new Set(own.map(({title}) => title))].join(", ");
            const count = own.reduce((sum, {threads}) => sum + threads, 0);
            const threads = count === 1 ? "1 thread never goes" : `${count} threads never go`;
            return own.length > 0 ? [`${server.name}: ${titles}, ${threads} on.`] : [];
        };
        const show = button("Show the locks", () => this.place.scrollIntoView());
        const text = this.servers.flatMap(of).join(" ");
        this.news.replaceChildren(element("p", {role: "alert"}, text), show);
    }
}

// -- one row --------------------------------------------------------------------------

function makeRow() {
    const cell = (name, label) =>
        element("td", {role: "cell", class: name, "data-label": label});
    const made = {
        thread: element("th", {scope: "row", role: "rowheader"}),
        lock: cell("lock", "waits for"),
        time: cell("time", "for"),
        holder: cell("holder", "held by"),
        place: cell("place", "waits at"),
    };
    const row = element("tr", {role: "row"}, Object.values(made));
    return {...made, row, shown: ""};
}

// All but the time is drawn anew only if it is different: a person may have opened it.
function fillRow(made, wait, server) {
    setText(made.time, formatTime(wait.seconds));
    const shown = JSON.stringify([wait.thread, wait.badge, wait.lock, wait.holder,
        wait.frames, server?.name]);
    if (made.shown === shown) {
        return;
    }
    made.shown = shown;
    const badge = element("strong", {class: `badge badge-${wait.kind}`}, wait.badge);
    const of = server ? element("span", {class: "of"}, `${server.name} `) : null;
    made.row.className = `wait-${wait.kind}`;
    made.thread.replaceChildren(badge, " ", ...(of ? [of] : []), wait.thread);
    made.lock.replaceChildren(...linesOf(wait.lock));
    made.holder.replaceChildren(...linesOf(wait.holder));
    made.place.replaceChildren(stackOf(wait.frames));
}

// The first text, and the others below it.
function linesOf([first, ...others]) {
    return [first, ...others.map((text) => element("small", {}, text))];
}

// The frame that is most likely the program's own; the whole stack is folded away.
function stackOf(frames) {
    if (frames.length === 0) {
        return element("span", {class: "of"}, "not known");
    }
    const own = frames.find(({place}) => place !== "") ?? frames[0];
    return element(
        "details",
        {},
        element("summary", {}, frameOf(own)),
        element("ol", {}, frames.map((frame) => element("li", {}, frameOf(frame)))),
    );
}

function frameOf({name, place}) {
    return place ? [`${name} `, element("small", {}, place)] : [name];
}

// Puts the rows into this order, and touches none that has its place already.
function order(body, rows) {
    const wanted = new Set(rows);
    for (const row of [...body.children]) {
        if (!wanted.has(row)) {
            row.remove();
        }
    }
    rows.forEach((row, index) => {
        if (body.children[index] !== row) {
            body.insertBefore(row, body.children[index] ?? null);
        }
    });
}

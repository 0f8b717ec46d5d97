// The locks: which thread waits for which one, since when, and who has it; and what is
// proved of them, which is said over the page, too.

import {
    button, describe, element, formatCount, formatTime, setText,
} from "/page/dom.js";
import {ownFrame, readLocks} from "/page/lock_words.js";

const EVERY = 5; // a server is asked for its locks with every fifth sample,
const SHARE = 20; // but for no more than a twentieth of the time
const ROWS_MAX = 100; // of one server
const PROOFS_MAX = 10; // of all

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
        this.words = element("p", {role: "alert"});
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
        news.append(
            this.words,
            button("Show the locks", () => {
                news.hidden = true;
                place.scrollIntoView({block: "start"});
            }),
            button("Dismiss", () => (news.hidden = true)),
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
            const groups = view?.groups ?? [];
            hidden += Math.max(0, groups.length - ROWS_MAX);
            for (const group of groups.slice(0, ROWS_MAX)) {
                const key = `${this.servers.indexOf(server)} ${group.key}`;
                const row = this.#rows.get(key) ?? makeRow();
                fillRow(row, group, this.servers.length > 1 ? server : null);
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
        const more = lines.length - PROOFS_MAX;
        this.proofs.replaceChildren(
            ...lines.slice(0, PROOFS_MAX).map(([title, text]) =>
                element("li", {}, element("strong", {}, title), ` ${text}`),
            ),
            ...(more > 0 ? [element("li", {}, `And ${formatCount(more)} more.`)] : []),
        );
        this.#drawNews(proofs);
    }

    // What never ends by itself is said over the page, wherever one looks.
    #drawNews(proofs) {
        const of = (server) => {
            const own = proofs.filter((proof) => proof.server === server);
            const titles = [...new Set(own.map(({title}) => title))].join(", ");
            const {view} = this.#states.get(server);
            return own.length > 0 ? [`${server.name}: ${titles}, ${stuckText(view)}.`] : [];
        };
        setText(this.words, this.servers.flatMap(of).join(" "));
        this.news.hidden = proofs.length === 0;
    }
}

function stuckText({stuck}) {
    return stuck === 1 ? "1 thread never goes on" : `${stuck} threads never go on`;
}

// -- one row --------------------------------------------------------------------------

const THREADS_SHOWN = 3;

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
    return {...made, row, threads: element("span"), kind: ""};
}

// What is the same for all of a group is drawn once: a person may have opened it.
function fillRow(made, group, server) {
    const {kind, badge, threads, seconds, lock, holder, frames} = group;
    const [least, most] = [Math.min(...seconds), Math.max(...seconds)].map(formatTime);
    setText(made.time, least === most ? most : `${least} to ${most}`);
    setText(made.threads, threadsText(threads));
    if (made.kind === kind) {
        return; // the rest belongs to the group's key
    }
    made.kind = kind;
    made.thread.replaceChildren(
        element("strong", {class: `badge badge-${kind}`}, badge),
        ...(server ? [element("span", {class: "of"}, `${server.name} `)] : []),
        made.threads,
    );
    made.lock.replaceChildren(...linesOf(lock));
    made.holder.replaceChildren(...linesOf(holder));
    made.place.replaceChildren(stackOf(frames));
}

function threadsText(threads) {
    const names = threads.slice(0, THREADS_SHOWN).join(", ");
    const more = threads.length - THREADS_SHOWN;
    return more > 0 ? `${names} and ${formatCount(more)} more` : names;
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
    return element(
        "details",
        {},
        element("summary", {}, frameOf(ownFrame(frames))),
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

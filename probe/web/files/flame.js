// The flame graphs: every profile that a server has, one at a time, whole or as what
// has changed since now.

import {
    button, choice, describe, element, formatBytes, formatCount, formatTime, setOptions,
    setText,
} from "/page/dom.js";
import {Icicle, fileTone} from "/page/icicle.js";
import {functionsOf, indexOf, placed, readStacks, treeOf} from "/page/tree.js";
import {isOther} from "/page/server.js";
import {view} from "/page/view.js";
import {wordsOf} from "/page/words.js";

const FIRST = "heap"; // shown first, where there is one
const LIMIT_MS = 30000; // for a profile
const TABLE_ROWS = 40;

// Draws the flame graphs of `servers` into `place`. Keys of the view: server, profile,
// value, since, zoom, search.
export function drawFlames(place, servers) {
    new Flames(place, servers);
}

class Flames {
    #entries = []; // of the server's index
    #profile = null; // what is drawn
    #base = null; // what it is compared with: {profile, time, status}
    #asked = 0; // counts the requests: of two answers the later one is drawn

    constructor(place, servers) {
        this.servers = servers;
        this.icicle = new Icicle({
            onzoom: (path) => view.set("zoom", path.join(";")),
            onshow: (node) => this.#describe(node),
            tone: (node) => this.#tone(node),
        });
        this.#makeControls();
        this.#makeOutputs();
        place.append(
            this.controls,
            element("div", {class: "told"}, this.told, this.links),
            this.about,
            element(
                "div",
                {class: "flames"},
                element(
                    "div",
                    {class: "flame-graph"},
                    element("nav", {"aria-label": "Zoom"}, this.icicle.crumbs),
                    this.icicle.box,
                    this.refused,
                    this.legend,
                    this.detail,
                ),
                this.functions,
            ),
        );
        for (const key of ["server", "profile", "value", "since", "zoom", "search"]) {
            view.onChange(key, () => this.#followView(key));
        }
        this.#open();
    }

    // -- controls ---------------------------------------------------------------------

    #makeControls() {
        const names = this.servers.map(({name}) => [name, name]);
        this.server = choice("Server", names, (name) => this.#set("server", name));
        this.profile = choice("Profile", [], (name) => this.#set("profile", name));
        this.value = choice("Value", [], (name) => this.#set("value", name));
        this.whole = button("Whole", () => this.#compare(false));
        this.since = button("Since now", () => this.#compare(true));
        this.refresh = button("Take again", () => this.#open());
        this.search = element("input", {
            type: "search",
            placeholder: "function or file",
            oninput: () => this.#find(),
        });
        this.search.value = view.get("search") ?? "";
        this.download = element("a", {class: "download"}, "Download");
        this.text = element("a", {}, "As text");
        for (const {label} of [this.profile, this.value]) {
            label.classList.add("fixed-width"); // their options come later
        }
        this.server.label.hidden = this.servers.length < 2;
        this.controls = element(
            "div",
            {class: "toolbar flame-controls"},
            this.server.label,
            this.profile.label,
            this.value.label,
            element(
                "div",
                {class: "pair", role: "group", "aria-label": "What is shown"},
                this.whole,
                this.since,
            ),
            this.refresh,
            element("label", {class: "choice search"}, "Search", this.search),
        );
        this.links = element("span", {class: "links"}, this.download, this.text);
    }

    #makeOutputs() {
        this.told = element("p", {role: "status"});
        this.about = element("p", {class: "about-profile", hidden: true});
        this.refused = element("div", {class: "refused", hidden: true});
        this.detail = element("p", {class: "detail"});
        this.legend = element("p", {class: "legend"});
        this.rows = element("tbody");
        this.heads = element("tr");
        this.functions = element(
            "div",
            {
                class: "functions",
                tabindex: "0",
                role: "region",
                "aria-label": "The functions with the most",
            },
            element(
                "table",
                {class: "figures", "aria-label": "Functions"},
                element("thead", {}, this.heads),
                this.rows,
            ),
        );
        this.#describe(null);
    }

    // -- what is asked for ------------------------------------------------------------

    get #server() {
        const name = view.get("server");
        return this.servers.find((server) => server.name === name) ?? this.servers[0];
    }

    get #words() {
        return wordsOf(this.#name);
    }

    get #name() {
        return view.get("profile") ?? FIRST;
    }

    // A person has chosen something: what depends on it is chosen anew.
    #set(key, value) {
        view.set(key, value);
        view.set("zoom", null);
        if (key !== "value") {
            view.set("value", null);
            view.set("since", null);
        }
        this.#followView(key);
    }

    #followView(key) {
        if (key === "search") {
            this.search.value = view.get("search") ?? "";
            this.#find();
        } else if (key === "zoom") {
            this.icicle.zoom(zoomPath());
        } else if (key === "value" && this.#profile) {
            this.#draw();
        } else {
            this.#base = null;
            this.#open();
        }
    }

    // Asks which profiles there are, and takes the one that is wanted.
    async #open() {
        const number = ++this.#asked;
        const server = this.#server;
        this.server.select.value = server.name;
        let entries = [];
        let failure = null;
        try {
            entries = await server.json("/debug/pprof/?format=json");
        } catch (error) {
            failure = error;
        }
        if (number !== this.#asked) {
            return;
        }
        this.#entries = entries;
        const listed = entries.map(({name, title}) => [name, `${title} (${name})`]);
        if (!this.#entries.some(({name}) => name === this.#name)) {
            listed.unshift([this.#name, this.#name]);
        }
        setOptions(this.profile.select, listed, this.#name);
        if (failure) {
            this.#refuse(failure);
        } else {
            await this.#load();
        }
    }

    #path(query = "") {
        return `/debug/pprof/${encodeURIComponent(this.#name)}${query}`;
    }

    async #compare(since) {
        view.set("since", since ? "1" : null);
        this.#base = null;
        await this.#load();
    }

    // Takes the profile, and draws it.
    async #load() {
        const number = ++this.#asked;
        const server = this.#server;
        this.#link(server);
        const entry = this.#entries.find(({name}) => name === this.#name);
        if (!entry) {
            this.#refuse("the server has no such profile"); // a link may name anything
            return;
        }
        if (entry.values.length === 0) {
            this.#refuse("this is no profile of stacks, but it can be downloaded");
            return;
        }
        this.icicle.tree.setAttribute("aria-busy", "true");
        try {
            const before = await server.json("/status");
            const bytes = await server.bytes(this.#path(), {limit: LIMIT_MS});
            const status = await server.json("/status");
            if (isOther(before, status)) {
                throw new Error("it was restarted meanwhile: take it again");
            }
            if (number === this.#asked) {
                this.#take(readStacks(bytes), status);
            }
        } catch (error) {
            if (number === this.#asked) {
                this.#refuse(error);
            }
        }
        this.icicle.tree.removeAttribute("aria-busy");
    }

    // Takes in a profile of the process with this status. The first one after "since
    // now", or after a restart, is what the next ones are compared with.
    #take(profile, status) {
        this.#profile = profile;
        this.time = new Date();
        this.restarted = false;
        if (!view.get("since")) {
            this.#base = null;
        } else if (this.#base === null || isOther(this.#base.status, status)) {
            this.restarted = this.#base !== null;
            this.#base = {profile, status, time: this.time};
        }
        this.#draw();
    }

    #link(server) {
        this.download.href = server.url + this.#path();
        this.download.download = `${server.name}-${this.#name}.pb`;
        this.text.href = server.url + this.#path("?debug=1");
    }

    // -- what is shown ----------------------------------------------------------------

    // Shows in words why there is no graph.
    #refuse(error) {
        const text = `${this.#server.name}, ${this.#name}: ${describe(error)}`;
        this.#profile = this.#base = null;
        this.icicle.clear();
        this.rows.replaceChildren();
        this.refused.hidden = false;
        this.refused.replaceChildren(element("p", {}, text));
        setText(this.told, text);
        this.told.classList.add("unseen"); // the box says it to those who see
        this.#explain();
        this.#marks();
    }

    #draw() {
        const profile = this.#profile;
        this.told.classList.remove("unseen");
        this.type = valueOf(profile);
        setOptions(
            this.value.select,
            profile.types.map(({type, unit}) => [type, valueTitle(type, unit)]),
            this.type.type,
        );
        const base = this.#base?.profile ?? null;
        const tree = placed(treeOf(profile, this.type.type, base));
        this.total = tree.data.value;
        const empty = tree.value === 0;
        this.refused.hidden = !empty;
        this.refused.replaceChildren(element("p", {}, this.#nothing()));
        if (empty) {
            this.icicle.clear();
        } else {
            this.icicle.show(tree, (node) => this.#sentence(node), zoomPath());
        }
        const {by} = this.#words;
        this.#fillTable(functionsOf(profile, this.type.type, base, by));
        this.#explain();
        this.#marks();
        setText(this.told, this.#summary(tree.data.value));
        this.#find();
    }

    #nothing() {
        return this.#base
            ? "Nothing has changed since then. Let the program work, and take it again."
            : this.#words.empty;
    }

    // How this profile is read, and what taking it has cost: of the comment's parts
    // those without sums, which stand above.
    #explain() {
        const {about, heads} = this.#words;
        const comments = this.#profile?.comments ?? [];
        const parts = comments.flatMap((text) => text.split("; "));
        const cost = parts.filter((text) => !text.includes(" bytes")).join("; ");
        this.about.hidden = about === "" || this.#profile === null;
        setText(this.about, cost ? `${about} (${cost}.)` : about);
        this.heads.replaceChildren(
            ...heads.map((text) => element("th", {scope: "col"}, text)),
        );
    }

    #summary(value) {
        const clock = (time) => time.toTimeString().slice(0, 8);
        const {type} = this.type;
        const ofType = type === this.#name ? "" : `, ${type}`;
        const what = `${this.#server.name}, ${this.#name}${ofType}`;
        if (!this.#base) {
            const count = formatCount(this.#profile.samples.length);
            const amount = `${this.#format(value)} in ${count} ${this.#words.stacks}`;
            return `${what} at ${clock(this.time)}: ${amount}.`;
        }
        const seconds = (this.time - this.#base.time) / 1000;
        const anew = this.restarted ? "The server was restarted: counted anew. " : "";
        return (
            `${anew}${what}: ${this.#format(value)} since ${clock(this.#base.time)}, ` +
            `in ${formatTime(seconds)}.`
        );
    }

    #marks() {
        const since = view.get("since") !== null;
        this.whole.setAttribute("aria-pressed", !since);
        this.since.setAttribute("aria-pressed", since);
        const swatch = (name) =>
            element("span", {class: `swatch ${name}`, "aria-hidden": "true"});
        const key = (text, ...names) => element("span", {}, names.map(swatch), text);
        this.legend.replaceChildren(
            ...(since
                ? [key("has grown", "more"), key("has shrunk", "less")]
                : [
                      key("a colour for each file", "tone-0", "tone-2", "tone-4"),
                      key(this.#words.noFile, "tone-none"),
                      ...(this.#hasLabels ? [key(this.#words.mark, "tone-mark")] : []),
                  ]),
        );
    }

    get #hasLabels() {
        return this.#profile?.samples.some(({labels}) => labels.length > 0) ?? false;
    }

    #tone(node) {
        if (!this.#base) {
            return fileTone(node);
        }
        const {value} = node.data;
        return value > 0 ? "more" : value < 0 ? "less" : "tone-none";
    }

    #format(value) {
        const format = this.type.unit === "bytes" ? formatBytes : formatCount;
        return (this.#base && value > 0 ? "+" : "") + format(value);
    }

    // A node in words: what a screen reader says, and the line below the graph.
    #sentence({data}) {
        const share =
            this.#base || this.total === 0
                ? ""
                : `, ${((100 * data.value) / this.total).toFixed(1)} %`;
        const own = data.own === 0 ? "" : `, ${this.#format(data.own)} its own`;
        const line = data.line ? `:${data.line}` : "";
        const source = data.file ? `, ${data.file}${line}` : "";
        return `${data.name}: ${this.#format(data.value)}${share}${own}${source}`;
    }

    #describe(node) {
        setText(
            this.detail,
            node
                ? this.#sentence(node)
                : "Point at a frame to read it. Click or Enter: zoom; Escape: back.",
        );
    }

    #find() {
        const text = this.search.value;
        view.set("search", text);
        const found = this.icicle.search(text);
        if (found) {
            const frames = `${formatCount(found.frames)} frames match`;
            setText(this.told, `${frames}: ${this.#format(found.value)} in them.`);
        } else if (this.#profile) {
            setText(this.told, this.#summary(this.total));
        }
    }

    #fillTable(functions) {
        this.rows.replaceChildren(
            ...functions.slice(0, TABLE_ROWS).map(({name, file, own, total}) => {
                const find = button(name, () => {
                    this.search.value = name;
                    this.#find();
                }, {class: "plain", title: file || null});
                return element(
                    "tr",
                    {},
                    element("th", {scope: "row"}, find),
                    element("td", {}, this.#format(own)),
                    element("td", {}, this.#format(total)),
                );
            }),
        );
    }
}

// The value to show: the view's if the profile has it, else the profile's own choice.
function valueOf(profile) {
    return profile.types[indexOf(profile, view.get("value"))];
}

// "inuse_space", "bytes" -> "inuse_space (bytes)".
function valueTitle(type, unit) {
    return ["", "count", type].includes(unit) ? type : `${type} (${unit})`;
}

function zoomPath() {
    const path = view.get("zoom");
    return path ? path.split(";") : [];
}

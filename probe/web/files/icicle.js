// A flame graph with its root at the top, as elements: a frame is as wide as what is in
// it, and its callees are below it. It is a tree for keyboards and screen readers.

import {button, element} from "/page/dom.js";

const ROW = 22; // pixels
const NARROWEST = 3; // pixels; what is narrower is not drawn
const TONES = 7; // colours of frames, in live.css

export class Icicle {
    #root = null; // of d3's partition
    #zoomed = null; // the node that is as wide as the graph
    #places = new Map(); // the element of each node that is drawn
    #current = null; // the node that the Tab key goes to
    #search = "";
    #words = null;

    // `onzoom` gets the names from the root's callee to the node; `onshow` gets the
    // node that is pointed at or focused, or null; `tone` gives the class of a node's
    // colour.
    constructor({onzoom, onshow, tone = fileTone}) {
        this.onzoom = onzoom;
        this.onshow = onshow;
        this.tone = tone;
        this.crumbs = element("ol", {class: "crumbs"});
        this.tree = element("div", {
            class: "icicle",
            role: "tree",
            "aria-orientation": "horizontal",
            "aria-label":
                "Flame graph. Down: callees, up: caller, left and right: beside it, " +
                "Enter: zoom, Escape: back.",
            onkeydown: (event) => this.#key(event),
            onclick: (event) => this.#click(event),
            onmouseover: (event) => this.onshow(this.#nodeAt(event.target)),
            onmouseleave: () => this.onshow(this.#focused()),
            onfocusin: (event) => this.#focus(this.#nodeAt(event.target)),
            onfocusout: () => this.onshow(null),
        });
        this.box = element("div", {class: "icicle-frame"}, this.tree);
        new ResizeObserver(() => this.#draw()).observe(this.box);
    }

    // Shows a placed tree. `words(node)` describes a node; `path` are the names of the
    // node to zoom to, of which as many are followed as there are.
    show(root, words, path) {
        const focused = this.#focused() && pathOf(this.#current);
        this.#root = root;
        this.#words = words;
        this.#zoomed = follow(root, path);
        this.#current = focused ? follow(root, focused) : this.#zoomed;
        this.#draw();
    }

    zoom(path) {
        if (this.#root) {
            this.#zoomTo(follow(this.#root, path));
        }
    }

    clear() {
        this.#root = this.#zoomed = this.#current = null;
        this.#draw();
    }

    // Marks the frames whose function or file contains `text`. Returns {frames, value}:
    // how many, and what is in them; null without a text.
    search(text) {
        this.#search = text.toLowerCase();
        this.#draw();
        if (!this.#root || this.#search === "") {
            return null;
        }
        const found = {frames: 0, value: 0};
        this.#count(this.#root, false, found);
        return found;
    }

    #count(node, within, found) {
        const hit = this.#isFound(node);
        found.frames += hit ? 1 : 0;
        found.value += hit && !within ? node.data.value : 0;
        node.children?.forEach((child) => this.#count(child, within || hit, found));
    }

    #isFound({data, depth}) {
        const text = `${data.name}\n${data.file}`.toLowerCase();
        return depth > 0 && text.includes(this.#search);
    }

    // -- drawing ----------------------------------------------------------------------

    #draw() {
        const held = this.#focused() !== null;
        this.#places.clear();
        const width = this.tree.clientWidth;
        const drawn = [];
        if (this.#root && width > 0) {
            for (const node of this.#zoomed.ancestors().reverse()) {
                drawn.push(this.#frame(node, 0, 1));
            }
            this.#drawCallees(this.#zoomed, width, drawn);
        }
        const depths = [...this.#places.keys()].map((node) => node.depth);
        this.tree.style.height = `${(Math.max(-1, ...depths) + 1) * ROW}px`;
        this.tree.replaceChildren(...drawn);
        this.#drawCrumbs();
        if (!this.#places.has(this.#current)) {
            this.#current = this.#zoomed;
        }
        const place = this.#places.get(this.#current);
        place?.setAttribute("tabindex", "0");
        if (held) {
            place?.focus({preventScroll: true});
        }
    }

    #drawCallees(node, width, drawn) {
        const {x0, x1} = this.#zoomed;
        for (const child of node.children ?? []) {
            const left = (child.x0 - x0) / (x1 - x0);
            const part = (child.x1 - child.x0) / (x1 - x0);
            if (part * width >= NARROWEST) {
                drawn.push(this.#frame(child, left, part));
                this.#drawCallees(child, width, drawn);
            }
        }
    }

    #frame(node, left, part) {
        const beside = node.parent?.children ?? [node];
        const place = element(
            "div",
            {
                role: "treeitem",
                class: this.#classes(node),
                tabindex: "-1",
                "aria-level": node.depth + 1,
                "aria-posinset": beside.indexOf(node) + 1,
                "aria-setsize": beside.length,
                "aria-expanded": node.children ? "true" : null,
                "aria-label": this.#words(node),
            },
            element("span", {"aria-hidden": "true"}, node.data.name),
        );
        place.style.left = `${left * 100}%`;
        place.style.width = `${part * 100}%`;
        place.style.top = `${node.depth * ROW}px`;
        this.#places.set(node, place);
        return place;
    }

    #classes(node) {
        const classes = ["frame", this.tone(node)];
        if (node.depth < this.#zoomed.depth) {
            classes.push("above");
        }
        if (this.#search !== "") {
            classes.push(this.#isFound(node) ? "found" : "other");
        }
        return classes.join(" ");
    }

    #drawCrumbs() {
        const nodes = this.#zoomed ? this.#zoomed.ancestors().reverse() : [];
        const last = nodes.length - 1;
        this.crumbs.replaceChildren(
            ...nodes.map((node, index) =>
                element(
                    "li",
                    {},
                    index === last
                        ? element("span", {"aria-current": "true"}, node.data.name)
                        : button(node.data.name, () => this.#zoomTo(node)),
                ),
            ),
        );
        this.crumbs.scrollLeft = this.crumbs.scrollWidth;
    }

    // -- pointing and keys ------------------------------------------------------------

    #nodeAt(target) {
        const place = target.closest("[role=treeitem]");
        const found = [...this.#places].find(([, each]) => each === place);
        return found ? found[0] : null;
    }

    #focused() {
        return this.tree.contains(document.activeElement) ? this.#current : null;
    }

    #focus(node) {
        if (node) {
            this.#places.get(this.#current)?.setAttribute("tabindex", "-1");
            this.#current = node;
            this.#places.get(node).setAttribute("tabindex", "0");
            this.onshow(node);
        }
    }

    #click(event) {
        const node = this.#nodeAt(event.target);
        if (node) {
            this.#places.get(node).focus({preventScroll: true});
            this.#zoomTo(node);
        }
    }

    #zoomTo(node) {
        this.#zoomed = this.#current = node;
        this.#draw();
        this.onzoom(pathOf(node));
        this.onshow(node);
    }

    // The keys of a tree whose orientation is horizontal, and Escape.
    #key(event) {
        const node = this.#focused();
        if (!node || event.ctrlKey || event.altKey || event.metaKey) {
            return;
        }
        if (event.key === "Enter" || event.key === " ") {
            this.#zoomTo(node);
        } else if (event.key === "Escape" && this.#zoomed.parent) {
            this.#zoomTo(this.#zoomed.parent);
        } else if (!this.#move(node, event.key)) {
            return;
        }
        event.preventDefault();
    }

    // Moves the focus. Returns whether the key is one that moves it.
    #move(node, key) {
        const drawn = (nodes) => nodes.filter((each) => this.#places.has(each));
        const beside = drawn(node.parent?.children ?? [node]);
        const at = beside.indexOf(node);
        const to = {
            ArrowDown: () => drawn(node.children ?? [])[0],
            ArrowUp: () => node.parent,
            ArrowLeft: () => beside[at - 1],
            ArrowRight: () => beside[at + 1],
            Home: () => this.#root,
            End: () => [...this.#places.keys()].pop(),
        }[key];
        if (to === undefined) {
            return false;
        }
        this.#places.get(to())?.focus();
        return true;
    }
}

// One colour for each source file, and one for the program's functions without it.
export function fileTone({data, depth}) {
    if (data.mark) {
        return "tone-mark";
    }
    const file = data.file || (data.program ? "program" : "");
    return depth > 0 && file ? `tone-${hash(file) % TONES}` : "tone-none";
}

// The names from the root's callee to a node.
function pathOf(node) {
    return node.ancestors().reverse().slice(1).map((each) => each.data.name);
}

// The node at the end of such a path, or the last one that there is.
function follow(root, path) {
    let node = root;
    for (const name of path) {
        const next = node.children?.find((child) => child.data.name === name);
        if (!next) {
            break;
        }
        node = next;
    }
    return node;
}

function hash(text) {
    let sum = 7;
    for (let i = 0; i < text.length; i++) {
        sum = (sum * 31 + text.charCodeAt(i)) >>> 0;
    }
    return sum;
}

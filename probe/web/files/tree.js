// The numbers of a flame graph: the tree of a profile's stacks, or of the difference of
// two profiles, and the functions with the most in them.

import {addToTree, newNode, readProfile} from "/page/profile.js";

// What a label says, where that is more than its key and value.
const LABELS = new Map([["shared", "shared: other holders lead here, too"]]);

// Reads a profile. What a label says of a stack ("kind: socket") becomes its last
// frame, so that it is seen. It is no function: what is in it stays the own of the frame
// above it.
export function readStacks(bytes) {
    const profile = readBytes(bytes);
    for (const sample of profile.samples) {
        for (const {key, value} of sample.labels) {
            const name = LABELS.get(key) ?? `${key}: ${value}`;
            sample.frames.unshift({name, file: "", line: 0, mark: true});
        }
    }
    return profile;
}

function readBytes(bytes) {
    const wrong = "this is no profile of stacks, but it can be downloaded";
    let profile = null;
    try {
        profile = readProfile(bytes);
    } catch (error) {
        throw new Error(`${wrong}: ${error.message}`);
    }
    if (profile.types.length === 0) {
        throw new Error(wrong);
    }
    return profile;
}

// The tree of the values of one type. With `base`, an earlier profile, it is of what
// has changed since then: a node's value may be below 0.
export function treeOf(profile, type, base = null) {
    const tree = addToTree(newNode({name: "all"}), profile, indexOf(profile, type));
    return base ? addToTree(tree, base, indexOf(base, type), -1) : tree;
}

export function indexOf(profile, type) {
    const index = profile.types.findIndex((each) => each.type === type);
    return index < 0 ? profile.first : index;
}

// The tree with a place for every node: x0 and x1 from 0 to 1, y0 is its row. A node is
// as wide as what is in it; of a difference, as all that has grown or shrunk in it.
export function placed(tree) {
    const root = d3
        .hierarchy(tree, (node) => [...node.byKey.values()])
        .sum((node) => Math.abs(node.own))
        .sort((a, b) => b.value - a.value || (a.data.name < b.data.name ? -1 : 1));
    return d3.partition().size([1, root.height + 1])(root);
}

// The functions as {name, file, own, total}, the one with the most of its own first;
// with `by` "total" the one with the most in all, and of equal ones the one that has
// the least of its own, such as a holder. `total` counts a function once in a stack
// that it is in twice.
export function functionsOf(profile, type, base = null, by = "own") {
    const found = new Map();
    addFunctions(found, profile, indexOf(profile, type), 1);
    if (base) {
        addFunctions(found, base, indexOf(base, type), -1);
    }
    const most = ({own, total}) =>
        by === "own"
            ? [Math.abs(own), Math.abs(total)]
            : [Math.abs(total), -Math.abs(own)];
    return [...found.values()]
        .filter((each) => each.own !== 0 || each.total !== 0)
        .sort((a, b) => most(b)[0] - most(a)[0] || most(b)[1] - most(a)[1]);
}

function addFunctions(found, profile, index, factor) {
    for (const {values, frames} of profile.samples) {
        const value = factor * (values[index] ?? 0);
        const seen = new Set();
        frames.filter(({mark}) => !mark).forEach(({name, file}, depth) => {
            const key = `${name}\n${file}`;
            if (!found.has(key)) {
                found.set(key, {name, file, own: 0, total: 0});
            }
            const each = found.get(key);
            each.own += depth === 0 ? value : 0;
            each.total += seen.has(key) ? 0 : value;
            seen.add(key);
        });
    }
}

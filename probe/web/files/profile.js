// Reads profile.proto, the format of every profile here, and makes a tree of stacks.
// Source: https://github.com/google/pprof/blob/main/proto/profile.proto and
// https://protobuf.dev/programming-guides/encoding/.

// -- protocol buffers -----------------------------------------------------------------

const VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5;

// Calls `field(number, value)` for each field of a message. The value is a Number, or
// the bytes of a text, a packed list or another message.
function readMessage(bytes, field) {
    let at = 0;
    const varint = () => {
        let value = 0, factor = 1, byte;
        do {
            if (at >= bytes.length || factor > 2 ** 63) {
                throw new Error("the profile is cut off or damaged");
            }
            byte = bytes[at++];
            value += (byte & 0x7f) * factor;
            factor *= 128;
        } while (byte & 0x80);
        return value;
    };
    while (at < bytes.length) {
        const key = varint(), kind = key % 8, number = (key - kind) / 8;
        if (kind === VARINT) {
            field(number, varint());
        } else if (kind === BYTES) {
            const length = varint();
            if (at + length > bytes.length) {
                throw new Error("the profile is cut off");
            }
            field(number, bytes.subarray(at, at += length));
        } else if (kind === FIXED64 || kind === FIXED32) {
            at += kind === FIXED64 ? 8 : 4;
        } else {
            throw new Error(`the profile has a field of kind ${kind}`);
        }
    }
}

// A repeated number is packed into bytes, or comes one by one.
function addNumbers(list, value) {
    if (typeof value === "number") {
        list.push(signed(value));
        return;
    }
    let number = 0, factor = 1;
    for (const byte of value) {
        number += (byte & 0x7f) * factor;
        factor *= 128;
        if (!(byte & 0x80)) {
            list.push(signed(number));
            number = 0;
            factor = 1;
        }
    }
}

// An int64 below 0 is written as a number above 2^63.
function signed(number) {
    return number >= 2 ** 63 ? number - 2 ** 64 : number;
}

// -- profile.proto --------------------------------------------------------------------

const text = new TextDecoder();

// The numbers and lists of a message by its field numbers: `lists` names those that are
// repeated numbers, `messages` those that are repeated messages and how each is read.
function readFields(bytes, {numbers = {}, lists = {}, messages = {}}) {
    const found = {};
    for (const name of Object.values(numbers)) {
        found[name] = 0;
    }
    for (const name of Object.values(lists)) {
        found[name] = [];
    }
    for (const [name] of Object.values(messages)) {
        found[name] = [];
    }
    readMessage(bytes, (number, value) => {
        if (number in numbers) {
            found[numbers[number]] = signed(value);
        } else if (number in lists) {
            addNumbers(found[lists[number]], value);
        } else if (number in messages) {
            const [name, read] = messages[number];
            found[name].push(read(value));
        }
    });
    return found;
}

const readValueType = (bytes) => readFields(bytes, {numbers: {1: "type", 2: "unit"}});
const readLabel = (bytes) =>
    readFields(bytes, {numbers: {1: "key", 2: "text", 3: "number", 4: "unit"}});
const readSample = (bytes) =>
    readFields(bytes, {
        lists: {1: "locations", 2: "values"},
        messages: {3: ["labels", readLabel]},
    });
const readLine = (bytes) => readFields(bytes, {numbers: {1: "function", 2: "line"}});
const readLocation = (bytes) =>
    readFields(bytes, {
        numbers: {1: "id", 2: "mapping", 3: "address"},
        messages: {4: ["lines", readLine]},
    });
const readMapping = (bytes) => readFields(bytes, {numbers: {1: "id"}});
const readFunction = (bytes) =>
    readFields(bytes, {numbers: {1: "id", 2: "name", 3: "system", 4: "file"}});

// A profile: `types`, a list of {type, unit}; `first`, the index of the one to show;
// `comments`, which say how it was taken; and `samples`, each with its values and its
// frames, {name, file, line, program}, the leaf first. `program` is true for what lies
// in the program's own file, which is the first mapping of every profile.
export function readProfile(bytes) {
    const raw = readFields(bytes, {
        numbers: {9: "time", 10: "duration", 14: "first"},
        messages: {
            1: ["types", readValueType],
            2: ["samples", readSample],
            3: ["mappings", readMapping],
            4: ["locations", readLocation],
            5: ["functions", readFunction],
            6: ["strings", (value) => text.decode(value)],
        },
        lists: {13: "comments"},
    });
    const string = (index) => found(raw.strings[index], "text");
    const functions = new Map(raw.functions.map((each) => [each.id, each]));
    const own = raw.mappings[0]?.id;
    const frames = new Map(
        raw.locations.map((each) => [each.id, framesOf(each, functions, string, own)]),
    );
    const types = raw.types.map((each) => ({
        type: string(each.type),
        unit: string(each.unit),
    }));
    const named = types.findIndex((each) => each.type === string(raw.first));
    return {
        types,
        first: named >= 0 ? named : types.length - 1,
        comments: raw.comments.map(string),
        samples: raw.samples.map((sample) => ({
            values: sample.values,
            frames: sample.locations.flatMap((id) => found(frames.get(id), "place")),
            labels: sample.labels.map((label) => ({
                key: string(label.key),
                value: label.text ? string(label.text) : String(label.number),
            })),
        })),
    };
}

// What a profile refers to must be in it: if the profile was cut off, it may not be.
function found(value, what) {
    if (value === undefined) {
        throw new Error(`the profile lacks a ${what} that it refers to`);
    }
    return value;
}

// The functions at an address: several if some were inlined, the innermost first.
function framesOf(location, functions, string, own) {
    const program = own !== undefined && location.mapping === own;
    if (location.lines.length === 0) {
        return [{name: `0x${location.address.toString(16)}`, file: "", line: 0, program}];
    }
    return location.lines.map((line) => {
        const {name, file} = found(functions.get(line.function), "function");
        return {name: string(name), file: string(file), line: line.line, program};
    });
}

// -- the tree of a profile's stacks ---------------------------------------------------

// Adds the samples' values of one type to a tree of {name, file, line, program, mark,
// value, own, byKey}; `factor` is -1 to take a profile away. A node's `value` is its own
// and that of its children, which are in the map `byKey`. A `mark` is no function.
export function addToTree(tree, profile, type, factor = 1) {
    for (const sample of profile.samples) {
        const value = factor * (sample.values[type] ?? 0);
        let node = tree;
        node.value += value;
        for (const frame of [...sample.frames].reverse()) {
            const key = `${frame.name}\n${frame.file}`;
            let child = node.byKey.get(key);
            if (child === undefined) {
                child = newNode(frame);
                node.byKey.set(key, child);
            }
            child.value += value;
            node = child;
        }
        node.own += value;
    }
    return tree;
}

export function newNode({name, file = "", line = 0, program = false, mark = false}) {
    return {name, file, line, program, mark, value: 0, own: 0, byKey: new Map()};
}

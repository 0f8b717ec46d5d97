// The lesson of a pair: its unified diff, as `make lesson` prints it, and the guilty
// line, which is where the leaky half has its comment LEAK.

import {element} from "/page/dom.js";

const KINDS = {"+": "added", "-": "removed", "@": "place"};

// The lines of a diff as {text, kind, leaky}: `leaky` is the line's number in the leaky
// half, null where it has none.
function readDiff(text) {
    let number = 0;
    return text.replace(/\n$/, "").split("\n").map((line) => {
        if (line.startsWith("--- ") || line.startsWith("+++ ")) {
            return {text: line, kind: "file", leaky: null};
        }
        const place = line.match(/^@@ -(\d+)/);
        if (place !== null) {
            number = Number(place[1]);
            return {text: line, kind: "place", leaky: null};
        }
        const kind = KINDS[line[0]] ?? "same";
        return {text: line, kind, leaky: kind === "added" ? null : number++};
    });
}

// The guilty line: {file, line, text}, where `text` is the comment LEAK and the
// statement after it, and `line` the comment's. Null if the diff has none.
export function guiltyLine(text) {
    const lines = readDiff(text);
    const file = lines[0].text.replace(/^--- /, "");
    const leaky = lines.filter((line) => line.leaky !== null);
    const from = leaky.findIndex((line) => line.text.includes("LEAK:"));
    if (from < 0) {
        return null;
    }
    let to = from;
    while (to + 1 < leaky.length && !leaky[to].text.includes("*/")) {
        to++;
    }
    do {
        to++;
    } while (to + 1 < leaky.length && !/[;{}]\s*$/.test(leaky[to].text));
    const code = leaky.slice(from, to + 1);
    return {
        file,
        line: code[0].leaky,
        code: code.map((line) => ({number: line.leaky, text: line.text.slice(1)})),
    };
}

// A diff for the page. Each line keeps its sign, so that colour is not all there is.
export function drawDiff(text) {
    const place = element("pre", {class: "lab-diff", tabindex: "0"});
    place.setAttribute("aria-label", "Differences: minus is leaky, plus is fixed");
    for (const line of readDiff(text)) {
        const tag = {added: "ins", removed: "del"}[line.kind] ?? "span";
        place.append(element(tag, {class: `lab-${line.kind}`}, `${line.text}\n`));
    }
    return place;
}

// The guilty line for the page, with the numbers of its lines.
export function drawGuilty(guilty) {
    const width = String(guilty.code[guilty.code.length - 1].number).length;
    const place = element("pre", {class: "lab-diff", tabindex: "0"});
    place.setAttribute("aria-label", `${guilty.file}, from line ${guilty.line}`);
    for (const {number, text} of guilty.code) {
        const mark = `${String(number).padStart(width)}  `;
        const shown = element("span", {class: "lab-number"}, mark);
        place.append(element("span", {}, shown, `${text}\n`));
    }
    return place;
}

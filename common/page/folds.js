// Guess first, look after: the hint, the guilty line and the pair's diff. None of them
// is asked for before its fold is opened.

import {describe, element} from "/page/dom.js";
import {drawDiff, drawGuilty, guiltyLine} from "/page/lab/lesson.js";

// The answers come in one list for all scenarios, so they are asked for once.
let answers = null;

async function answersOf(server, name) {
    answers ??= server.json("/scenarios?answers=1");
    try {
        const list = await answers;
        return list.find((each) => each.name === name);
    } catch (error) {
        answers = null;
        throw error;
    }
}

const lessonOf = (server, name) =>
    server.text(`/page/lab/lesson/${encodeURIComponent(name)}`);

const text = (words) => element("p", {}, words);

// A fold that fills itself when it is opened for the first time, or again after a
// failure. `fill` returns the nodes.
function fold(kind, title, fill) {
    const place = element("div", {class: "lab-fold", "aria-live": "polite"});
    const details = element(
        "details",
        {"data-fold": kind},
        element("summary", {}, title),
        place,
    );
    let filled = false;
    details.addEventListener("toggle", async () => {
        if (!details.open || filled) {
            return;
        }
        filled = true;
        place.replaceChildren(text("One moment…"));
        try {
            place.replaceChildren(...(await fill()));
        } catch (error) {
            filled = false;
            const retry = "Close the fold and open it to try again.";
            place.replaceChildren(text(`${describe(error)}. ${retry}`));
        }
    });
    return details;
}

async function hint(server, name) {
    const found = await answersOf(server, name);
    const nodes = [text(found.find_it)];
    if (found.suspect !== null && !found.find_it.includes(found.suspect)) {
        nodes.push(
            element(
                "p",
                {},
                "The heap profile blames ",
                element("code", {}, found.suspect),
                ", which allocated it. Who keeps it?",
            ),
        );
    }
    return nodes;
}

async function line(server, name) {
    const [lesson, found] = await Promise.all([
        lessonOf(server, name),
        answersOf(server, name),
    ]);
    const guilty = guiltyLine(lesson);
    if (guilty === null) {
        return [text(found.cause), text("The pair's diff has no line marked LEAK.")];
    }
    return [
        element("p", {}, element("code", {}, `${guilty.file}:${guilty.line}`)),
        drawGuilty(guilty),
        text(found.cause),
    ];
}

async function diff(server, name) {
    const [lesson, found] = await Promise.all([
        lessonOf(server, name),
        answersOf(server, name),
    ]);
    return [
        text(found.fix),
        drawDiff(lesson),
        element("p", {}, "In a terminal: ",
            element("code", {}, `make lesson S=${name}`)),
    ];
}

// The folds of a scenario, out of the page's own server.
export function folds(server, name) {
    return [
        fold("hint", "A hint: where to look", () => hint(server, name)),
        fold("line", "The guilty line", () => line(server, name)),
        fold("diff", "The fix: how the pair differs", () => diff(server, name)),
    ];
}

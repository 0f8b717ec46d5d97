// The table of what grew since a card's first call, on each server beside what was
// declared for the leaky one. What was not measured is said to be so.

import {element} from "/page/dom.js";
import {ALLOCATED, HEAP, HELD, KEPT, inWords, signed} from "/page/lab/resources.js";

const NOT = "not measured";

function cell(text, kind = "") {
    return element("td", {class: kind}, text);
}

// The cell of one server: a figure is marked where it is more than noise, or as much as
// a call was declared to leave.
function figure(resource, value, most) {
    if (value === null) {
        return cell(NOT, "lab-unmeasured");
    }
    const grew = value > (resource.noise ?? 0) || (most > 0 && value >= most / 2);
    return cell(signed(resource, value), grew ? "lab-grew" : "");
}

// `most`: how much is declared, as a number; `said`: the same in words, null in an
// exercise.
function row(resource, measurements, value, most, said) {
    return element(
        "tr",
        {"data-resource": resource.label},
        element("th", {scope: "row"}, resource.label),
        ...measurements.map((each) => figure(resource, value(each), most)),
        said === null ? null : cell(said),
    );
}

function head(title, measurements, tells) {
    const names = measurements.map((each) => each.server.name);
    return element(
        "thead",
        {},
        element(
            "tr",
            {},
            element("th", {scope: "col"}, title),
            ...names.map((name) => element("th", {scope: "col"}, name)),
            tells ? element("th", {scope: "col"}, "declared for leaky") : null,
        ),
    );
}

function keptBody(scenario, measurements, tells) {
    const leaky = measurements.find((each) => each.server.name === "leaky");
    const asked = leaky?.now ? [leaky] : measurements;
    const calls = Math.max(...asked.map((each) => each.calls()));
    const body = element("tbody");
    const add = (resource, each) => {
        const most = tells ? each * calls : 0;
        const climbs = resource === HEAP && scenario.growth_bytes_per_second > 0;
        const said = signed(resource, most) + (climbs ? ", more each second" : "");
        const value = (measurement) => measurement.growth(resource);
        body.append(row(resource, measurements, value, most, tells ? said : null));
    };
    KEPT.forEach((resource) => {
        add(resource, tells ? resource.declared(scenario.leaves) : 0);
    });
    if (scenario.kind === "churn") {
        add(ALLOCATED, scenario.allocates_bytes ?? 0);
    }
    return body;
}

function heldBody(scenario, measurements, tells) {
    const body = element("tbody");
    for (const resource of HELD) {
        const most = tells ? resource.declared(scenario.holds) : 0;
        const said = most > 0 ? resource.words(most) : "nothing";
        const value = (each) => each.highest(resource);
        body.append(row(resource, measurements, value, most, tells ? said : null));
    }
    return body;
}

// Whether an exercise keeps to itself what its calls leave.
export const isTold = (scenario) => scenario.leaves !== undefined;

// Draws the tables anew into `place`.
export function drawGrowth(place, scenario, measurements) {
    const tells = isTold(scenario);
    const kept = element("table", {class: "lab-table", "data-grew": "kept"});
    kept.append(
        element("caption", {}, keptTitle(measurements)),
        head("resource", measurements, tells),
        keptBody(scenario, measurements, tells),
    );
    const tables = [kept];
    if (scenario.kind === "temporary") {
        const held = element("table", {class: "lab-table", "data-grew": "held"});
        held.append(
            element("caption", {}, "The most while a call was held"),
            head("resource", measurements, tells),
            heldBody(scenario, measurements, tells),
        );
        tables.push(held);
    }
    place.replaceChildren(
        ...tables.map((table) => element("div", {class: "lab-scroll"}, table)),
        ...remarks(measurements).map((text) =>
            element("p", {class: "lab-remark"}, text),
        ),
    );
}

function keptTitle(measurements) {
    const counts = measurements.map(
        (each) => `${each.calls()} on ${each.server.name}`,
    );
    return `Growth since the first call here (calls: ${counts.join(", ")})`;
}

const ONCE =
    "On fixed something grew. A first call may set up what stays, such as a thread " +
    "or a library: count from here and run it again. What is set up once grows no " +
    "further.";

function remarks(measurements) {
    const said = measurements.flatMap((each) => each.remarks());
    const fixed = measurements.find((each) => each.server.name === "fixed");
    const grew = (resource) => fixed.growth(resource) > resource.noise;
    if (fixed?.state === "settled" && KEPT.some(grew)) {
        said.push(ONCE);
    }
    if (measurements.some((each) => each.peak !== null)) {
        said.push("One descriptor is the connection of the held call itself.");
    }
    return said;
}

// What one call does to the leaky server, in words.
export function dose(scenario) {
    if (!isTold(scenario)) {
        return null;
    }
    if (scenario.kind === "churn") {
        const amount = ALLOCATED.format(scenario.allocates_bytes);
        return `leaves nothing, but allocates ${amount}`;
    }
    if (scenario.kind === "temporary") {
        return `holds ${inWords(scenario.holds)} during the call`;
    }
    const more = scenario.growth_bytes_per_second;
    const growing = more > 0 ? `, and ${ALLOCATED.format(more)} more each second` : "";
    return `leaves ${inWords(scenario.leaves)}${growing}`;
}

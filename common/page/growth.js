// The table of what grew since a card's first call, on each server beside what was
// declared for the leaky one. What was not measured is said to be so.

import {element} from "/page/dom.js";
import {ALLOCATED, HEAP, HELD, KEPT, inWords, signed} from "/page/lab/resources.js";

const NOT = "not measured";

function cell(text, kind = "") {
    return element("td", {class: kind}, text);
}

// The cell of one server: a figure is marked where it is more than noise.
function figure(resource, value) {
    if (value === null) {
        return cell(NOT, "lab-unmeasured");
    }
    const grew = Math.abs(value) > (resource.noise ?? 0);
    return cell(signed(resource, value), grew ? "lab-grew" : "");
}

function row(resource, measurements, value, declared) {
    return element(
        "tr",
        {"data-resource": resource.label},
        element("th", {scope: "row"}, resource.label),
        ...measurements.map((each) => figure(resource, value(each))),
        declared === null ? null : cell(declared),
    );
}

// What the leaky half's calls leave by its descriptor, as far as it can be told.
function declared(resource, scenario, calls) {
    const amount = resource.declared(scenario.leaves) * calls;
    const more = resource === HEAP && scenario.growth_bytes_per_second > 0;
    return signed(resource, amount) + (more && calls > 0 ? ", and more each second" : "");
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
    const calls = Math.max(...measurements.map((each) => each.calls()));
    const body = element("tbody");
    for (const resource of KEPT) {
        const said = tells ? declared(resource, scenario, calls) : null;
        body.append(row(resource, measurements, (each) => each.growth(resource), said));
    }
    if (scenario.kind === "churn") {
        const said = tells ? signed(ALLOCATED, scenario.allocates_bytes * calls) : null;
        body.append(
            row(ALLOCATED, measurements, (each) => each.growth(ALLOCATED), said),
        );
    }
    return body;
}

function heldBody(scenario, measurements, tells) {
    const body = element("tbody");
    for (const resource of HELD) {
        const amount = tells ? resource.declared(scenario.holds) : 0;
        const said = amount > 0 ? resource.words(amount) : "nothing";
        const value = (each) => each.highest(resource);
        body.append(row(resource, measurements, value, tells ? said : null));
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
        ...remarks(scenario, measurements).map((text) =>
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

// What a reader must know to take the figures for what they are.
function remarks(scenario, measurements) {
    const said = [];
    for (const each of measurements) {
        const name = each.server.name;
        if (each.first === null || each.now === null) {
            said.push(`${name}: ${NOT}, ${each.reason}.`);
        } else if (each.state === "running") {
            said.push(`${name}: not at rest yet, so these figures are of the moment.`);
        } else if (each.state === "unsettled") {
            said.push(`${name}: still changing, so these figures are of the moment.`);
        }
        const others = each.others();
        if (others.length > 0) {
            said.push(`${name} was also called for ${others.join(", ")}: that is in ` +
                "these figures, too.");
        }
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

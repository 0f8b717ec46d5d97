// The lab page: both servers in the same charts, a card for each scenario, the profiles
// and the locks. A link opens a card, but it never runs anything.

import {drawCharts} from "/page/charts.js";
import {choice, element, report, setText} from "/page/dom.js";
import {drawFlames} from "/page/flame.js";
import {drawLocks} from "/page/locks.js";
import {Card} from "/page/lab/cards.js";
import {drawLoad} from "/page/lab/load_bar.js";
import {SteadyLoad} from "/page/lab/load.js";
import {OneByOne} from "/page/lab/one_by_one.js";
import {drawServers} from "/page/lab/servers.js";
import {Poll} from "/page/poll.js";
import {Server} from "/page/server.js";
import {view} from "/page/view.js";

const COLOURS = {leaky: "--line-1", fixed: "--line-2"};
// No scenario leaves these by themselves: they are in the table of figures alone.
const WITHOUT_CHART = ["mappings", "children"];
const LOOPBACK = ["localhost", "127.0.0.1"];
const EXERCISE =
    "An exercise: run it, watch what climbs, and find out why. ./learn.sh check " +
    "grades what you write.";
const place = (id) => document.getElementById(id);

// To a browser localhost and 127.0.0.1 are two sites, so the peer gets the name by which
// this page was reached.
function peerUrl(text) {
    const url = new URL(text);
    if (LOOPBACK.includes(url.hostname) && LOOPBACK.includes(location.hostname)) {
        url.hostname = location.hostname;
    }
    return url.origin;
}

// The servers, leaky first, so that each has its place and colour on both pages.
function makeServers(setup) {
    const colour = COLOURS[setup.server] ?? "--line-1";
    const own = new OneByOne(setup.server, "", colour);
    if (setup.peer === null) {
        return {own, peer: null, servers: [own]};
    }
    const name = setup.server === "leaky" ? "fixed" : "leaky";
    const peer = new OneByOne(name, peerUrl(setup.peer), COLOURS[name]);
    return {own, peer, servers: setup.server === "leaky" ? [own, peer] : [peer, own]};
}

// -- the parts ------------------------------------------------------------------------

function goTo(id) {
    const part = place(id);
    part.scrollIntoView({block: "start"});
    part.focus({preventScroll: true});
}

const plain = (family) => family.replaceAll("-", " ");

// The scenarios by family, in their order.
function families(scenarios) {
    const found = new Map();
    for (const scenario of scenarios) {
        found.set(scenario.family, [...(found.get(scenario.family) ?? []), scenario]);
    }
    return found;
}

function drawFamilies(lab, scenarios) {
    const sections = [];
    for (const [family, members] of families(scenarios)) {
        const cards = members.map((scenario) => new Card(lab, scenario));
        lab.cards.push(...cards);
        sections.push(
            element(
                "section",
                {class: "lab-family", "data-family": family},
                element("h3", {}, plain(family)),
                ...cards.map((card) => card.node),
            ),
        );
    }
    place("cards").replaceChildren(...sections);
    if (sections.length > 1) {
        place("cards").prepend(familyChoice(sections));
    }
}

// The choice of one family, which a link keeps.
function familyChoice(sections) {
    const names = sections.map((section) => section.dataset.family);
    const options = [["", "all"], ...names.map((name) => [name, plain(name)])];
    const {select, label} = choice("Family", options, (family) => {
        view.set("family", family);
        show();
    });
    const show = () => {
        const family = names.includes(view.get("family")) ? view.get("family") : "";
        select.value = family;
        for (const section of sections) {
            section.hidden = family !== "" && section.dataset.family !== family;
        }
    };
    view.onChange("family", show);
    show();
    return label;
}

// One card at a time is in the link: the one that was opened last.
function followCard(lab) {
    const name = view.get("card");
    const card = lab.cards.find((each) => each.scenario.name === name);
    if (card !== undefined) {
        card.open(true);
        card.node.scrollIntoView({block: "start"});
    }
}

function makeLab(setup, scenarios) {
    const lab = {...makeServers(setup), exercise: setup.exercise, cards: []};
    lab.growing = scenarios
        .filter((scenario) => scenario.growth_bytes_per_second > 0)
        .map((scenario) => scenario.name);
    lab.poll = new Poll(lab.servers);
    lab.load = new SteadyLoad();
    const answers = (server) => lab.poll.samples(server).at(-1)?.status !== null;
    lab.answering = () => lab.servers.filter(answers);
    lab.opened = (card) => {
        if (card.isOpen) {
            view.set("card", card.scenario.name);
        } else if (view.get("card") === card.scenario.name) {
            view.set("card", null);
        }
    };
    return lab;
}

function follow(lab) {
    const changed = () => lab.cards.forEach((card) => card.steadyChanged());
    lab.load.addEventListener("change", changed);
    lab.rateChanged = changed;
    lab.poll.addEventListener("sample", ({detail: {server, sample}}) => {
        if (sample.status !== null) {
            lab.cards.forEach((card) => card.see(server, sample.status));
        }
    });
    view.onChange("card", () => followCard(lab));
}

async function start() {
    for (const each of document.querySelectorAll("[data-part]")) {
        each.addEventListener("click", () => goTo(each.dataset.part));
    }
    const own = new Server("this server", "", "--line-1"); // asked for both at once
    const [setup, scenarios] = await Promise.all([
        own.json("/page/lab/setup"),
        own.json("/scenarios"),
    ]);
    const lab = makeLab(setup, scenarios);
    document.title = `${setup.server}, leak lab`;
    if (setup.exercise) {
        setText(place("about"), EXERCISE);
    }
    lab.poll.start();
    // Nothing is seen before it has its place, so that nothing jumps.
    document.querySelector("main").hidden = false;
    drawServers(lab);
    drawLoad(lab);
    drawCharts(place("charts-place"), lab.poll, WITHOUT_CHART);
    drawFamilies(lab, scenarios);
    follow(lab);
    followCard(lab);
    // The charts are seen first.
    lab.poll.addEventListener(
        "sample",
        () => setTimeout(() => {
            drawFlames(place("profiles-place"), lab.servers);
            drawLocks(place("locks-place"), lab.poll, place("news"));
        }),
        {once: true},
    );
}

start().catch(report);

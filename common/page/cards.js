// A card for each scenario: what is seen, its dose, buttons that run it on both
// servers, what grew since, and the answers behind folds.

import {button, describe, element, formatCount, report, setText} from "/page/dom.js";
import {folds} from "/page/lab/folds.js";
import {dose, drawGrowth, isTold} from "/page/lab/growth.js";
import {call, chosenRate} from "/page/lab/load.js";
import {Measurement} from "/page/lab/measure.js";
import {Refusal} from "/page/server.js";

export const HOLD_MS = 1000;

// Why a server refuses, by the code of its error.
const RAILS = {
    heap_limit: "Its heap is near the ceiling (--max-heap).",
    thread_limit: "It has nearly as many threads as it may (--max-threads).",
    fd_limit: "It has nearly as many open descriptors as it may (--max-fds).",
    timer_limit: "It has nearly as many timers as it may (--max-timers).",
    time_limit: "The request took longer than one may.",
    limit: "It is near one of its limits.",
    stopping: "It is being stopped.",
    upstream_failed: "The server that it fetches from has failed.",
};
const RAIL =
    "This is a guard rail: the call is refused before a leak harms this machine. " +
    "The figures and profiles still work.";

function action(name, text, onclick, attributes = {}) {
    return button(text, onclick, {"data-action": name, ...attributes});
}

export class Card {
    // `lab` has: own, the page's server; servers, all of them, leaky first;
    // answering(), those that answer now; exercise, whether this is one; growing, the
    // scenarios whose leftovers grow; load, the steady load; poll, which feeds the
    // charts; opened(card), to call.
    constructor(lab, scenario) {
        this.lab = lab;
        this.scenario = scenario;
        this.busy = false; // while calls run
        this.turn = 0; // of what runs: a run's end is not said when another one began
        this.measurements = lab.servers.map(
            (server) =>
                new Measurement(server, scenario, lab.growing, () => this.drawSoon()),
        );
        this.node = this.build();
        this.steadyChanged();
    }

    // -- what it looks like -----------------------------------------------------------

    build() {
        const {name} = this.scenario;
        this.body = this.buildBody();
        return element(
            "article",
            {
                id: `card-${name}`,
                class: "lab-card",
                "data-scenario": name,
                "aria-labelledby": `title-${name}`,
            },
            this.buildHead(),
            this.buildActions(),
            this.body,
        );
    }

    buildHead() {
        const {name, title, symptom} = this.scenario;
        this.toggle = button(title, () => this.open(!this.isOpen), {
            id: `title-${name}`,
            class: "lab-title",
            "data-action": "open",
            "aria-expanded": "false",
            "aria-controls": `body-${name}`,
        });
        const says = dose(this.scenario);
        return element(
            "div",
            {class: "lab-card-head"},
            element("h4", {}, this.toggle),
            element(
                "p",
                {class: "lab-dose"},
                element("code", {}, name),
                says === null ? null : ` one call ${says}`,
            ),
            element("p", {class: "lab-symptom"}, symptom),
        );
    }

    buildActions() {
        const {kind, title} = this.scenario;
        const on = this.lab.servers.length > 1 ? "Run on both" : "Run";
        const label = (what) => ({"aria-label": `${what}: ${title}`});
        this.steady = action("steady", "", () => this.startSteady());
        this.stop = action(
            "stop",
            "Stop",
            () => this.lab.load.stop("you stopped it"),
            label("Stop"),
        );
        this.runs = [
            action("run", on, () => this.run({}), label(on)),
            action(
                "run-10",
                "\u00d710",
                () => this.run({count: 10}),
                label("10 times"),
            ),
        ];
        if (kind === "temporary") {
            this.runs.push(
                action(
                    "hold",
                    `Hold ${HOLD_MS / 1000} s`,
                    () => this.run({hold: HOLD_MS}),
                    label("Hold at its peak"),
                ),
            );
        }
        return element(
            "div",
            {class: "lab-actions", role: "group", "aria-label": title},
            ...this.runs,
            this.steady,
            this.stop,
        );
    }

    buildBody() {
        const {name} = this.scenario;
        this.said = element("p", {class: "lab-said", role: "status"});
        this.refused = element("div", {class: "lab-refused", role: "alert"});
        this.grew = element("div", {class: "lab-growth"});
        return element(
            "div",
            {id: `body-${name}`, class: "lab-card-body", hidden: true},
            ...this.about(),
            this.said,
            this.refused,
            this.grew,
            ...this.afterwards(),
        );
    }

    // What the program does, and its dose in detail.
    about() {
        const {story, parameters, kind} = this.scenario;
        const size = parameters.find((each) => each.name === "bytes");
        const parts = story === "" ? [] : [element("p", {}, story)];
        if (size !== undefined && isTold(this.scenario)) {
            const bytes = formatCount(size.default);
            const request = `bytes=${size.default}&count=1`;
            parts.push(
                element(
                    "p",
                    {class: "lab-request"},
                    "A call is a request with ",
                    element("code", {}, request),
                    `: ${size.meaning} (${bytes}), once.`,
                ),
            );
        }
        if (kind === "temporary") {
            parts.push(
                element(
                    "p",
                    {},
                    "What it holds is gone when the call ends, too soon to be seen. " +
                        "Hold it: then the call waits at its peak, and the charts " +
                        "show it.",
                ),
            );
        }
        return parts;
    }

    afterwards() {
        const {name} = this.scenario;
        if (this.lab.exercise) {
            return [
                element(
                    "p",
                    {class: "lab-remark"},
                    "The answers of an exercise stay with ./learn.sh: type ",
                    element("code", {}, "./learn.sh hint"),
                    " for the next step.",
                ),
            ];
        }
        const anew = action("anew", "Count from here", () => this.countAnew());
        return [
            element(
                "p",
                {class: "lab-remark"},
                "Measured here, once. A verdict needs rounds of calls: ",
                element("code", {}, `build/leakcheck --scenario ${name}`),
                " and the addresses of both servers.",
            ),
            element("p", {class: "lab-anew"}, anew),
            element(
                "div",
                {class: "lab-folds"},
                element("p", {}, "Guess first: what keeps it, and where? Then look."),
                ...folds(this.lab.own, name),
            ),
        ];
    }

    // -- open and closed --------------------------------------------------------------

    get isOpen() {
        return !this.body.hidden;
    }

    open(wanted) {
        if (this.isOpen !== wanted) {
            this.body.hidden = !wanted;
            this.toggle.setAttribute("aria-expanded", String(wanted));
            this.node.classList.toggle("lab-open", wanted);
            this.draw();
            this.lab.opened(this);
        }
    }

    // Draws at the browser's next frame, however many figures come before that.
    drawSoon() {
        if (this.frame === undefined) {
            this.frame = requestAnimationFrame(() => this.draw());
        }
    }

    draw() {
        this.frame = undefined;
        if (this.isOpen) {
            drawGrowth(this.grew, this.scenario, this.measurements);
        }
    }

    countAnew() {
        this.measurements.forEach((each) => each.forget("not run since"));
        setText(this.said, "The next call is the first one.");
    }

    // -- running ----------------------------------------------------------------------

    // Buttons that wait keep the focus, so they are marked, and not disabled.
    setBusy(busy) {
        this.busy = busy;
        this.node.classList.add("lab-busy"); // until restAfter() is done
        const waits = busy || this.isSteady;
        this.runs.forEach((each) => each.setAttribute("aria-disabled", String(waits)));
        this.steady.setAttribute("aria-disabled", String(busy));
    }

    async run(options) {
        if (this.busy || this.isSteady) {
            return;
        }
        this.open(true);
        this.setBusy(true);
        this.refused.replaceChildren();
        let done = "";
        try {
            done = await this.callNow(options);
        } finally {
            this.setBusy(false);
        }
        await this.restAfter(done);
    }

    async callNow(options) {
        const waits = this.measurements.some((each) => each.first === null);
        setText(this.said, waits ? "Taking the figures before it…" : "Running…");
        const results = await this.callAll(options);
        this.lab.poll.soon(); // so that the charts show it within a moment
        return this.resultText(results);
    }

    // Waits for rest, or until something else runs here, which may be at once.
    async restAfter(done) {
        const turn = ++this.turn;
        setText(this.said, `${done} Waiting until all is at rest…`);
        await this.settle();
        if (turn === this.turn && !this.busy && !this.isSteady) {
            this.node.classList.remove("lab-busy");
            setText(this.said, done);
        }
    }

    measurementsOf(servers) {
        return this.measurements.filter((each) => servers.includes(each.server));
    }

    // Calls the scenario on the servers that answer, and shows what they refuse. Nobody
    // may want the call any more when the figures before it are taken.
    async callAll(options, isWanted = () => true) {
        const servers = this.lab.answering();
        const measured = this.measurementsOf(servers);
        this.measurements
            .filter((each) => !measured.includes(each))
            .forEach((each) => each.forget("it does not answer"));
        await Promise.all(
            measured.map((each) =>
                each.begin().catch((error) => each.forget(describe(error))),
            ),
        );
        if (!isWanted()) {
            return [];
        }
        const running = call(servers, this.scenario.name, options);
        if (options.hold) {
            await Promise.all(
                measured.map((each) => each.watch(running).catch(report)),
            );
        }
        const results = await running;
        this.showErrors(results.filter((each) => each.error !== undefined));
        return results;
    }

    async settle() {
        await Promise.all(
            this.measurementsOf(this.lab.answering()).map((each) =>
                each.settle().catch((error) => each.forget(describe(error))),
            ),
        );
    }

    resultText(results) {
        if (results.length === 0) {
            return "No server answers, so nothing was run.";
        }
        const done = results.filter((each) => each.reply !== undefined);
        const parts = done.map(({server, reply}) => {
            const calls = reply.count === 1 ? "1 call" : `${reply.count} calls`;
            return `${server.name}: ${calls} in ${reply.elapsed_ms.toFixed(0)} ms`;
        });
        return parts.length === 0 ? "" : `${parts.join("; ")}.${answersText(done)}`;
    }

    // -- what goes wrong --------------------------------------------------------------

    showErrors(failed) {
        if (failed.length === 0) {
            return;
        }
        const told = failed.flatMap(({server, error}) => refusalNodes(server, error));
        if (failed.some(({error}) => isRail(error))) {
            told.push(element("p", {}, RAIL));
        }
        this.refused.replaceChildren(...told);
    }

    // -- the steady load --------------------------------------------------------------

    get isSteady() {
        return this.lab.load.card === this;
    }

    startSteady() {
        if (!this.busy && !this.isSteady) {
            this.open(true);
            this.refused.replaceChildren();
            const focused = document.activeElement === this.steady;
            this.lab.load.start(this, chosenRate());
            this.setBusy(false);
            if (focused) {
                this.stop.focus();
            }
        }
    }

    // One call of the steady load; returns why to stop, or null.
    async callOnce() {
        if (this.lab.answering().length === 0) {
            return "no server answers";
        }
        const results = await this.callAll({}, () => this.isSteady);
        const failed = results.find((each) => each.error !== undefined);
        if (failed === undefined) {
            return null;
        }
        const refused = failed.error instanceof Refusal;
        return refused ? `${failed.server.name} refused a call` : failed.error.message;
    }

    async steadyStopped(reason) {
        this.setBusy(false);
        await this.restAfter(`The steady rate has stopped: ${reason}.`);
    }

    // The buttons and the text follow the load, whoever has changed it.
    steadyChanged() {
        const {load} = this.lab;
        const focused = document.activeElement === this.stop;
        this.steady.hidden = this.isSteady;
        this.stop.hidden = !this.isSteady;
        setText(this.steady, `Steady ${chosenRate()}/s`);
        this.steady.setAttribute(
            "aria-label",
            `Steady, ${chosenRate()} a second: ${this.scenario.title}`,
        );
        if (this.isSteady) {
            const rate = `${load.rate} a second, ${load.calls} so far`;
            setText(this.said, `Steady rate: ${rate}. It stops at a refusal.`);
        } else if (focused) {
            this.steady.focus();
        }
    }

    // A figure from the charts' polling, for a card whose steady load runs.
    see(server, status) {
        if (this.isSteady) {
            this.measurements.find((each) => each.server === server)?.see(status);
        }
    }
}

// Whether both halves answered alike: a fix that does less is no fix.
function answersText(done) {
    if (done.length < 2) {
        return "";
    }
    const [first, second] = done.map(({reply}) => reply.answer);
    if (first === null || second === null) {
        const stuck = done.find(({reply}) => reply.answer === null).server.name;
        return ` ${stuck} got stuck before its answer.`;
    }
    return first === second ? " Their answers are equal." : " Their answers differ.";
}

function refusalNodes(server, error) {
    if (!(error instanceof Refusal)) {
        report(error);
        return [element("p", {}, describe(error))];
    }
    const why = RAILS[error.code] ?? "";
    return [
        element(
            "p",
            {"data-refusal": error.code},
            element("strong", {}, `${server.name} refused: `),
            `${error.message}. ${why}`,
        ),
        error.hint === "" ? null : element("p", {}, `Its hint: ${error.hint}.`),
    ].filter((node) => node !== null);
}

const isRail = (error) => /^((heap|thread|fd|timer)_)?limit$/.test(error.code ?? "");

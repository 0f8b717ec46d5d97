// The charts: in-use bytes, resident memory, threads, descriptors, timers, mappings and
// children of each server, against time. Chart.js draws them; what they show stands in
// text beside them.

import {button, choice, element, formatBytes, formatCount, formatTime, setText}
    from "/page/dom.js";
import {clock} from "/page/poll.js";
import {colourOf} from "/page/server.js";
import {drawStates} from "/page/state.js";
import {view} from "/page/view.js";

// The names of the resources are those of window.leakCharts, for scripts and tests.
const RESOURCES = [
    {
        name: "in_use",
        title: "Memory in use",
        note: "allocated and not freed",
        value: (status) => status.memory.alloc_bytes,
        format: formatBytes,
        bytes: true,
    },
    {
        name: "resident",
        title: "Resident memory",
        note: "what the kernel counts",
        value: (status) => status.memory.rss_bytes,
        format: formatBytes,
        bytes: true,
    },
    {name: "threads", title: "Threads", value: (status) => status.threads},
    {name: "fds", title: "Descriptors", value: (status) => status.fds},
    {name: "timers", title: "Timers", value: (status) => status.timers},
    {name: "mappings", title: "Mappings", value: (status) => status.mappings},
    {name: "children", title: "Children", value: (status) => status.children},
].map((resource) => ({format: formatCount, ...resource}));

const WINDOWS = [["60", "1 min"], ["180", "3 min"], ["600", "10 min"]];
const WINDOW = "60"; // seconds
const NARROW = 240; // pixels of a time axis that has room for three marks only
const AXIS_WIDTH = 68; // pixels: the same for all, so that their plots are in line
const REDRAW_MS = 60; // samples that come together are drawn together
const TABLE_MS = 1000; // a table that changes more often cannot be read

// Draws the charts of the Poll's servers into `place`: the panels at once, and the lines
// with the first sample. Chart.js takes long to draw, so it never draws empty charts.
// The resources with the names `without` have a row in the table, but no chart.
export function drawCharts(place, poll, without = []) {
    const charted = RESOURCES.filter(({name}) => !without.includes(name));
    const state = {
        poll,
        seconds: Number(windowFromView()),
        now: clock(),
        paused: null, // the samples of each server that are shown while it is paused
        drawn: false,
        timer: null,
        cards: charted.map((resource) => makeCard(resource, poll.servers)),
        table: makeTable(poll.servers),
    };
    place.append(makeToolbar(state));
    drawStates(place, poll);
    place.append(
        element("div", {class: "charts"}, state.cards.map((card) => card.box)),
        state.table.box,
    );
    for (const card of state.cards) {
        card.chart = describeChart(card, state);
    }
    followTheme(state);
    poll.addEventListener("sample", () => schedule(state));
    document.addEventListener("visibilitychange", () => schedule(state));
}

// -- what surrounds the charts --------------------------------------------------------

function windowFromView() {
    const asked = view.get("window");
    return WINDOWS.some(([seconds]) => seconds === asked) ? asked : WINDOW;
}

function makeToolbar(state) {
    const {select, label} = choice("Time shown", WINDOWS, (seconds) => {
        state.seconds = Number(seconds);
        view.set("window", seconds === WINDOW ? null : seconds);
        redraw(state);
    });
    select.value = windowFromView();
    view.onChange("window", () => {
        select.value = windowFromView();
        state.seconds = Number(select.value);
        redraw(state);
    });
    const pause = button("Pause", () => {
        const {servers} = state.poll;
        const kept = () => servers.map((each) => [each, [...samplesOf(each, state)]]);
        state.paused = state.paused === null ? new Map(kept()) : null;
        pause.setAttribute("aria-pressed", state.paused !== null);
        redraw(state);
    }, {"aria-pressed": "false"});
    return element("div", {class: "toolbar short"}, label, pause);
}

function makeCard(resource, servers) {
    const readings = servers.map((server, index) => {
        const width = resource.bytes ? "value of-bytes" : "value";
        const value = element("span", {class: width}, "\u2013");
        return {
            value,
            box: element(
                "span",
                {class: "reading"},
                element("span", {
                    class: `swatch swatch-${index}`,
                    "aria-hidden": "true",
                }),
                servers.length > 1 ? element("span", {class: "of"}, server.name) : null,
                value,
            ),
        };
    });
    const canvas = element("canvas", {
        role: "img",
        "aria-label": `${resource.title} against time: the table below is its text`,
    });
    const title = element("h3", {}, resource.title);
    const box = element(
        "section",
        {class: `chart chart-${resource.name}`, "aria-label": resource.title},
        element(
            "header",
            {class: servers.length > 1 ? "several" : null},
            title,
            readings.map((reading) => reading.box),
        ),
        element("div", {class: "plot"}, canvas),
    );
    return {resource, readings, canvas, box};
}

// The same in text: of each resource and server the value now, and the lowest, the
// highest and the change in the time shown.
function makeTable(servers) {
    const rows = [];
    const body = element("tbody");
    for (const resource of RESOURCES) {
        for (const server of servers) {
            const cells = ["now", "lowest", "highest", "change"].map(() =>
                element("td", {}, "\u2013"),
            );
            rows.push({resource, server, cells});
            const of = servers.length > 1 ? `, ${server.name}` : "";
            const name = resource.title + of;
            body.append(element("tr", {}, element("th", {scope: "row"}, name), cells));
        }
    }
    const heads = ["Resource", "Now", "Lowest", "Highest", "Change"];
    const head = element(
        "tr",
        {},
        heads.map((text) => element("th", {scope: "col"}, text)),
    );
    const box = element(
        "details",
        {class: "fold"},
        element("summary", {}, "The figures as a table"),
        element(
            "table",
            {class: "figures", "aria-label": "The figures of the charts"},
            element("thead", {}, head),
            body,
        ),
    );
    return {box, rows, drawn: 0};
}

// -- Chart.js -------------------------------------------------------------------------

// What Chart.js takes to make a chart: `data` and `options` are those of the Chart, too.
function describeChart({resource}, state) {
    return {
        type: "line",
        data: {datasets: state.poll.servers.map(makeDataset)},
        plugins: [restartMarks(state)],
        options: {
            animation: false,
            responsive: true,
            maintainAspectRatio: false,
            resizeDelay: 50,
            parsing: false,
            normalized: true,
            events: ["mousemove", "mouseout", "touchstart", "touchmove"],
            interaction: {mode: "nearest", axis: "x", intersect: false},
            layout: {padding: {top: 4, right: 10}},
            scales: {x: timeAxis(state), y: valueAxis(resource)},
            plugins: {
                legend: {display: false},
                tooltip: {
                    animation: false,
                    displayColors: state.poll.servers.length > 1,
                    callbacks: {
                        title: (items) =>
                            items.length ? ago(state.now - items[0].parsed.x) : "",
                        label: (item) =>
                            `${item.dataset.label}: ${resource.format(item.parsed.y)}`,
                    },
                },
            },
        },
    };
}

function makeCharts(state) {
    window.leakCharts = {};
    for (const card of state.cards) {
        card.chart = new Chart(card.canvas, card.chart);
        window.leakCharts[card.resource.name] = card.chart;
    }
    state.drawn = true;
}

// The second line is broader and lies below: two equal lines are both seen.
function makeDataset(server, index) {
    return {
        label: server.name,
        data: [],
        spanGaps: false,
        clip: 4, // pixels, so that a line at 0 is whole
        borderWidth: index === 0 ? 1.75 : 4,
        borderJoinStyle: "round",
        pointRadius: alone,
        pointHitRadius: 12,
        pointHoverRadius: 3,
        pointBorderWidth: 0,
        tension: 0,
    };
}

// A sample between two gaps is no line, so it is a point.
function alone({dataset, dataIndex}) {
    const gap = (index) => (dataset.data[index]?.y ?? null) === null;
    return gap(dataIndex - 1) && gap(dataIndex + 1) ? 2 : 0;
}

// Time goes to the right and ends now. The marks stay, and the lines move.
function timeAxis(state) {
    return {
        type: "linear",
        afterBuildTicks: (axis) => {
            const parts = axis.width < NARROW ? [2, 1, 0] : [3, 2, 1, 0];
            const step = state.seconds / parts[0];
            axis.ticks = parts.map((part) => ({value: axis.max - part * step}));
        },
        ticks: {
            maxRotation: 0,
            autoSkip: false,
            align: "inner",
            padding: 4,
            callback: (value) => ago(state.now - value),
        },
        grid: {drawTicks: false},
        border: {display: false},
    };
}

function ago(seconds) {
    const whole = Math.round(seconds);
    return whole <= 0 ? "now" : `${MINUS}${formatTime(whole)}`;
}

const MINUS = "\u2212";

// The marks are chosen from the values, so that the highest one fills the axis well.
function valueAxis({bytes, format}) {
    const marks = {step: 1, count: 1};
    const limit = (axis) => {
        axis.min = 0;
        axis.max = marks.count * marks.step;
    };
    return {
        afterFit: (axis) => (axis.width = AXIS_WIDTH),
        afterDataLimits: (axis) => {
            const highest = Number.isFinite(axis.max) ? axis.max : 0;
            marks.step = bytes ? byteStep(highest) : countStep(highest);
            marks.count = Math.max(1, Math.ceil((highest * 1.02) / marks.step));
            limit(axis);
        },
        afterBuildTicks: (axis) => {
            limit(axis);
            axis.ticks = Array.from({length: marks.count + 1}, (_, index) => ({
                value: index * marks.step,
            }));
        },
        ticks: {
            autoSkip: false,
            padding: 6,
            callback: (value) => formatTick(format(value)),
        },
        grid: {drawTicks: false},
    };
}

// Without the zeros at the end: "1.5 MiB" at an axis, "1.50 MiB" where it is read.
function formatTick(text) {
    return text === "0 B" ? "0" : text.replace(/(\.\d*?)0+ /, "$1 ").replace(". ", " ");
}

// The distance of the marks, for about four of them: bytes in 1, 2, 4 ... 512 of a
// unit, counts in 1, 2, 5 times a power of ten.
function byteStep(highest) {
    return 2 ** Math.max(0, Math.ceil(Math.log2(highest / 4)));
}

function countStep(highest) {
    const rough = Math.max(1, highest / 4);
    const power = 10 ** Math.floor(Math.log10(rough));
    return [1, 2, 5, 10].map((each) => each * power).find((each) => each >= rough);
}

// A dashed line where another process of the server answered for the first time.
function restartMarks(state) {
    const mark = (context, server, x, area) => {
        context.strokeStyle = context.fillStyle = colourOf(server);
        context.beginPath();
        context.moveTo(x, area.top);
        context.lineTo(x, area.bottom);
        context.stroke();
        context.setLineDash([]);
        const left = x > (area.left + area.right) / 2;
        context.textAlign = left ? "right" : "left";
        context.fillText("restart", x + (left ? -4 : 4), area.top + 10);
        context.setLineDash([3, 3]);
    };
    return {
        id: "restartMarks",
        afterDatasetsDraw: ({ctx, chartArea, scales}) => {
            ctx.save();
            ctx.lineWidth = 1;
            ctx.font = `11px ${Chart.defaults.font.family}`;
            ctx.setLineDash([3, 3]);
            for (const server of state.poll.servers) {
                for (const {time, restarted} of samplesOf(server, state)) {
                    if (restarted && time >= scales.x.min && time <= scales.x.max) {
                        const x = scales.x.getPixelForValue(time);
                        mark(ctx, server, x, chartArea);
                    }
                }
            }
            ctx.restore();
        },
    };
}

// -- colours --------------------------------------------------------------------------

function followTheme(state) {
    const apply = () => {
        const style = getComputedStyle(document.documentElement);
        const colour = (name) => style.getPropertyValue(name).trim();
        Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
        for (const {chart} of state.cards) {
            chart.data.datasets.forEach((dataset, index) => {
                const line = colourOf(state.poll.servers[index]);
                dataset.borderColor = line;
                dataset.backgroundColor = line;
                dataset.pointBackgroundColor = line;
            });
            for (const axis of Object.values(chart.options.scales)) {
                axis.ticks.color = colour("--faint");
                axis.ticks.font = {size: 11};
                axis.grid.color = colour("--grid");
                axis.grid.borderColor = colour("--line");
            }
            const tooltip = chart.options.plugins.tooltip;
            tooltip.backgroundColor = colour("--ink");
            tooltip.titleColor = tooltip.bodyColor = colour("--ground");
        }
        for (const [index, server] of state.poll.servers.entries()) {
            for (const swatch of document.querySelectorAll(`.swatch-${index}`)) {
                swatch.style.backgroundColor = colourOf(server);
            }
        }
        redraw(state);
    };
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", apply);
    apply();
}

// -- drawing --------------------------------------------------------------------------

function samplesOf(server, {poll, paused}) {
    return paused?.get(server) ?? poll.samples(server);
}

// The first sample is drawn at once.
function schedule(state) {
    if (state.timer !== null || state.paused !== null || document.hidden) {
        return;
    }
    if (state.drawn) {
        state.timer = setTimeout(() => {
            state.timer = null;
            redraw(state);
        }, REDRAW_MS);
    } else {
        redraw(state);
    }
}

function redraw(state) {
    if (state.paused === null) {
        state.now = clock();
    }
    if (state.poll.servers.every((each) => samplesOf(each, state).length === 0)) {
        return;
    }
    for (const card of state.cards) {
        fillCard(card, state);
    }
    if (state.drawn) {
        state.cards.forEach(({chart}) => chart.update("none"));
    } else {
        makeCharts(state);
    }
    if (performance.now() - state.table.drawn >= TABLE_MS) {
        state.table.drawn = performance.now();
        state.table.rows.forEach((row) => fillRow(row, state));
    }
}

function fillCard({resource, readings, chart}, state) {
    chart.options.scales.x.min = state.now - state.seconds;
    chart.options.scales.x.max = state.now;
    state.poll.servers.forEach((server, index) => {
        const samples = shown(server, state);
        chart.data.datasets[index].data = samples.map((sample) => ({
            x: sample.time,
            y: figureOf(sample, resource),
        }));
        if (samples.length > 0) {
            const last = samples[samples.length - 1];
            setText(readings[index].value, inWords(last, resource));
            readings[index].box.classList.toggle("away", last.status === null);
        }
    });
}

// The samples of the time that is shown, and one before it, for a line from the edge.
function shown(server, state) {
    const samples = samplesOf(server, state);
    const begin = state.now - state.seconds;
    const first = samples.findIndex(({time}) => time >= begin);
    return first < 0 ? samples.slice(-1) : samples.slice(Math.max(0, first - 1));
}

// A resource in a sample; null while the server is away, and if it does not count it.
function figureOf({status}, resource) {
    const figure = status === null ? null : resource.value(status);
    return Number.isFinite(figure) ? figure : null;
}

function inWords(sample, resource) {
    const figure = figureOf(sample, resource);
    const without = sample.status === null ? "away" : "not counted";
    return figure === null ? without : resource.format(figure);
}

function fillRow({resource, server, cells}, state) {
    const samples = shown(server, state);
    const values = samples
        .map((sample) => figureOf(sample, resource))
        .filter((value) => value !== null);
    const now = samples.length > 0 ? inWords(samples.at(-1), resource) : "\u2013";
    if (values.length === 0) {
        cells.forEach((cell, index) => setText(cell, index === 0 ? now : "\u2013"));
        return;
    }
    const change = values[values.length - 1] - values[0];
    const texts = [
        now,
        resource.format(Math.min(...values)),
        resource.format(Math.max(...values)),
        (change > 0 ? "+" : "") + resource.format(change),
    ];
    cells.forEach((cell, index) => setText(cell, texts[index]));
}

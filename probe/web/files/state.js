// A line for each server: whether it answers, which process it is, and since when. It
// is the legend of the charts, too.

import {element, formatTime, setText} from "/page/dom.js";

// Draws the lines of the Poll's servers into `place`.
export function drawStates(place, poll) {
    const spoken = element("p", {class: "unseen", role: "status"});
    const lines = new Map(
        poll.servers.map((server, index) => [server, makeLine(server, index)]),
    );
    place.append(
        element("ul", {class: "states"}, [...lines.values()].map((line) => line.box)),
        spoken,
    );
    const see = (server, sample) => {
        const news = update(lines.get(server), server, sample);
        if (news !== null) {
            setText(spoken, news);
        }
    };
    for (const server of poll.servers) {
        poll.samples(server).forEach((sample) => see(server, sample));
    }
    poll.addEventListener("sample", ({detail}) => see(detail.server, detail.sample));
}

function makeLine(server, index) {
    const state = element("span", {class: "state"}, "is asked");
    const facts = element("span", {class: "facts"});
    const box = element(
        "li",
        {},
        element("span", {class: `swatch swatch-${index}`, "aria-hidden": "true"}),
        element("strong", {}, server.name),
        state,
        facts,
    );
    return {box, state, facts, away: null, restarts: 0};
}

// Returns what is new, in words, or null: what changes with each sample is not said.
function update(line, server, {time, status, restarted, error}) {
    const wasAway = line.away !== null;
    if (status === null) {
        line.away ??= time;
        line.box.classList.add("away");
        // The error begins with the name, which stands before it already.
        setText(line.state, error.replace(`${server.name} `, ""));
        setText(line.facts, `for ${formatTime(time - line.away)}`);
        return wasAway ? null : `${error}.`;
    }
    line.away = null;
    line.restarts += restarted ? 1 : 0;
    line.box.classList.remove("away");
    setText(line.state, "answers");
    const restarts = line.restarts === 0 ? "" : `, restarts seen: ${line.restarts}`;
    setText(
        line.facts,
        `pid ${status.pid}, up ${formatTime(status.uptime_seconds)}${restarts}`,
    );
    if (restarted) {
        return `${server.name} was restarted: it is pid ${status.pid} now.`;
    }
    return wasAway ? `${server.name} answers again.` : null;
}

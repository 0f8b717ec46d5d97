// The servers of this page: the state of each, and what to type when the other one does
// not answer.

import {element, setText} from "/page/dom.js";

const DEFAULT_PORTS = {leaky: "8080", fixed: "8081"};

const LOOK_AGAIN = 5; // after so many failures, the reason may be another one

// The command that starts a server of the pair, with a peer if the ports are not those
// at which the two find each other by themselves.
function command(name, url, peer) {
    const port = new URL(url).port || "80";
    const peerPort = new URL(peer).port || "80";
    const other = name === "leaky" ? "fixed" : "leaky";
    if (port === DEFAULT_PORTS[name] && peerPort === DEFAULT_PORTS[other]) {
        return `build/${name}`;
    }
    return `build/${name} --port ${port} --peer ${peer}`;
}

// Whether a server runs that does not let this page read its replies. In the mode
// no-cors a page learns that there is a reply, but not what is in it.
async function isThere(server) {
    try {
        await fetch(`${server.url}/healthz`, {mode: "no-cors", cache: "no-store"});
        return true;
    } catch {
        return false;
    }
}

function row(server, own) {
    const address = server.url || location.origin;
    const state = element("span", {class: "lab-state"});
    const node = element(
        "li",
        {"data-server": server.name},
        dot(server.name),
        element("strong", {}, server.name),
        " at ",
        server === own ? address : element("a", {href: `${address}/`}, address),
        state,
    );
    return {server, state, node, pid: undefined, failures: 0};
}

const dot = (name) =>
    element("span", {class: `lab-dot lab-dot-${name}`, "aria-hidden": "true"});

const code = (text) => element("code", {}, text);

// What helps when the peer does not answer this page.
async function adviceFor(server) {
    const line = code(command(server.name, server.url, location.origin));
    return (await isThere(server))
        ? [": it runs, but keeps this page out. Stop it, and start it so: ", line]
        : [": no answer. Start it in another terminal: ", line];
}

// A page without a peer says how the two servers get to know each other.
function lonelyNote(own) {
    const other = own.name === "leaky" ? "fixed" : "leaky";
    const port = location.port === DEFAULT_PORTS[other] ? "8090" : DEFAULT_PORTS[other];
    const url = `http://${location.hostname}:${port}`;
    const ownPort = location.port || "80";
    return element(
        "li",
        {"data-server": other},
        dot(other),
        element("strong", {}, other),
        ": this server knows no other. Start both so: ",
        code(`build/${own.name} --port ${ownPort} --peer ${url}`),
        " and ",
        code(`build/${other} --port ${port} --peer ${location.origin}`),
    );
}

async function show(each, own, status) {
    const pid = status?.pid ?? null; // null: it does not answer
    each.failures = pid === null ? each.failures + 1 : 0;
    if (each.pid === pid && each.failures % LOOK_AGAIN !== 1) {
        return;
    }
    each.pid = pid;
    each.node.classList.toggle("lab-away", pid === null);
    if (pid !== null) {
        const right = status.server === each.server.name;
        setText(each.state, right ? "" : `, but it is called ${status.server}`);
    } else if (each.server === own) {
        setText(each.state, ": no answer. This page goes on when it is there again.");
    } else {
        const advice = await adviceFor(each.server);
        if (each.pid === null) {
            each.state.replaceChildren(...advice);
        }
    }
}

export function drawServers(lab) {
    const list = document.getElementById("servers");
    const rows = lab.servers.map((each) => row(each, lab.own));
    list.append(...rows.map((each) => each.node));
    if (lab.peer === null && !lab.exercise) {
        list.append(lonelyNote(lab.own));
    }
    lab.poll.addEventListener("sample", ({detail: {server, sample}}) => {
        show(rows.find((each) => each.server === server), lab.own, sample.status);
    });
}

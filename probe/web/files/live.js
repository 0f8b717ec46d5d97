// The live page of one process: charts, the flame graphs of its profiles, and its locks.

import {drawCharts} from "/page/charts.js";
import {report, setText} from "/page/dom.js";
import {drawFlames} from "/page/flame.js";
import {drawLocks} from "/page/locks.js";
import {Poll} from "/page/poll.js";
import {Server} from "/page/server.js";

const own = new Server("this process", "", "--line-1");
const place = (id) => document.getElementById(id);

// The page can be opened while the process is too busy to answer; then it has no name.
function name(server, {status, error}) {
    if (status === null) {
        report(error);
    } else {
        server.name = String(status.server);
        const {version, profile} = status;
        const heap = profile === "off" ? "no heap profile" : `heap profile: ${profile}`;
        setText(place("about"), `probe ${version}, ${heap}`);
    }
    setText(place("name"), server.name);
    document.title = `${server.name} \u2013 live`;
}

const poll = new Poll([own]);
poll.start();
poll.addEventListener("sample", ({detail: {server, sample}}) => {
    name(server, sample);
    // Seen only now that all of it has its place, so that nothing jumps.
    document.querySelector("main").hidden = false;
    drawCharts(place("charts"), poll);
    // The charts are seen before work goes on.
    setTimeout(() => {
        drawFlames(place("flames"), [own]);
        drawLocks(place("locks"), poll, place("news"));
    });
}, {once: true});

// The live page of one process: charts, and the flame graphs of its profiles.

import {drawCharts} from "/page/charts.js";
import {element, report, setText} from "/page/dom.js";
import {drawFlames} from "/page/flame.js";
import {Poll} from "/page/poll.js";
import {Server} from "/page/server.js";

const own = new Server("this process", "", "--line-1");

// The page can be opened while the process is too busy to answer; then it has no name.
async function name(server) {
    try {
        const status = await server.json("/status");
        server.name = status.server;
        const {version, profile} = status;
        const heap = profile === "off" ? "no heap profile" : `heap profile: ${profile}`;
        setText(document.getElementById("about"), `version ${version}, ${heap}`);
    } catch (error) {
        report(error);
    }
    setText(document.getElementById("name"), server.name);
    document.title = `${server.name} \u2013 live`;
}

await name(own);
// Shown only when all of it has its place, so that nothing jumps.
document.querySelector("main").hidden = false;
const poll = new Poll([own]);
drawCharts(document.getElementById("charts"), poll);
drawFlames(document.getElementById("flames"), [own]);
poll.start();
performance.mark("usable");

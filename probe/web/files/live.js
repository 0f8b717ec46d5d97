// The live page of one process: charts, and the flame graphs of its profiles.

import {drawCharts} from "/page/charts.js";
import {element, report} from "/page/dom.js";
import {Poll} from "/page/poll.js";
import {Server} from "/page/server.js";

async function start() {
    const own = new Server("this process", "", "--line-1");
    own.name = (await own.json("/status")).server;
    const poll = new Poll([own]);
    const charts = element("section", {"aria-label": "Charts"});
    document.body.append(element("main", {}, element("h1", {}, own.name), charts));
    drawCharts(charts, poll);
    poll.start();
}

start().catch(report);

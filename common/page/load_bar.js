// The steady load in the bar that stays on the screen: the rate to choose, what runs
// now, and a button that ends it.

import {button, choice, element, setText} from "/page/dom.js";
import {RATES, chooseRate, chosenRate} from "/page/lab/load.js";
import {view} from "/page/view.js";

export function drawLoad(lab) {
    const {load} = lab;
    const options = RATES.map((rate) => [String(rate), `${rate} a second`]);
    const {select, label} = choice("Steady rate", options, (rate) => {
        chooseRate(Number(rate));
        lab.rateChanged();
    });
    const follow = () => {
        select.value = String(chosenRate());
    };
    const said = element("span", {class: "lab-load-said", role: "status"});
    const stop = button("Stop", () => load.stop("you stopped it"), {
        "data-action": "stop-all",
    });
    const show = () => {
        stop.hidden = load.card === null;
        setText(said, stateOf(load));
    };
    load.addEventListener("change", show);
    view.onChange("rate", () => {
        follow();
        lab.rateChanged();
    });
    follow();
    show();
    document.getElementById("load").append(label, said, stop);
}

// In words that do not change with each call, because they are spoken.
function stateOf(load) {
    if (load.card !== null) {
        return `${load.card.scenario.name}, ${load.rate} a second`;
    }
    return load.reason === "" ? "" : `stopped: ${load.reason}`;
}

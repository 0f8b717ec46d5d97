// What every module of the pages needs: elements, numbers as people read them, and the
// messages. Text goes into a page as text alone, never as HTML.

// -- elements -------------------------------------------------------------------------

// Makes an element. An attribute that is a function is a listener: {onclick: f}; true
// stands for an attribute without a value; false, null and undefined leave it out.
// Children are texts, numbers or nodes; null and undefined are left out.
export function element(tag, attributes = {}, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes ?? {})) {
        if (typeof value === "function") {
            made.addEventListener(name.replace(/^on/, ""), value);
        } else if (value !== false && value !== null && value !== undefined) {
            made.setAttribute(name, value === true ? "" : value);
        }
    }
    made.append(...present(children));
    return made;
}

function present(children) {
    return children.flat().filter((child) => child !== null && child !== undefined);
}

export function button(text, onclick, attributes = {}) {
    return element("button", {type: "button", onclick, ...attributes}, text);
}

// A label and its select. `options` are [value, text]; `onchange` gets the value.
export function choice(text, options, onchange) {
    const select = element("select", {onchange: () => onchange(select.value)});
    setOptions(select, options);
    return {select, label: element("label", {class: "choice"}, text, select)};
}

export function setOptions(select, options, chosen = select.value) {
    select.replaceChildren(
        ...options.map(([value, text]) => element("option", {value}, text)),
    );
    select.value = chosen;
}

// Changes an element's text only if it differs: a screen reader is told of each change.
export function setText(place, text) {
    if (place.textContent !== text) {
        place.textContent = text;
    }
}

// -- numbers --------------------------------------------------------------------------

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];
const MINUS = "\u2212";

// 10485760 -> "10.0 MiB". At most three digits before the point, as leakcheck prints.
export function formatBytes(bytes) {
    let size = Math.abs(bytes), unit = 0;
    while (size >= 999.5 && unit < UNITS.length - 1) {
        size /= 1024;
        unit++;
    }
    const digits = unit === 0 ? 0 : size < 9.995 ? 2 : size < 99.95 ? 1 : 0;
    return `${bytes < 0 ? MINUS : ""}${size.toFixed(digits)} ${UNITS[unit]}`;
}

// 1234567 -> "1,234,567". Not by toLocaleString: its first use takes 20 ms.
export function formatCount(count) {
    const [whole, part] = String(Math.round(Math.abs(count) * 10) / 10).split(".");
    const text = whole.replace(/\B(?=(\d{3})+$)/g, ",");
    return (count < 0 ? MINUS : "") + text + (part ? `.${part}` : "");
}

// 3725 -> "1 h 2 min"; 12.3 -> "12 s".
export function formatTime(seconds) {
    const whole = Math.floor(Math.max(0, seconds));
    const parts = [
        [Math.floor(whole / 86400), "d"],
        [Math.floor(whole / 3600) % 24, "h"],
        [Math.floor(whole / 60) % 60, "min"],
        [whole % 60, "s"],
    ];
    const first = parts.findIndex(([count]) => count > 0);
    const shown = first < 0 ? [[0, "s"]] : parts.slice(first, first + 2);
    return shown
        .filter(([count], index) => count > 0 || index === 0)
        .map(([count, unit]) => `${count} ${unit}`)
        .join(" ");
}

// -- messages -------------------------------------------------------------------------

const MESSAGES_MAX = 20;

const list = element("ol", {class: "messages-list"});
const count = element("strong");
const region = element(
    "section",
    {class: "messages", "aria-label": "Messages", hidden: true, "data-count": "0"},
    element("p", {}, count, button("Dismiss", () => (region.hidden = true))),
    list,
);
// What a screen reader says. It is there from the start, because text is only announced
// in a region that was there before.
const spoken = element("p", {class: "unseen", role: "alert"});
document.body.append(region, spoken);
let reported = 0;

// Shows an error, given as an Error or a text, and says it once: the same message again
// is only counted. The newest are kept.
export function report(message) {
    const text = describe(message);
    reported++;
    const newest = list.firstElementChild;
    if (newest?.dataset.text === text) {
        newest.dataset.times = Number(newest.dataset.times) + 1;
        newest.textContent = `${text} (${newest.dataset.times} times)`;
    } else {
        list.prepend(element("li", {"data-text": text, "data-times": "1"}, text));
        setText(spoken, text);
    }
    while (list.children.length > MESSAGES_MAX) {
        list.lastElementChild.remove();
    }
    region.dataset.count = reported;
    count.textContent = reported === 1 ? "1 message" : `${reported} messages`;
    region.hidden = false;
}

// An error in words, with its hint if it has one.
export function describe(error) {
    if (!(error instanceof Error)) {
        return String(error);
    }
    return error.hint ? `${error.message} (${error.hint})` : error.message;
}

// Errors that no code has caught are shown, too.
window.addEventListener("error", (event) => report(event.error ?? event.message));
window.addEventListener("unhandledrejection", (event) => report(event.reason));

// What is shown, in the address after the '#', so that a link keeps it:
// "#profile=heap&value=inuse_space".

const listeners = new Map(); // by key
let shown = read();

function read() {
    return new URLSearchParams(location.hash.slice(1));
}

export const view = {
    // The value of a key, or null.
    get(key) {
        return shown.get(key);
    },

    // Sets a key; null or "" takes it out. This does not call the listeners.
    set(key, value) {
        if ((shown.get(key) ?? "") === (value ?? "")) {
            return; // browsers limit how often an address may change
        }
        if (value === null || value === "") {
            shown.delete(key);
        } else {
            shown.set(key, value);
        }
        const text = shown.toString();
        const path = location.pathname + location.search;
        history.replaceState(null, "", text ? `${path}#${text}` : path);
    },

    // Calls f(value) when a link or the person changes a key in the address.
    onChange(key, f) {
        listeners.set(key, [...(listeners.get(key) ?? []), f]);
    },
};

window.addEventListener("hashchange", () => {
    const before = shown;
    shown = read();
    for (const [key, functions] of listeners) {
        if (before.get(key) !== shown.get(key)) {
            functions.forEach((f) => f(shown.get(key)));
        }
    }
});

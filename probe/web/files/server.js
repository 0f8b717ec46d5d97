// A server that the page asks.

const LIMIT_MS = 10000; // for a reply, unless `options` say otherwise

// The server has answered with an error: {"error": {"code", "message", "hint"}}.
export class Refusal extends Error {
    constructor(server, status, {code = "", message = "", hint = ""}) {
        super(message || `${server} answers with status ${status}`);
        this.name = "Refusal";
        this.status = status;
        this.code = code;
        this.hint = hint;
    }
}

export class Server {
    // `url` is "" for the server that the page is from, else as in
    // "http://localhost:8081". `colour` names a CSS variable, such as "--line-1".
    constructor(name, url, colour) {
        this.name = name;
        this.url = url;
        this.colour = colour;
    }

    // Each of these throws a Refusal for an answer that is an error, and an Error if
    // there is no answer. `options` are fetch's, and `limit` in milliseconds.
    async json(path, options) {
        return this.#read(path, options, (response) => response.json());
    }

    async text(path, options) {
        return this.#read(path, options, (response) => response.text());
    }

    async bytes(path, options) {
        const read = (response) => response.arrayBuffer();
        return new Uint8Array(await this.#read(path, options, read));
    }

    async #read(path, {limit = LIMIT_MS, ...options} = {}, read) {
        const signal = AbortSignal.timeout(limit);
        const response = await this.#ask(path, {signal, ...options});
        if (!response.ok) {
            throw await this.#refusal(response);
        }
        try {
            return await read(response);
        } catch (error) {
            throw this.#failure(error, "has sent a reply that was cut off or damaged");
        }
    }

    async #ask(path, options) {
        try {
            const always = {cache: "no-store", credentials: "omit"};
            return await fetch(this.url + path, {...always, ...options});
        } catch (error) {
            throw this.#failure(error, "does not answer");
        }
    }

    #failure(error, what) {
        const late = error.name === "TimeoutError";
        const text = late ? "does not answer in time" : what;
        return new Error(`${this.name} ${text}`, {cause: error});
    }

    async #refusal(response) {
        let body = null;
        try {
            body = await response.json();
        } catch {
            // An error in another form: only its status is known.
        }
        return new Refusal(this.name, response.status, body?.error ?? {});
    }
}

// Whether two replies of /status are from different processes, the one after the other.
export function isOther(before, now) {
    return before.pid !== now.pid || before.uptime_seconds > now.uptime_seconds;
}

// The colour of a server now: it depends on whether the page is light or dark.
export function colourOf(server) {
    const style = getComputedStyle(document.documentElement);
    return server.colour.startsWith("--")
        ? style.getPropertyValue(server.colour).trim()
        : server.colour;
}

// A server that is asked one thing at a time, so that this page holds one connection to
// it, and its own connections do not hide how many descriptors a scenario leaves.

import {Server} from "/page/server.js";

const CLOSED_MS = 2300; // a server closes a silent connection after 2 s
const BACK_MS = 20; // after a reply, the browser has its connection back for the next one

export class OneByOne extends Server {
    #last = Promise.resolve();
    #busy = 0;  // calls that run beside the queue
    #ended = 0; // when the last of them ended; the page's own files are the first

    json(path, options) {
        return this.#queue(() => super.json(path, options));
    }

    text(path, options) {
        return this.#queue(() => super.text(path, options));
    }

    bytes(path, options) {
        return this.#queue(() => super.bytes(path, options));
    }

    // Beside the queue, for a call that may take long: figures are read meanwhile.
    async call(path, options) {
        this.#busy++;
        try {
            return await super.json(path, {method: "POST", ...options});
        } finally {
            this.#busy--;
            this.#ended = performance.now();
        }
    }

    // Milliseconds until only the queue's connection is left, if nothing else happens.
    get restsIn() {
        const since = performance.now() - this.#ended;
        return this.#busy > 0 ? CLOSED_MS : Math.max(0, CLOSED_MS - since);
    }

    #queue(ask) {
        const answer = this.#last.then(ask);
        const isBack = () => new Promise((resolve) => setTimeout(resolve, BACK_MS));
        this.#last = answer.then(isBack, isBack); // of a failure its caller is told
        return answer;
    }
}

// What is seen: text, translation, progress. The work is done by worker.js.

/** @typedef {import("./messages.js").Answer} Answer */

/**
 * @template {HTMLElement} T
 * @param {string} id
 * @param {new () => T} kind
 * @returns {T}
 */
function part(id, kind) {
    const found = document.getElementById(id);
    if (!(found instanceof kind)) throw new Error(`#${id} is not on the page`);
    return found;
}

const form = part("form", HTMLFormElement);
const text = part("text", HTMLTextAreaElement);
const translation = part("translation", HTMLTextAreaElement);
const button = part("translate", HTMLButtonElement);
const stop = part("stop", HTMLButtonElement);
const copy = part("copy", HTMLButtonElement);
const progress = part("progress", HTMLProgressElement);
/** Numbers that change many times a second: shown, and not read aloud. */
const figures = part("figures", HTMLElement);
/** What a screen reader says. */
const status = part("status", HTMLElement);
const error = part("error", HTMLElement);
const faults = part("faults", HTMLUListElement);

/** @type {"loading" | "ready" | "translating" | "failed"} */
let state = "loading";
/** Whether the translation of the text was asked for before the model was there. */
let waiting = false;
/** @type {string[]} */
let found = [];
/** @type {Worker | null} */
let worker = null;
let offline = "";
const READY = "Ready.";

const reason = cannotRun();
if (reason) fail(reason);
else start().catch((problem) => fail(problem instanceof Error ? problem.message : String(problem)));

/** Return why this page cannot work where it was opened, or null. */
function cannotRun() {
    if (location.protocol === "file:") {
        return (
            "Opened as a file, this page may not read its neighbours. Serve its folder, for instance by " +
            "“python -m http.server” in it, and open http://localhost:8000/"
        );
    }
    if (typeof WebAssembly !== "object") {
        return "This browser has no WebAssembly, which runs the model, or it is switched off. Use another browser.";
    }
    return null;
}

/** @param {string} message */
function fail(message) {
    state = "failed";
    error.textContent = message;
    error.hidden = false;
    progress.hidden = true;
    figures.textContent = "";
    status.textContent = "";
    show();
}

/** Set the buttons by the state. */
function show() {
    const busy = state === "translating";
    // The button that has the focus is never taken away from under the keyboard.
    button.setAttribute("aria-disabled", String(busy || state === "failed"));
    stop.setAttribute("aria-disabled", String(!busy));
    copy.setAttribute("aria-disabled", String(!translation.value));
}

// --- Loading ---------------------------------------------------------------------------------------------------------

async function start() {
    show();
    await serviceWorker();
    worker = new Worker(new URL("worker.js", location.href), { type: "module" });
    worker.addEventListener("message", (/** @type {MessageEvent<Answer>} */ { data }) => heard(data));
    worker.addEventListener("error", (event) => {
        event.preventDefault();
        fail(`worker.js does not run${event.message ? ` (${event.message})` : ""}: copy the whole folder to the server`);
    });
    ask({ kind: "load" });
}

/** @param {import("./messages.js").Request} request */
function ask(request) {
    worker?.postMessage(request);
}

/** Start what keeps the files, and wait until it does: what the worker fetches is kept on the way. */
async function serviceWorker() {
    if (!("serviceWorker" in navigator)) {
        offline = "It needs its server each time: offline use takes https, or localhost.";
        return;
    }
    try {
        const registration = await navigator.serviceWorker.register("service-worker.js");
        // A browser looks for another export when it likes; without a server there is none to find.
        if (registration.active) registration.update().catch(() => {});
        const first = registration.installing ?? registration.waiting;
        if (!registration.active && first) await activated(first);
        // A page that was loaded anew past the cache has no controller until it is asked for.
        if (!navigator.serviceWorker.controller && registration.active) await answered(registration.active, "claim");
    } catch (problem) {
        offline = `It needs its server each time: this browser keeps no files (${problem}).`;
    }
}

/**
 * Wait until a new service worker runs.
 * @param {ServiceWorker} first
 */
function activated(first) {
    return new Promise((resolve, reject) => {
        const look = () => {
            if (first.state === "activated") resolve(null);
            if (first.state === "redundant") reject(new Error("a file is missing, or there is no room"));
        };
        first.addEventListener("statechange", look);
        look();
    });
}

/**
 * Ask a service worker, and return what it answers.
 * @param {ServiceWorker} worker
 * @param {"claim" | "missing"} question
 * @returns {Promise<string[]>}
 */
function answered(worker, question) {
    const channel = new MessageChannel();
    return new Promise((resolve) => {
        channel.port1.onmessage = ({ data }) => resolve(data);
        worker.postMessage(question, [channel.port2]);
    });
}

/** Say whether all files are kept. */
async function sayKept() {
    const controller = navigator.serviceWorker?.controller;
    if (controller && !offline) {
        const missing = await answered(controller, "missing");
        offline = missing.length
            ? `It needs its server each time: there was no room to keep ${missing.join(", ")}.`
            : "It works without its server from now on.";
    }
    if (status.textContent === READY) status.textContent = `${READY} ${offline}`;
}

// --- Translating -----------------------------------------------------------------------------------------------------

function translate() {
    if (state === "loading") {
        waiting = true;
        status.textContent = "The text will be translated when the model is there.";
    }
    if (state !== "ready") return;
    const lines = text.value.split("\n");
    found = [];
    translation.value = "";
    faults.replaceChildren();
    state = "translating";
    status.textContent = `Translating ${counted(lines.length, "line")}.`;
    progress.value = 0;
    progress.max = lines.length;
    progress.hidden = false;
    show();
    ask({ kind: "translate", lines });
}

let words = 0;
let seconds = 0;

/** @param {Answer} answer */
function heard(answer) {
    if (state === "failed") return;
    if (answer.kind === "failed") fail(answer.reason);
    if (answer.kind === "loading") {
        progress.max = answer.total;
        progress.value = answer.loaded;
        figures.textContent = `${megabytes(answer.loaded)} of ${megabytes(answer.total)} MB`;
    }
    if (answer.kind === "starting") {
        progress.removeAttribute("value"); // moves, without an end in sight
        figures.textContent = "Starting";
    }
    if (answer.kind === "ready") {
        state = "ready";
        progress.hidden = true;
        figures.textContent = "";
        status.textContent = READY;
        show();
        if (waiting) translate();
        sayKept();
    }
    if (answer.kind === "line") {
        if (answer.place === 0) [words, seconds] = [0, 0];
        words += answer.words;
        seconds += answer.seconds;
        found.push(answer.text);
        translation.value = found.join("\n");
        progress.value = answer.place + 1;
        figures.textContent = speed(words, seconds);
        if (answer.fault) {
            const item = document.createElement("li");
            item.textContent = `Line ${answer.place + 1} is left empty: it ${answer.fault}.`;
            faults.append(item);
        }
    }
    if (answer.kind === "done") {
        state = "ready";
        progress.hidden = true;
        figures.textContent = speed(answer.words, answer.seconds);
        const what = `${counted(answer.lines, "line")}, ${counted(answer.words, "word")}`;
        const left = faults.children.length ? ` ${counted(faults.children.length, "line")} left empty.` : "";
        status.textContent = `${answer.stopped ? "Stopped after" : "Translated"} ${what}.${left}`;
        show();
    }
}

/**
 * @param {number} words
 * @param {number} seconds
 */
function speed(words, seconds) {
    return seconds > 0 ? `${(words / seconds).toLocaleString("en", { maximumFractionDigits: 1 })} words a second` : "";
}

/**
 * @param {number} count
 * @param {string} what
 */
function counted(count, what) {
    return `${count.toLocaleString("en")} ${what}${count === 1 ? "" : "s"}`;
}

/** @param {number} bytes */
function megabytes(bytes) {
    return (bytes / 1e6).toLocaleString("en", { minimumFractionDigits: 1, maximumFractionDigits: 1 });
}

// --- Keys and clicks -------------------------------------------------------------------------------------------------

form.addEventListener("submit", (event) => {
    event.preventDefault();
    translate();
});
document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
        event.preventDefault();
        translate();
    }
    if (event.key === "Escape") stopIt();
});
stop.addEventListener("click", stopIt);
copy.addEventListener("click", async () => {
    if (!translation.value) return;
    try {
        await navigator.clipboard.writeText(translation.value);
        status.textContent = "Copied.";
    } catch {
        translation.focus();
        translation.select();
        status.textContent = "The translation is selected: copy it by Ctrl+C.";
    }
});

function stopIt() {
    waiting = false;
    if (state === "translating") ask({ kind: "stop" });
}

export {};

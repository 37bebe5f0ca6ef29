// Keeps the files of this folder, so that the page works without its server after it was loaded once.
//
// `vaswani export` puts two constants before this file: CONTENT, which is another one for another export, and FILES. A
// new export is fetched beside the old one, and replaces it when no page shows the old one any more.

/** @type {string} */
const content = /** @type {any} */ (self).CONTENT;
/** @type {string[]} */
const files = /** @type {any} */ (self).FILES;
const worker = /** @type {ServiceWorkerGlobalScope} */ (/** @type {unknown} */ (self));
const scope = worker.registration.scope;
const mine = `vaswani ${scope} `;
const PAGE = "index.html";
/** What the worker of the page fetches, with its progress: not fetched twice. */
const LARGE = /\.(onnx|wasm)$|^tokenizer\.json$/;

/** @type {Set<Promise<void>>} */
const writing = new Set();

worker.addEventListener("install", (event) => {
    const isUpdate = worker.registration.active !== null;
    event.waitUntil(keep(files.filter((name) => isUpdate || !LARGE.test(name))));
});

worker.addEventListener("activate", (event) => {
    event.waitUntil(forgetOthers().then(() => worker.clients.claim()));
});

worker.addEventListener("fetch", (event) => {
    const name = nameOf(event.request);
    if (name !== null) event.respondWith(answer(name, event));
});

/** A page asks to be served from here, or which files are not kept; it gives a port to answer to. */
worker.addEventListener("message", (event) => {
    const answer = event.data === "claim" ? worker.clients.claim().then(() => []) : missing();
    event.waitUntil(answer.then((names) => event.ports[0]?.postMessage(names)));
});

/**
 * Return the name of a file of this folder that is asked for, or null.
 * @param {Request} request
 */
function nameOf(request) {
    const [url] = request.url.split(/[?#]/, 1);
    if (request.method !== "GET" || !url?.startsWith(scope)) return null;
    const name = decodeURIComponent(url.slice(scope.length)) || PAGE;
    return files.includes(name) ? name : null;
}

/**
 * @param {string} name
 * @param {FetchEvent} event
 */
async function answer(name, event) {
    const cache = await caches.open(mine + content);
    const kept = await cache.match(name);
    if (kept) return kept;
    const response = await fetch(new URL(name, scope), { cache: "no-cache" });
    if (response.ok) {
        const write = cache.put(name, response.clone()).catch(() => {}); // no room: the page says that it is not kept
        writing.add(write);
        event.waitUntil(write.finally(() => writing.delete(write)));
    }
    return response;
}

/** @param {string[]} names */
async function keep(names) {
    const cache = await caches.open(mine + content);
    await cache.addAll(names.map((name) => new Request(new URL(name, scope), { cache: "no-cache" })));
}

async function forgetOthers() {
    const names = (await caches.keys()).filter((name) => name.startsWith(mine) && name !== mine + content);
    await Promise.all(names.map((name) => caches.delete(name)));
}

async function missing() {
    await Promise.all(writing);
    const cache = await caches.open(mine + content);
    const kept = await Promise.all(files.map(async (name) => Boolean(await cache.match(name))));
    return files.filter((_, place) => !kept[place]);
}

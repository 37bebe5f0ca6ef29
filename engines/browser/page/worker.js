// Translates in a thread of its own, so that the page answers meanwhile. transformers.js does the work; the files that
// it asks for are fetched here beforehand, so that their progress is seen and a missing one has a name.

import { AutoModelForSeq2SeqLM, env, PreTrainedTokenizer, Tensor } from "@huggingface/transformers";

/** @typedef {import("./messages.js").Settings} Settings */
/** @typedef {import("./messages.js").Answer} Answer */
/** @typedef {import("./messages.js").Line} Line */
/** @typedef {Map<string, Uint8Array<ArrayBuffer>>} Files */

const WASM = "ort-wasm-simd-threaded.wasm";
const FOLDER = new URL("./", self.location.href);

/** @type {{ tokenizer: PreTrainedTokenizer, special: Set<number>, model: any, settings: Settings } | null} */
let translator = null;
let stopped = false;

self.addEventListener("message", async (/** @type {MessageEvent<import("./messages.js").Request>} */ { data }) => {
    try {
        if (data.kind === "load") await load();
        if (data.kind === "translate") await translate(data.lines);
        if (data.kind === "stop") stopped = true;
    } catch (error) {
        say({ kind: "failed", reason: error instanceof Error ? error.message : String(error) });
    }
});

/** @param {Answer} answer */
function say(answer) {
    self.postMessage(answer);
}

// --- Loading ---------------------------------------------------------------------------------------------------------

async function load() {
    /** @type {Settings} */
    const settings = await (await fetched("browser.json")).json();
    const files = await download(settings.files);
    say({ kind: "starting" });
    const wasm = /** @type {Uint8Array<ArrayBuffer>} */ (files.get(WASM));
    files.delete(WASM);
    // Nothing comes from another host: no model, and no part of the runtime.
    env.allowRemoteModels = false;
    env.allowLocalModels = true;
    env.useBrowserCache = false;
    env.useWasmCache = false;
    env.useCustomCache = true;
    env.customCache = { match: async (name) => response(files, name), put: async () => {} };
    const runtime = /** @type {any} */ (env.backends.onnx.wasm);
    runtime.wasmPaths = undefined;
    runtime.wasmBinary = wasm.buffer;
    const model = await AutoModelForSeq2SeqLM.from_pretrained(".", { device: "wasm" });
    runtime.wasmBinary = undefined;
    translator = { ...tokenizerOf(files), model, settings };
    say({ kind: "ready" });
}

/**
 * Fetch all files, one after another.
 * @param {Record<string, number>} sizes
 * @returns {Promise<Files>}
 */
async function download(sizes) {
    const total = Object.values(sizes).reduce((sum, size) => sum + size, 0);
    const files = new Map();
    let loaded = 0;
    let told = -Infinity;
    for (const [name, size] of Object.entries(sizes)) {
        const bytes = new Uint8Array(size);
        let place = 0;
        for await (const chunk of chunks(await fetched(name))) {
            if (place + chunk.length <= size) bytes.set(chunk, place);
            place += chunk.length;
            loaded += chunk.length;
            if (performance.now() - told > 100) {
                told = performance.now();
                say({ kind: "loading", loaded, total });
            }
        }
        if (place !== size) {
            throw new Error(
                `${name} has ${place} bytes on the server and had ${size} when it was exported: copy the folder again`,
            );
        }
        files.set(name, bytes);
    }
    say({ kind: "loading", loaded: total, total });
    return files;
}

/** @param {string} name */
async function fetched(name) {
    /** @type {Response} */
    let found;
    try {
        found = await fetch(new URL(name, FOLDER));
    } catch {
        throw new Error(`${name} cannot be fetched: the server does not answer. Start it, and load this page again`);
    }
    if (!found.ok) {
        throw new Error(`${name} is not on the server (HTTP ${found.status}): copy the whole folder to it`);
    }
    return found;
}

/** @param {Response} response */
async function* chunks(response) {
    const reader = /** @type {ReadableStream<Uint8Array>} */ (response.body).getReader();
    for (let read = await reader.read(); !read.done; read = await reader.read()) yield read.value;
}

/**
 * Return a file under a name that transformers.js asks for, such as ./onnx/encoder_model.onnx.
 * @param {Files} files
 * @param {string} name
 */
function response(files, name) {
    const found = files.get(name.replace(/^\.\//, ""));
    return found && new Response(found, { headers: { "content-length": String(found.length) } });
}

/**
 * Return the tokenizer, and the ids that are no text. Where the model was trained so, "</s>" typed in a text is text.
 * @param {Files} files
 */
function tokenizerOf(files) {
    const [state, config] = ["tokenizer.json", "tokenizer_config.json"].map((name) =>
        JSON.parse(new TextDecoder().decode(files.get(name))),
    );
    /** @type {{ id: number, special: boolean }[]} */
    const added = state.added_tokens;
    const special = new Set(added.filter((token) => token.special).map((token) => token.id));
    const kept = config.split_special_tokens ? added.filter((token) => !token.special) : added;
    return { tokenizer: new PreTrainedTokenizer({ ...state, added_tokens: kept }, config), special };
}

// --- Translating -----------------------------------------------------------------------------------------------------

/**
 * Translate line after line: in a batch, transformers.js writes on after the end of a shorter one.
 * @param {string[]} lines
 */
async function translate(lines) {
    if (!translator) throw new Error("the model is not loaded");
    stopped = false;
    let [words, seconds, done] = [0, 0, 0];
    for (const [place, text] of lines.entries()) {
        await new Promise((resolve) => setTimeout(resolve)); // lets a message in, such as stop
        if (stopped) break;
        const line = await translated(text, place);
        say(line);
        words += line.words;
        seconds += line.seconds;
        done += 1;
    }
    say({ kind: "done", lines: done, words, seconds, stopped });
}

/**
 * @param {string} text
 * @param {number} place
 * @returns {Promise<Line>}
 */
async function translated(text, place) {
    const { tokenizer, special, model, settings } = /** @type {NonNullable<typeof translator>} */ (translator);
    /** @type {Line} */
    const line = { kind: "line", place, text: "", tokens: [], words: 0, seconds: 0, fault: null };
    if (new RegExp(`^[\\s${settings.unseen}]*$`, "u").test(text)) return line;
    const begun = performance.now();
    const source = tokenizer.encode(text);
    const positions = settings.max_positions ?? Infinity;
    if (source.length > positions) {
        line.fault = `has ${source.length} tokens, and the model has ${positions} positions; split it`;
        return line;
    }
    const most = Math.min(source.length + settings.extra_tokens, settings.most_tokens ?? Infinity, positions);
    const input_ids = new Tensor("int64", BigInt64Array.from(source, BigInt), [1, source.length]);
    const attention_mask = new Tensor("int64", new BigInt64Array(source.length).fill(1n), [1, source.length]);
    const found = await model.generate({ inputs: input_ids, attention_mask, max_new_tokens: most });
    line.tokens = found.tolist()[0].slice(1).map(Number);
    const ids = line.tokens.filter((id) => !special.has(id));
    const written = ids.length ? tokenizer.decode(ids, { clean_up_tokenization_spaces: false }) : "";
    line.text = written.replace(/[\r\n]/g, " ");
    line.seconds = (performance.now() - begun) / 1000;
    line.words = text.trim().split(/\s+/u).length;
    return line;
}

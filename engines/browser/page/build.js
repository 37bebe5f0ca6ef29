// Bundles the page into the folder dist: `npm ci --ignore-scripts --omit=dev && npm run build`.

import { copyFile, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { build } from "esbuild";

const OUT = "dist";
const require = createRequire(import.meta.url);

await rm(OUT, { recursive: true, force: true });
await mkdir(OUT);
const shared = { bundle: true, minify: true, outdir: OUT, target: "es2022", legalComments: "none", metafile: true };
await build({ ...shared, entryPoints: ["page.js", "service-worker.js"], format: "iife" }); // also where it is a file
const { metafile } = await build({
    ...shared,
    entryPoints: ["worker.js"],
    format: "esm",
    // The build of the runtime without WebGPU: half the bytes, and the model runs on the processor.
    alias: { "onnxruntime-web/webgpu": "onnxruntime-web/wasm" },
});
const wasm = require.resolve("onnxruntime-web/ort-wasm-simd-threaded.wasm");
await copyFile(wasm, `${OUT}/ort-wasm-simd-threaded.wasm`);
for (const name of ["index.html", "style.css"]) await copyFile(name, `${OUT}/${name}`);
await writeFile(`${OUT}/licenses.txt`, await licenses(Object.keys(metafile.inputs)));

/** Return the name, the version and the licence of each package that is in the bundle. */
async function licenses(inputs) {
    const folders = inputs.map((file) => file.match(/^.*node_modules\/(@[^/]+\/)?[^/]+/)?.[0]).filter(Boolean);
    folders.push("node_modules/@huggingface/tokenizers", "node_modules/@huggingface/jinja"); // bundled in transformers
    const texts = [];
    for (const folder of [...new Set(folders)].sort()) {
        const about = JSON.parse(await readFile(`${folder}/package.json`, "utf8"));
        const text = await readFile(`${folder}/LICENSE`, "utf8").catch(() => "");
        texts.push(`${about.name} ${about.version}, ${about.license}\n\n${text}`);
    }
    return texts.join("\n\n");
}

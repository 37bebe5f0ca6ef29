// What browser.json holds, and what the page and its worker say to each other.

/** browser.json, as engines/browser/record.py writes it. */
export interface Settings {
    /** The model's name. */
    name: string;
    /** Of all files together: another export has another one. */
    content: string;
    /** How the weights are stored: int8 or float32. */
    quantization: string;
    /** How many tokens longer than its source a translation may be. */
    extra_tokens: number;
    /** The most tokens of a translation, whatever its source; null: no limit. */
    most_tokens: number | null;
    /** The most tokens of a source and of a translation; null: no limit. */
    max_positions: number | null;
    /** Invisible characters, as in a class of a regular expression: a line of these and white space is blank. */
    unseen: string;
    /** Bytes of each file that is read before the first translation. */
    files: Record<string, number>;
}

/** From the page to its worker. */
export type Request = { kind: "load" } | { kind: "translate"; lines: string[] } | { kind: "stop" };

/** From the worker to its page. */
export type Answer =
    | { kind: "loading"; loaded: number; total: number }
    | { kind: "starting" }
    | { kind: "ready" }
    | Line
    | { kind: "done"; lines: number; words: number; seconds: number; stopped: boolean }
    | { kind: "failed"; reason: string };

/** A translated line. */
export interface Line {
    kind: "line";
    /** Counted from 0. */
    place: number;
    /** Without line ends. */
    text: string;
    /** Ids of what was written, the end included. */
    tokens: number[];
    /** Words of the source. */
    words: number;
    /** How long the translation took. */
    seconds: number;
    /** Why a line was left empty, if it was not blank. */
    fault: string | null;
}

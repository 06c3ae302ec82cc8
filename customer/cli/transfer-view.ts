import cliProgress from "cli-progress";
import type { DataReference } from "../../shared/data-reference.ts";
import type { PutSource, TransferProgress } from "../blobs.ts";
import type { Hands } from "../hands.ts";
import { printable, size } from "./output.ts";

/** Shortest time between two lines when standard error is no terminal, and before the first. */
const lineEveryMs = 5000;

/** Progress on standard error, because standard output is for references, bytes and results. */
export interface View<Progress> {
  show(progress: Progress): void;
  stop(): void;
}

/** Results that a command has written, of so many, and bytes of their lines. */
export interface WrittenResults {
  readonly results: number;
  readonly total: number;
  readonly bytes: number;
}

/** A moment of a transfer. */
interface Picture {
  readonly done: number;
  readonly of: number;
  /** The same for people. */
  readonly text: string;
  readonly bytes: number;
}

/** The progress of a transfer of a blob: a bar with MiB/s on a terminal, a line now and then elsewhere, no output with `quiet`. */
export function transferView(name: string, quiet = false): View<TransferProgress> {
  return viewOf(name, quiet, ({ bytes, totalBytes }) => ({
    done: bytes,
    of: totalBytes,
    text: `${size(bytes)} of ${size(totalBytes)}`,
    bytes,
  }));
}

/** The same of results that are written. */
export function resultsView(name: string, quiet = false): View<WrittenResults> {
  return viewOf(name, quiet, ({ results, total, bytes }) => ({
    done: results,
    of: total,
    text: `${results} of ${total} results, ${size(bytes)}`,
    bytes,
  }));
}

function viewOf<Progress>(
  name: string,
  quiet: boolean,
  picture: (progress: Progress) => Picture,
): View<Progress> {
  if (quiet) return { show: () => undefined, stop: () => undefined };
  const view = process.stderr.isTTY ? bar(printable(name)) : lines(printable(name));
  return { show: (progress) => view.show(picture(progress)), stop: () => view.stop() };
}

/** Puts a file, and shows the progress under a name. */
export async function putShown(
  hands: Hands,
  name: string,
  source: PutSource,
  quiet: boolean,
): Promise<DataReference> {
  const view = transferView(name, quiet);
  try {
    return await hands.put(source, { onProgress: (progress) => view.show(progress) });
  } finally {
    view.stop();
  }
}

/** The speed since the first picture of a transfer, for people. */
function speedometer(): (bytes: number) => string {
  let first: { readonly at: number; readonly bytes: number } | undefined;
  return (bytes) => {
    first ??= { at: performance.now(), bytes };
    const seconds = (performance.now() - first.at) / 1000;
    return seconds > 0.1 && bytes > first.bytes ? `${size((bytes - first.bytes) / seconds)}/s` : "";
  };
}

function bar(name: string): View<Picture> {
  const format = "{name} {bar} {percentage}% | {text} | {speed}";
  const options = { format, hideCursor: true, stream: process.stderr, fps: 5 };
  const view = new cliProgress.SingleBar(options, cliProgress.Presets.shades_grey);
  const speedOf = speedometer();
  let isStarted = false;
  return {
    show({ done, of, text, bytes }) {
      const payload = { name, text, speed: speedOf(bytes) };
      if (!isStarted) view.start(Math.max(1, of), done, payload);
      isStarted = true;
      view.setTotal(Math.max(1, of));
      view.update(done, payload);
    },
    stop() {
      if (isStarted) view.stop();
    },
  };
}

function lines(name: string): View<Picture> {
  const speedOf = speedometer();
  let shownAt: number | undefined;
  return {
    show({ done, of, text, bytes }) {
      const now = performance.now();
      const speed = speedOf(bytes);
      shownAt ??= now;
      if (now - shownAt < lineEveryMs) return;
      shownAt = now;
      const percent = Math.floor((100 * done) / Math.max(1, of));
      const told = [`${percent}%`, speed].filter(Boolean).join(", ");
      process.stderr.write(`${name}: ${text} (${told})\n`);
    },
    stop: () => undefined,
  };
}

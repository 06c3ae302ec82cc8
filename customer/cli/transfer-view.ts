import cliProgress from "cli-progress";
import type { DataReference } from "../../shared/data-reference.ts";
import type { PutSource, TransferProgress } from "../blobs.ts";
import type { Hands } from "../hands.ts";
import { printable, size } from "./output.ts";

/** Shortest time between two lines when standard error is no terminal, and before the first. */
const lineEveryMs = 5000;

/** The progress of transfers of blobs on standard error, because standard output is for references and bytes. */
export interface TransferView {
  show(progress: TransferProgress): void;
  stop(): void;
}

/** A bar with MiB/s on a terminal, a line now and then elsewhere, no output with `quiet`. */
export function transferView(name: string, quiet = false): TransferView {
  if (quiet) return { show: () => undefined, stop: () => undefined };
  return process.stderr.isTTY ? bar(printable(name)) : lines(printable(name));
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

function bar(name: string): TransferView {
  const format = "{name} {bar} {percentage}% | {moved} of {all} | {speed}";
  const options = { format, hideCursor: true, stream: process.stderr, fps: 5 };
  const view = new cliProgress.SingleBar(options, cliProgress.Presets.shades_grey);
  const speedOf = speedometer();
  let isStarted = false;
  return {
    show({ bytes, totalBytes }) {
      const payload = { name, moved: size(bytes), all: size(totalBytes), speed: speedOf(bytes) };
      if (!isStarted) view.start(Math.max(1, totalBytes), bytes, payload);
      isStarted = true;
      view.setTotal(Math.max(1, totalBytes));
      view.update(bytes, payload);
    },
    stop() {
      if (isStarted) view.stop();
    },
  };
}

function lines(name: string): TransferView {
  const speedOf = speedometer();
  let shownAt: number | undefined;
  return {
    show({ bytes, totalBytes }) {
      const now = performance.now();
      const speed = speedOf(bytes);
      shownAt ??= now;
      if (now - shownAt < lineEveryMs) return;
      shownAt = now;
      const percent = Math.floor((100 * bytes) / Math.max(1, totalBytes));
      const told = [`${percent}%`, speed].filter(Boolean).join(", ");
      process.stderr.write(`${name}: ${size(bytes)} of ${size(totalBytes)} (${told})\n`);
    },
    stop: () => undefined,
  };
}

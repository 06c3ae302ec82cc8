import type { ClientInfo } from "../../shared/wire/rest/clients.ts";
import type { Measures } from "./measure.ts";
import type { StageTime } from "./stage-view.ts";

/** The demo's closing summary. */
interface Summary extends Measures {
  readonly particles: number;
  readonly tasks: number;
  readonly clients: readonly { readonly name: string; readonly kind: string; readonly tasks: number }[];
  readonly stages: readonly StageTime[];
  readonly seconds: number;
  readonly directory: string;
  readonly files: readonly string[];
}

/** The clients that computed tasks of the demo. */
export function workers(before: readonly ClientInfo[], after: readonly ClientInfo[]): Summary["clients"] {
  const earlier = new Map(before.map((client) => [client.id, client.done]));
  return after
    .map(({ id, name, kind, done }) => ({ name, kind, tasks: done - (earlier.get(id) ?? 0) }))
    .filter(({ tasks }) => tasks > 0);
}

/** The summary for people. */
export function summaryText(summary: Summary): string {
  const { clients, stages } = summary;
  const kinds = ["node", "browser"]
    .map((kind) => [kind, clients.filter((client) => client.kind === kind)] as const)
    .filter(([, some]) => some.length > 0)
    .map(([kind, some]) => `${some.length} ${kind} (${some.map(({ tasks }) => tasks).join(" + ")} tasks)`);
  const longest = stages.toSorted((a, b) => b.seconds - a.seconds).slice(0, 3);
  const rows = [
    [
      "Orientations",
      `${summary.angleMedian.toFixed(1)}° median error, ${summary.angle90.toFixed(1)}° for nine in ten (modulo D2)`,
    ],
    ["Shifts", `${summary.shiftMedian.toFixed(1)} Å median error`],
    ["Resolution", `${summary.truthResolution.toFixed(1)} Å against the true map (FSC 0.5)`],
    ["", `${summary.halfResolution.toFixed(1)} Å between half maps (FSC 0.143)`],
    ["Tasks", `${summary.tasks} on ${kinds.join(", ") || "no clients"}`],
    [
      "Time",
      `${summary.seconds.toFixed(0)} s, most of it: ${longest.map(({ name, seconds }) => `${name} ${seconds.toFixed(1)} s`).join(", ")}`,
    ],
    ["Look at", summary.files.slice(0, 3).join(", ") + ` in ${summary.directory}/`],
  ];
  return rows.map(([name, text]) => `  ${(name ?? "").padEnd(13)} ${text}\n`).join("");
}

import type { ReasonCode } from "../../../shared/wire/why.ts";
import type { SchedulerClientInfo, SchedulerJob } from "../../scheduler/events.ts";
import { meets, suits } from "../../scheduler/requirements.ts";
import type { Hold } from "./sentences.ts";

/** A requirement of a job on its clients. */
interface Need {
  readonly code: ReasonCode;
  readonly detail?: string;
  /** The need as a part of a sentence. */
  readonly noun: string;
  readonly isMet: (client: SchedulerClientInfo) => boolean;
}

/** What a job asks of a client, each need by itself. */
function needsOf(job: SchedulerJob): Need[] {
  const { kind, memoryMb, webgpu, trusted, command } = job.requires;
  const needs: Need[] = [];
  const add = (need: Need): void => void needs.push(need);
  if (command !== undefined)
    add({
      code: "needsCommand",
      detail: command,
      noun: `the command ${command}`,
      isMet: (client) => meets(client, { command }),
    });
  if (webgpu) add({ code: "needsWebgpu", noun: "WebGPU", isMet: (client) => meets(client, { webgpu }) });
  if (kind) {
    const noun = kind === "browser" ? "a browser" : "a headless client";
    add({ code: "needsKind", detail: kind, noun, isMet: (client) => meets(client, { kind }) });
  }
  if (memoryMb !== undefined) {
    const detail = memoryMb.toLocaleString("en");
    add({
      code: "needsMemory",
      detail,
      noun: `${detail} MB of memory`,
      isMet: (client) => meets(client, { memoryMb }),
    });
  }
  if (trusted) add({ code: "needsTrust", noun: "trust", isMet: (client) => meets(client, { trusted }) });
  const isMet = (client: SchedulerClientInfo): boolean => suits(client, { ...job, requires: {} });
  add({ code: "needsSigner", noun: "trust in its signer", isMet });
  return needs;
}

/** The needs that a client does not meet; empty for a client that suits the job. */
export function unmetNeeds(client: SchedulerClientInfo, job: SchedulerJob): Hold[] {
  return needsOf(job)
    .filter(({ isMet }) => !isMet(client))
    .map((need) => holdOf(need, true));
}

/** Why none of these clients suits the job: the needs that no client meets, or else all needs together. */
export function unmetByAll(clients: readonly SchedulerClientInfo[], job: SchedulerJob): Hold[] {
  const needs = needsOf(job);
  const unmet = needs.filter(({ isMet }) => !clients.some(isMet));
  if (unmet.length > 0) return unmet.map((need) => holdOf(need, false));
  const asked = needs.filter(({ isMet }) => !clients.every(isMet)).map(({ noun }) => noun);
  return [{ code: "needsTogether", detail: `${asked.slice(0, -1).join(", ")} and ${asked.at(-1)}` }];
}

function holdOf({ code, detail }: Need, isOfClient: boolean): Hold {
  return { code, isOfClient, ...(detail !== undefined && { detail }) };
}

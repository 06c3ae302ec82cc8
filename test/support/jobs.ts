import { expect } from "vitest";
import type { ClientInfo } from "../../shared/wire/rest/clients.ts";
import type { JobInfo } from "../../shared/wire/rest/jobs.ts";
import type { ResultLine } from "../../shared/wire/rest/results.ts";

interface Address {
  readonly url: string;
  readonly token: string;
}

/** Sends a request of JSON to a server with its admin token. */
export function send(server: Address, method: string, path: string, body?: unknown): Promise<Response> {
  return fetch(server.url + path, {
    method,
    headers: {
      accept: "application/json",
      authorization: `Bearer ${server.token}`,
      ...(body !== undefined && { "content-type": "application/json" }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
}

/** The JSON of a reply. @throws Error when the server refuses */
export async function request<T>(server: Address, method: string, path: string, body?: unknown): Promise<T> {
  const response = await send(server, method, path, body);
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
  return JSON.parse(text || "null") as T;
}

/** Submits a job over REST as curl would; the kernel is source text. */
export async function submitJob(
  server: Address,
  source: string,
  inputs: readonly unknown[],
  options: object = {},
): Promise<string> {
  const job = await request<JobInfo>(server, "POST", "/api/jobs", { kernel: { source }, inputs, ...options });
  return job.id;
}

/** Submits a job whose results are not verified, so that each is an outcome as it comes. */
export function submitUnverified(
  server: Address,
  source: string,
  inputs: readonly unknown[],
  options: object = {},
): Promise<string> {
  return submitJob(server, source, inputs, { name: "squares", verify: "off", ...options });
}

export function submitSquares(
  server: Address,
  inputs: readonly unknown[],
  options: object = {},
): Promise<string> {
  return submitUnverified(server, "export default (x) => x * x", inputs, options);
}

/** A condition to be waited for. */
export const finished = (server: Address, id: string) => async (): Promise<boolean> =>
  (await readJob(server, id)).state === "finished";

export function readJob(server: Address, id: string): Promise<JobInfo> {
  return request<JobInfo>(server, "GET", `/api/jobs/${id}`);
}

/** @param of - of several servers: all, or the one that is asked */
export function readClients(server: Address, of: "all" | "own" = "all"): Promise<ClientInfo[]> {
  return request<ClientInfo[]>(server, "GET", `/api/clients?of=${of}`);
}

/** Every result of a job so far, in the order of their sequence numbers. */
export async function readResults(server: Address, id: string): Promise<ResultLine[]> {
  const lines = await request<ResultLine[]>(server, "GET", `/api/jobs/${id}/results`);
  return lines.filter((line) => line.state !== "end");
}

/** Expects one correct result of each task. */
export async function expectAllOnce(server: Address, id: string, outputs: readonly unknown[]): Promise<void> {
  const results = await readResults(server, id);
  const byIndex = results.toSorted((a, b) => indexOf(a) - indexOf(b));
  expect(byIndex.map(indexOf)).toEqual(outputs.map((_, index) => index));
  expect(byIndex.map((line) => line.state === "done" && line.output)).toEqual(outputs);
  expect(results.map((line) => line.state !== "end" && line.seq)).toEqual(outputs.map((_, i) => i + 1));
}

function indexOf(line: ResultLine): number {
  return line.state === "end" ? -1 : line.index;
}

/** A kernel that squares `x` after `ms` milliseconds of waiting, reporting progress. */
export const slowSquareSource = `export default async ({ x, ms }, ctx) => {
  for (let waited = 0; waited < ms; waited += 20) {
    ctx.progress(0.5);
    await new Promise((resolve) => setTimeout(resolve, Math.min(20, ms - waited)));
  }
  return x * x;
};`;

export const slowInputs = (count: number, ms: number): { x: number; ms: number }[] =>
  Array.from({ length: count }, (_, x) => ({ x, ms }));

export const squares = (count: number): number[] => Array.from({ length: count }, (_, x) => x * x);

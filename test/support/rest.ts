import { decode } from "@msgpack/msgpack";
import { createHash } from "node:crypto";
import { expect } from "vitest";
import type { ErrorCode } from "../../shared/errors.ts";
import type { JobInfo } from "../../shared/wire/rest/jobs.ts";
import type { ResultLine } from "../../shared/wire/rest/results.ts";
import type { HttpServer } from "./http-server.ts";

export const json = (value: unknown): RequestInit => ({
  method: "POST",
  headers: { "content-type": "application/json" },
  body: JSON.stringify(value),
});

export const ndjson = (text: string): RequestInit => ({
  method: "POST",
  headers: { "content-type": "application/x-ndjson" },
  body: text,
});

export const msgpack = (...items: Uint8Array[]): RequestInit => ({
  method: "POST",
  headers: { "content-type": "application/x-msgpack" },
  body: Buffer.concat(items),
});

export const packed = (pack: Uint8Array): RequestInit => ({
  method: "POST",
  headers: { "content-type": "application/x-manyhands-tasks" },
  body: Buffer.from(pack),
});

/** The bodies of a reply's frames, parsed without the SDK. */
export function frames(reply: ArrayBuffer): unknown[] {
  const view = new DataView(reply);
  const bodies: unknown[] = [];
  for (let at = 0; at < reply.byteLength;) {
    const size = view.getUint32(at);
    if (size > 0) bodies.push(decode(new Uint8Array(reply, at + 4, size)));
    at += 4 + size;
  }
  return bodies;
}

export const sha256 = (bytes: Uint8Array | string): string =>
  createHash("sha256").update(bytes).digest("hex");

export const kernel = { source: "export default (x) => x * x" };

/** Makes an open job without inputs. */
export async function createJob(server: HttpServer, options: object = {}): Promise<JobInfo> {
  const response = await server.request("/api/jobs", json({ kernel, ...options }));
  expect(response.status).toBe(201);
  return (await response.json()) as JobInfo;
}

/** Expects a refusal in the common form, and returns its message. */
export async function refusal(response: Response, status: number, code: ErrorCode): Promise<string> {
  const text = await response.text();
  expect({ status: response.status, text }).toMatchObject({
    status,
    text: expect.stringContaining(`"${code}"`),
  });
  const body = JSON.parse(text) as { code: string; message: string };
  expect(Object.keys(body).sort()).toEqual(["code", "message", "remedy", "retryable"]);
  expect(body.code).toBe(code);
  return body.message;
}

/** The lines of an NDJSON reply that ended. */
export async function lines(response: Response): Promise<ResultLine[]> {
  expect(response.status).toBe(200);
  const text = await response.text();
  return text
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as ResultLine);
}

import { describe, expect, test } from "vitest";
import { PlatformError } from "../shared/errors.ts";
import { createUplink, type UploadRequest } from "../shared/uplink.ts";

const kib = 1024;

/** A server behind a link of so many bytes a millisecond, on a clock of the test. */
class Far {
  now = 0;
  has = 0;
  readonly asked: string[] = [];
  bytesPerMs: number;
  /** Called with each request before it is served. */
  before: (request: UploadRequest) => void = () => undefined;
  readonly upload = createUplink(() => this.now);

  constructor(bytesPerMs: number) {
    this.bytesPerMs = bytesPerMs;
  }

  readonly send = async (request: UploadRequest): Promise<number> => {
    const { method, start, end, headers } = request;
    this.asked.push(`${method} ${start}-${end} ${headers["upload-complete"] ?? ""}`.trim());
    this.before(request);
    this.now += 100 + (end - start) / this.bytesPerMs;
    if (method === "HEAD") return this.has;
    if (method === "PUT") this.has = 0;
    if (start !== this.has) throw new PlatformError("CONFLICT", "another byte is next");
    return (this.has = end);
  };
}

describe("[TRANSFER-3] pieces of an upload", () => {
  test("a small upload goes at once, larger uploads in pieces of about 4 s", async () => {
    const far = new Far(100);
    await far.upload(300 * kib, { length: 0, isBegun: false }, far.send);
    expect(far.asked.splice(0)).toEqual([`PUT 0-${300 * kib} ?1`]);
    await far.upload(4000 * kib, { length: 0, isBegun: false }, far.send);
    expect(far.has).toBe(4000 * kib);
    expect(far.asked[0]).toMatch(/^PUT 0-\d+ \?0$/);
    expect(far.asked.at(-1)).toMatch(/^PATCH \d+-4096000 \?1$/);
    // 4,096,000 bytes take 41 s.
    expect(far.asked.length).toBeGreaterThan(8);
    expect(far.asked.length).toBeLessThan(14);
  });

  test("a fast link takes large uploads at once, and small ones do not make it look slow", async () => {
    const far = new Far(100_000);
    await far.upload(1024 * kib, { length: 0, isBegun: false }, far.send);
    far.asked.length = 0;
    for (let count = 0; count < 10; count++) await far.upload(10, { length: 0, isBegun: false }, far.send);
    await far.upload(20_000 * kib, { length: 0, isBegun: false }, far.send);
    expect(far.asked.slice(10)).toEqual([`PUT 0-${20_000 * kib} ?1`]);
  });

  test("after a failure they are smaller, down to 64 KiB", async () => {
    const far = new Far(1);
    const part = { length: 0, isBegun: false };
    far.before = ({ method }) => {
      if (method !== "HEAD") throw new PlatformError("UNREACHABLE", "cut");
    };
    for (let tries = 0; tries < 5; tries++)
      await expect(far.upload(1000 * kib, part, far.send)).rejects.toMatchObject({
        code: "UNREACHABLE",
      });
    expect(far.asked.at(-1)).toBe(`PUT 0-${64 * kib} ?0`);
  });
});

describe("[TRANSFER-2] an upload that broke off", () => {
  test("asks how much is there, and sends the rest", async () => {
    const far = new Far(100);
    const part = { length: 0, isBegun: false };
    far.before = () => {
      far.has = 150 * kib;
      throw new PlatformError("UNREACHABLE", "cut");
    };
    await expect(far.upload(300 * kib, part, far.send)).rejects.toMatchObject({ code: "UNREACHABLE" });
    far.before = () => undefined;
    await far.upload(300 * kib, part, far.send);
    expect(far.asked).toEqual([`PUT 0-${300 * kib} ?1`, "HEAD 0-0", `PATCH ${150 * kib}-${300 * kib} ?1`]);
  });

  test("goes on with what another connection brought meanwhile, and begins again where nothing is kept", async () => {
    const far = new Far(100);
    let others = 0;
    far.before = ({ method }) => {
      if (method !== "PATCH" || others++ > 0) return;
      far.has = 0;
    };
    await far.upload(1000 * kib, { length: 0, isBegun: false }, far.send);
    expect(far.has).toBe(1000 * kib);
    expect(far.asked.filter((one) => one.startsWith("HEAD"))).toHaveLength(1);
    expect(far.asked.filter((one) => one.startsWith("PUT"))).toHaveLength(2);
  });

  test("a server that always wants another byte is given up", async () => {
    const far = new Far(100);
    far.before = ({ method }) => {
      if (method === "PATCH") throw new PlatformError("CONFLICT", "another byte is next");
    };
    await expect(far.upload(1000 * kib, { length: 0, isBegun: false }, far.send)).rejects.toMatchObject({
      code: "CONFLICT",
    });
    expect(far.asked.length).toBeLessThan(12);
  });
});

import { chmod, readFile, rm, stat, writeFile } from "node:fs/promises";
import { userInfo } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createAccess } from "../../server/access/access.ts";
import { ensureLocalToken } from "../../server/access/local-token.ts";
import { openMemoryStore } from "../../server/store/sqlite/open.ts";
import type { Store } from "../../server/store/store.ts";
import { temporaryDirectory } from "../support/processes.ts";

const before = process.env["XDG_STATE_HOME"];
let store: Store;
const address = { url: "http://localhost:9990", host: "127.0.0.1", port: 9990 };
const mode = async (path: string): Promise<number> => (await stat(path)).mode & 0o777;

beforeEach(async () => {
  store = await openMemoryStore();
});
afterEach(async () => {
  if (before === undefined) delete process.env["XDG_STATE_HOME"];
  else process.env["XDG_STATE_HOME"] = before;
  await store.close();
});

async function directories(): Promise<{ data: string; state: string }> {
  const data = await temporaryDirectory();
  const state = join(data, "state");
  process.env["XDG_STATE_HOME"] = state;
  return { data, state };
}

test("the token of this machine is an admin's, private, and kept over restarts", async () => {
  const { data, state } = await directories();
  const local = await ensureLocalToken(store, data, address);
  const access = createAccess(store);
  expect(await access.authenticate(local.token)).toMatchObject({ role: "admin", name: userInfo().username });
  expect(await readFile(join(data, "local-token"), "utf8")).toBe(`${local.token}\n`);
  expect(await mode(local.tokenFile)).toBe(0o600);

  const file = join(state, "manyhands", "servers", "local_9990.json");
  expect(JSON.parse(await readFile(file, "utf8"))).toEqual({
    url: address.url,
    token: local.token,
    pid: process.pid,
    dataDirectory: data,
  });
  expect(await mode(file)).toBe(0o600);
  expect(await mode(join(state, "manyhands", "servers"))).toBe(0o700);

  await chmod(local.tokenFile, 0o644);
  const again = await ensureLocalToken(store, data, address);
  expect(again.token).toBe(local.token);
  expect(await mode(local.tokenFile)).toBe(0o600);
  expect(await store.listTokens()).toHaveLength(1);
});

test("a lost or foreign token file gets a new token, and the old one loses its rights", async () => {
  const { data } = await directories();
  const access = createAccess(store);
  const first = await ensureLocalToken(store, data, address);
  await rm(first.tokenFile);
  const second = await ensureLocalToken(store, data, address);
  expect(await access.authenticate(first.token)).toBeUndefined();
  const { secret } = await access.createToken({ role: "customer", name: "ada" });
  await writeFile(second.tokenFile, secret);
  const third = await ensureLocalToken(store, data, address);
  expect(third.token).not.toBe(secret);
  expect(await access.authenticate(secret)).toMatchObject({ role: "customer" });
  expect(await access.authenticate(third.token)).toMatchObject({ role: "admin" });
});

test("the discovery file is removed by its own server only", async () => {
  const { data } = await directories();
  const local = await ensureLocalToken(store, data, address);
  const file = local.discoveryFile!;
  await writeFile(file, JSON.stringify({ pid: process.pid + 1 }));
  await local.remove();
  await stat(file);
  const again = await ensureLocalToken(store, data, address);
  await again.remove();
  await expect(stat(file)).rejects.toThrow("ENOENT");
  await again.remove();
});

test("a server that localhost does not reach leaves no discovery file", async () => {
  const { data } = await directories();
  const local = await ensureLocalToken(store, data, { ...address, host: "192.168.1.7" });
  expect(local.discoveryFile).toBeUndefined();
});

test("a home directory that cannot be written does not stop the server", async () => {
  const { data } = await directories();
  await writeFile(join(data, "a-file"), "");
  process.env["XDG_STATE_HOME"] = join(data, "a-file");
  const local = await ensureLocalToken(store, data, address);
  expect(local.discoveryFile).toBeUndefined();
  expect(local.token).toMatch(/^mh_a_/);
});

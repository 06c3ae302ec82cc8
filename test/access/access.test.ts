import { describe, expect, onTestFinished, test } from "vitest";
import { createAccess, type AccessOptions } from "../../server/access/access.ts";
import { hashSecret } from "../../server/access/secret.ts";
import { openMemoryStore } from "../../server/store/sqlite/open.ts";
import { roles } from "../../shared/wire/rest/tokens.ts";

async function start(options: AccessOptions = {}) {
  const store = await openMemoryStore();
  onTestFinished(() => store.close());
  let looks = 0;
  const counting = new Proxy(store, {
    get(target, name) {
      if (name === "findToken") looks++;
      const member: unknown = Reflect.get(target, name);
      return typeof member === "function" ? (member.bind(target) as unknown) : member;
    },
  });
  return { store, access: createAccess(counting, options), looks: () => looks };
}

describe("tokens", () => {
  test("[ACCESS-3] are random, tell their role, and are stored hashed", async () => {
    const { store, access } = await start();
    const made = await Promise.all(roles.map((role) => access.createToken({ role, name: role })));
    expect(made.map(({ secret }) => secret.slice(0, 5))).toEqual(["mh_a_", "mh_c_", "mh_n_", "mh_v_"]);
    for (const { secret } of made) expect(secret).toMatch(/^mh_[acnv]_[a-z2-7]{32}$/);
    const rows = await store.listTokens();
    for (const { secret } of made) expect(JSON.stringify(rows)).not.toContain(secret.slice(5));
    expect(rows.map(({ hash }) => hash).sort()).toEqual(made.map(({ secret }) => hashSecret(secret)).sort());
    expect(JSON.stringify(await access.list())).not.toContain(rows[0]!.hash);
  });

  test("let their holder in; anything else does not", async () => {
    const { access } = await start();
    const { secret, info } = await access.createToken({ role: "customer", name: "ada" });
    expect(await access.authenticate(secret)).toMatchObject({
      role: "customer",
      name: "ada",
      tokenId: info.id,
    });
    const wrong = [
      undefined,
      "",
      "x",
      secret.slice(0, -1),
      `${secret}a`,
      secret.replace("mh_c_", "mh_a_"),
      info.id,
    ];
    for (const text of wrong) expect(await access.authenticate(text)).toBeUndefined();
  });

  test("are looked up once in a while, and revocation counts at once", async () => {
    const { access, looks } = await start();
    const { secret, info } = await access.createToken({ role: "admin", name: "root" });
    const revoked: string[] = [];
    access.onRevoked((id) => revoked.push(id));
    for (let i = 0; i < 100; i++) expect(await access.authenticate(secret)).toBeDefined();
    expect(looks()).toBe(1);
    expect(await access.revoke(info.id)).toBe(true);
    expect(await access.authenticate(secret)).toBeUndefined();
    expect(await access.revoke(info.id)).toBe(false);
    expect(revoked).toEqual([info.id]);
  });

  test("revoked by another server are noticed within seconds", async () => {
    let now = 1_000_000;
    const { access, store } = await start({ clock: () => now });
    const { secret, info } = await access.createToken({ role: "admin", name: "root" });
    await access.authenticate(secret);
    await store.revokeToken(info.id);
    now += 5_001;
    expect(await access.authenticate(secret)).toBeUndefined();
  });

  test("expire, also while they are remembered", async () => {
    let now = 1_000_000;
    const { access } = await start({ clock: () => now });
    const { secret } = await access.createToken({ role: "client", name: "node", expiresInSeconds: 2 });
    expect(await access.authenticate(secret)).toBeDefined();
    now += 2_000;
    expect(await access.authenticate(secret)).toBeUndefined();
  });
});

describe("sign-ins", () => {
  test("stand for their token until it is revoked", async () => {
    const { access } = await start();
    const { secret, info } = await access.createToken({ role: "admin", name: "root" });
    const signIn = await access.openSignIn(secret);
    expect(await access.authenticateSignIn(signIn?.id)).toMatchObject({ role: "admin" });
    await access.revoke(info.id);
    expect(await access.authenticateSignIn(signIn?.id)).toBeUndefined();
    expect(await access.openSignIn(secret)).toBeUndefined();
  });

  test("end when closed, and by themselves", async () => {
    let now = 1_000_000;
    const { access } = await start({ clock: () => now, signInLifetimeMs: 1_000 });
    const { secret } = await access.createToken({ role: "admin", name: "root" });
    const [first, second] = [await access.openSignIn(secret), await access.openSignIn(secret)];
    await access.closeSignIn(first!.id);
    expect(await access.authenticateSignIn(first!.id)).toBeUndefined();
    expect(await access.authenticateSignIn(second!.id)).toBeDefined();
    now += 1_000;
    expect(await access.authenticateSignIn(second!.id)).toBeUndefined();
    expect(await access.authenticateSignIn(undefined)).toBeUndefined();
  });
});

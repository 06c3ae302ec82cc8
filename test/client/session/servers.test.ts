import { describe, expect, test } from "vitest";
import { backoffMs } from "../../../shared/backoff.ts";
import type { SessionInstruction } from "../../../shared/client/session/events.ts";
import type { SessionOptions } from "../../../shared/client/session/session.ts";
import { statusOf } from "../../../shared/client/status.ts";
import { limits } from "../../../shared/limits.ts";
import { seededRandom } from "../../../shared/random.ts";
import { decodeServerFrame, encodeFrame, type ServerMessage } from "../../../shared/wire/protocol.ts";
import {
  finished,
  identity,
  leased,
  ofType,
  sent,
  SessionHarness,
} from "../../support/client-session-harness.ts";

const [a, b, c, d] = ["http://a/", "http://b/", "http://c/", "http://d/"] as const;
const job = "j_aaaaaaaaaaaaaaaa";

function welcomeOf(servers?: string[]): ServerMessage {
  const rest = { version: "0.1.0", identity, ticket: "ticket", heartbeatMs: 15_000, dropped: [] };
  return { type: "welcome", ...rest, ...(servers && { servers }) };
}

const refusal: ServerMessage = {
  type: "refuse",
  code: "UNAUTHENTICATED",
  message: "unknown",
  remedy: "ask",
  retryable: false,
};

/** A client and the servers that it tries. */
class Servers extends SessionHarness {
  readonly tried: string[] = [];

  constructor(options: Partial<SessionOptions> = {}) {
    super({ servers: [a], ...options });
    this.feed({ type: "startAsked" });
    this.feed({ type: "stateLoaded", outbox: [], cached: [] });
  }

  override feed(event: Parameters<SessionHarness["feed"]>[0]): SessionInstruction[] {
    const out = super.feed(event);
    this.tried.push(...ofType(out, "openConnection").map(({ server }) => server));
    return out;
  }

  meet(servers?: string[]): SessionInstruction[] {
    return [...this.feed({ type: "connectionOpened" }), ...this.hear(welcomeOf(servers))];
  }

  /** The connection lasts, so that its end is a first one. */
  last(): void {
    this.pass(10_000);
  }

  /** The connection breaks or does not come about. @returns the pause until the next try, which this waits for */
  lose(): number {
    this.feed({ type: "connectionClosed", code: 1006, reason: "" });
    return this.wait();
  }

  wait(): number {
    const { connection } = this.session.state;
    if (connection.state !== "waiting") throw new Error(connection.state);
    const pause = connection.retryAt - this.now;
    this.pass(pause);
    return pause;
  }
}

describe("[SERVERS-1] the addresses that a client knows", () => {
  test("are those that it was started with, and those of the newest welcome", () => {
    const h = new Servers({ servers: [a, b] });
    expect(ofType(h.meet([c]), "keepIdentity")).toEqual([
      { type: "keepIdentity", identity, servers: expect.arrayContaining([a, b, c]) as string[] },
    ]);
    h.lose();
    expect(ofType(h.meet([d]), "keepIdentity")[0]!.servers.toSorted()).toEqual([a, b, d]);
    h.last();
    h.lose();
    // A welcome that names none changes nothing, and nothing is kept anew.
    expect(ofType(h.meet(), "keepIdentity")).toEqual([]);
    expect(h.session.state.servers.toSorted()).toEqual([a, b, d]);
  });

  test("are kept with the server that welcomed it in front, also when the identity is the same", () => {
    const h = new Servers();
    expect(ofType(h.meet(), "keepIdentity")).toEqual([]);
    h.lose();
    expect(ofType(h.meet([a, b]), "keepIdentity")).toEqual([
      { type: "keepIdentity", identity, servers: [a, b] },
    ]);
    h.last();
    h.lose();
    h.lose();
    expect(ofType(h.meet([a, b]), "keepIdentity")).toEqual([
      { type: "keepIdentity", identity, servers: [b, a] },
    ]);
  });

  test("of an earlier run are tried first, and are forgotten when no welcome names them", () => {
    const h = new Servers({ servers: [a], keptServers: [c, b, a] });
    h.lose();
    h.lose();
    expect(h.tried).toEqual([c, b, a]);
    expect(ofType(h.meet([b]), "keepIdentity")).toEqual([
      { type: "keepIdentity", identity, servers: [a, b] },
    ]);
    expect(h.session.state.servers).toEqual([a, b]);
  });

  test("[SERVERS-10] are those of the newest sign of life that names some", () => {
    const h = new Servers();
    h.meet();
    expect(ofType(h.hear({ type: "heartbeat", servers: [a, b] }), "keepIdentity")).toEqual([
      { type: "keepIdentity", identity, servers: [a, b] },
    ]);
    expect(ofType(h.hear({ type: "heartbeat" }), "keepIdentity")).toEqual([]);
    expect(h.session.state.servers).toEqual([a, b]);
    h.last();
    h.lose();
    h.lose();
    expect(h.tried.at(-1)).toBe(b);
  });

  test("a server on HTTPS names none that are not", () => {
    const h = new Servers({ servers: ["https://a/"] });
    h.meet(["http://b/", "https://c/"]);
    expect(h.session.state.servers).toEqual(["https://a/", "https://c/"]);
  });

  test("are bounded, and addresses: another welcome is malformed", () => {
    const many = Array.from({ length: limits.servers }, (_, i) => `http://s${i}.example/`);
    expect(decodeServerFrame(encodeFrame([welcomeOf(many)]))).toEqual([welcomeOf(many)]);
    const wrong = [
      [...many, b],
      ["http://a"],
      ["ftp://a/"],
      ["javascript:alert(1)/"],
      ["http://[/"],
      [`http://a/${"x".repeat(limits.addressChars)}/`],
    ];
    for (const servers of wrong)
      expect(() => decodeServerFrame(encodeFrame([welcomeOf(servers)]))).toThrow(
        expect.objectContaining({ code: "MALFORMED_FRAME" }),
      );
  });
});

describe("[SERVERS-2] a client whose connection breaks", () => {
  test("tries its own server first, then the others in turn", () => {
    const h = new Servers({ servers: [a, b, c] });
    h.meet();
    h.lose();
    const order = [...h.session.state.servers];
    expect(order[0]).toBe(a);
    for (let i = 0; i < 5; i++) h.lose();
    expect(h.tried).toEqual([a, ...order, ...order]);
  });

  test("of a server that drops every connection goes to another after the second", () => {
    const h = new Servers({ servers: [a, b] });
    for (let i = 0; i < 2; i++) {
      h.meet();
      h.lose();
    }
    expect(h.tried).toEqual([a, a, b]);
  });

  test("goes to another at once when its server says that it goes down, without the time until that is back", () => {
    const h = new Servers({ servers: [a, b] });
    h.meet();
    h.hear({ type: "bye", reason: "restart", afterMs: 60_000 });
    expect(h.lose()).toBeLessThan(1000);
    expect(h.tried).toEqual([a, b]);
  });

  test("goes to another at once when its server fell silent", () => {
    const h = new Servers({ servers: [a, b] });
    h.meet();
    h.pass(60_000);
    h.wait();
    expect(h.tried).toEqual([a, b]);
  });

  test("goes to another when a server takes the connection and says nothing, or has too many", () => {
    const h = new Servers({ servers: [a, b] });
    h.feed({ type: "connectionOpened" });
    h.pass(15_000);
    h.wait();
    h.feed({ type: "connectionOpened" });
    h.hear({ ...refusal, code: "TOO_MANY", retryable: true });
    h.wait();
    expect(h.tried).toEqual([a, b, a]);
  });

  test("the back-off grows with each round, and is within a second in the first", () => {
    const h = new Servers({ servers: [a, b, c], random: () => 0.999 });
    const pauses = Array.from({ length: 45 }, () => h.lose());
    expect(pauses.slice(0, 3)).toEqual(Array.from({ length: 3 }, () => backoffMs(0, () => 0.999)));
    expect(pauses.slice(3, 6)).toEqual(Array.from({ length: 3 }, () => backoffMs(1, () => 0.999)));
    expect(Math.max(...pauses)).toBeLessThanOrEqual(30_000);
  });

  test("the clients of a dead server spread over the others, and over time", () => {
    const taken = new Map<string, number>();
    const late: number[] = [];
    for (let client = 0; client < 3000; client++) {
      const h = new Servers({ servers: [a], random: seededRandom(`client ${client}`) });
      h.meet([a, b, c, d]);
      late.push(h.lose() + h.lose());
      taken.set(h.tried.at(-1)!, (taken.get(h.tried.at(-1)!) ?? 0) + 1);
    }
    expect([...taken.keys()].toSorted()).toEqual([b, c, d]);
    for (const count of taken.values()) expect(count).toBeGreaterThan(850);
    // In no tenth of a second more than a tenth of the clients come.
    const tenths = new Map<number, number>();
    for (const ms of late) tenths.set(Math.floor(ms / 100), (tenths.get(Math.floor(ms / 100)) ?? 0) + 1);
    expect(Math.max(...tenths.values())).toBeLessThan(300);
  });

  test("ends as refused once every server has refused it, not when others are only away", () => {
    const h = new Servers({ servers: [a, b] });
    const refuse = (): void => {
      h.feed({ type: "connectionOpened" });
      h.hear(refusal);
    };
    refuse();
    h.wait();
    for (let round = 0; round < 3; round++) {
      expect(h.tried.at(-1)).toBe(b);
      h.lose();
      refuse();
      h.wait();
    }
    refuse();
    expect(statusOf(h.session.state).connection.state).toBe("refused");
    // A person who starts the client again has changed a setting.
    h.feed({ type: "startAsked" });
    refuse();
    expect(statusOf(h.session.state).connection.state).toBe("waiting");
  });
});

test("[SERVERS-3] [LEASE-2] [OUTBOX-2] leases, results and identity go along to another server", () => {
  const h = new Servers({ servers: [a, b] });
  h.meet();
  h.lease([leased(1), leased(2), leased(3)]);
  h.begin(0);
  h.report(0, { finished: [finished(1)] });
  h.hear({ type: "bye", reason: "down", afterMs: 0 });
  h.lose();
  expect(h.tried).toEqual([a, b]);
  const [hello] = sent(h.feed({ type: "connectionOpened" }), "hello");
  expect(hello).toMatchObject({ identity });
  expect(hello!.held.map(({ index }) => index).toSorted((one, other) => one - other)).toEqual([1, 2, 3]);
  const welcomed = h.hear(welcomeOf());
  expect(sent(welcomed, "results")).toMatchObject([{ job, results: [{ index: 1 }] }]);
  expect(ofType(welcomed, "useTicket")).toHaveLength(1);
});

import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import * as v from "valibot";

const localServerSchema = v.object({
  url: v.string(),
  token: v.string(),
  pid: v.number(),
  dataDirectory: v.string(),
});

/** Hosts that are this machine, as `URL.hostname` writes them. */
const local = new Set(["localhost", "127.0.0.1", "[::1]"]);

/** The file in which a server running on this machine, for this user, left its token (mode 0600). */
function localTokenPath(port: number): string {
  const state = process.env["XDG_STATE_HOME"] || join(homedir(), ".local", "state");
  return join(state, "manyhands", "servers", `local_${port}.json`);
}

/** The token of a server on this same machine, or undefined when it has left none or the address is elsewhere. */
export async function findLocalToken(url: string): Promise<string | undefined> {
  const { hostname, port, protocol, origin } = new URL(url);
  const number = port ? Number(port) : protocol === "https:" ? 443 : 80;
  try {
    const text = await readFile(localTokenPath(number), "utf8");
    const server = v.parse(localServerSchema, JSON.parse(text));
    // Or the name that the server's certificate vouches for.
    return local.has(hostname) || server.url === origin ? server.token : undefined;
  } catch {
    // Absent or half-written: then the server will ask for a token, and its refusal says how to give one.
    return undefined;
  }
}

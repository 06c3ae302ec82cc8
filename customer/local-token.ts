import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import * as v from "valibot";
import { localNames } from "../system/distance.ts";

const localServerSchema = v.object({
  url: v.string(),
  token: v.string(),
  pid: v.number(),
  dataDirectory: v.string(),
});

/** The file with the token of a server that runs on this machine for this user (mode 0600). */
function localTokenPath(port: number): string {
  const state = process.env["XDG_STATE_HOME"] || join(homedir(), ".local", "state");
  return join(state, "manyhands", "servers", `local_${port}.json`);
}

/** The token of the first of these servers on this machine; undefined when there is none, or the addresses are of other machines. */
export async function findLocalToken(urls: readonly string[]): Promise<string | undefined> {
  for (const url of urls) {
    const token = await findTokenOf(url);
    if (token !== undefined) return token;
  }
  return undefined;
}

async function findTokenOf(url: string): Promise<string | undefined> {
  const { hostname, port, protocol, origin } = new URL(url);
  const number = port ? Number(port) : protocol === "https:" ? 443 : 80;
  try {
    const text = await readFile(localTokenPath(number), "utf8");
    const server = v.parse(localServerSchema, JSON.parse(text));
    // The address may also be the name in the server's certificate.
    return localNames.has(hostname) || server.url === origin ? server.token : undefined;
  } catch {
    // Without a readable file the server will refuse, and the refusal says how to give a token.
    return undefined;
  }
}

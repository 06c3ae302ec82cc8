import type { X509Certificate } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import { isIP } from "node:net";
import { hostname } from "node:os";
import { PlatformError } from "../../shared/errors.ts";
import { hints } from "../../shared/hints.ts";
import type { ServerOptions } from "../options.ts";

/**
 * Whether a browser may have sent a request, by the names in its headers. A page of a stranger's site whose name is made to resolve to
 * this server ("DNS rebinding") is of the same origin as the server for its browser, and only the name tells.
 */
export type KnowsHosts = (headers: IncomingHttpHeaders) => boolean;

type Naming = Pick<ServerOptions, "host" | "publicUrl" | "allowHosts" | "trustProxy">;

/**
 * The names of a server: addresses (no resolver has a part in those), `localhost`, this machine's, and those of `--host`, `--public-url`,
 * `--allow-host` and the certificate.
 *
 * Behind a proxy that nothing names, the proxy is left to refuse what is not its own. Behind one that is named, the name that it
 * was asked for counts as well as the one by which it asks.
 */
export function knownHosts(naming: Naming, certificate?: X509Certificate): KnowsHosts {
  const { host, publicUrl, allowHosts, trustProxy } = naming;
  if (trustProxy && publicUrl === undefined && allowHosts.length === 0) return () => true;
  const machine = hostname().toLowerCase();
  const told = publicUrl === undefined ? [] : [new URL(publicUrl).hostname];
  const names = new Set(["localhost", machine, `${machine}.local`, host.toLowerCase(), ...told]);
  const isKnown = (name: string): boolean =>
    isIP(name) !== 0 ||
    names.has(name) ||
    name.endsWith(".localhost") ||
    allowHosts.some((pattern) => fits(pattern, name)) ||
    certificate?.checkHost(name) !== undefined;
  return (headers) => {
    // As Express does, of several names the first.
    const forwarded = trustProxy
      ? String(headers["x-forwarded-host"] ?? "")
          .split(",", 1)[0]!
          .trim()
      : "";
    const asked = forwarded === "" ? [headers.host] : [headers.host, forwarded];
    return asked.every((each) => each !== undefined && isKnown(nameIn(each)));
  };
}

/** @throws PlatformError ORIGIN_REFUSED naming the host and the option that would let it in */
export function refuseHost({ host = "" }: IncomingHttpHeaders): never {
  throw new PlatformError(
    "ORIGIN_REFUSED",
    `This server is not known as "${nameIn(host).slice(0, 200)}": a page of another site may stand behind such a name.`,
    undefined,
    hints.host,
  );
}

/** `*.example.org` stands for every name that ends so. */
function fits(pattern: string, name: string): boolean {
  return pattern.startsWith("*.") ? name.endsWith(pattern.slice(1)) : pattern === name;
}

/** The name in a Host header, without port, brackets, the dot of a full name, or capitals. */
function nameIn(host: string): string {
  const [, address, name] = /^(?:\[([\da-f:.]+)\]|([^:[\]]+?)\.?)(?::\d*)?$/i.exec(host) ?? [];
  return (address ?? name ?? host).toLowerCase();
}

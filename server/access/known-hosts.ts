import type { X509Certificate } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import { isIP } from "node:net";
import { hostname } from "node:os";
import { PlatformError } from "../../shared/errors.ts";
import { hints } from "../../shared/hints.ts";
import type { ServerOptions } from "../options.ts";

/**
 * Whether a request may come from a browser, by the host names in its headers. A page of another site whose name was made to resolve to
 * this server ("DNS rebinding") has the server's origin for its browser, so only the name shows the attack.
 */
export type KnowsHosts = (headers: IncomingHttpHeaders) => boolean;

type Naming = Pick<ServerOptions, "host" | "publicUrl" | "servers" | "allowHosts" | "trustProxy">;

/**
 * The names of a server: addresses (which need no resolver), `localhost`, the machine's name, and the names of `--host`, `--public-url`,
 * `--servers`, `--allow-host` and the certificate.
 *
 * Behind a proxy whose name no option gives, the proxy has to refuse other names. Behind a named proxy both the name in the visitor's
 * request (`X-Forwarded-Host`) and the name in the proxy's request (`Host`) count.
 */
export function knownHosts(naming: Naming, certificate?: X509Certificate): KnowsHosts {
  const { host, publicUrl, servers, allowHosts, trustProxy } = naming;
  if (trustProxy && publicUrl === undefined && allowHosts.length === 0) return () => true;
  const machine = hostname().toLowerCase();
  const told = publicUrl === undefined ? [] : [new URL(publicUrl).hostname];
  const names = new Set(["localhost", machine, `${machine}.local`, host.toLowerCase(), ...told]);
  const isKnown = (name: string): boolean =>
    isIP(name) !== 0 ||
    names.has(name) ||
    name.endsWith(".localhost") ||
    allowHosts.some((pattern) => fits(pattern, name)) ||
    servers().some((server) => new URL(server).hostname === name) ||
    certificate?.checkHost(name) !== undefined;
  return (headers) => {
    // Of several names the first counts, as in Express.
    const forwarded = trustProxy
      ? String(headers["x-forwarded-host"] ?? "")
          .split(",", 1)[0]!
          .trim()
      : "";
    const asked = forwarded === "" ? [headers.host] : [headers.host, forwarded];
    return asked.every((each) => each !== undefined && isKnown(nameIn(each)));
  };
}

/** @throws PlatformError ORIGIN_REFUSED naming the host and the option that permits it */
export function refuseHost({ host = "" }: IncomingHttpHeaders): never {
  throw new PlatformError(
    "ORIGIN_REFUSED",
    `This server is not known as "${nameIn(host).slice(0, 200)}": a page of another site may stand behind such a name.`,
    undefined,
    hints.host,
  );
}

/** `*.example.org` stands for every name with this ending. */
function fits(pattern: string, name: string): boolean {
  return pattern.startsWith("*.") ? name.endsWith(pattern.slice(1)) : pattern === name;
}

/** The name in a Host header, in lower case, without port, brackets, and the final dot of a full name. */
function nameIn(host: string): string {
  const [, address, name] = /^(?:\[([\da-f:.]+)\]|([^:[\]]+?)\.?)(?::\d*)?$/i.exec(host) ?? [];
  return (address ?? name ?? host).toLowerCase();
}

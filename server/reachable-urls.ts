import { networkInterfaces } from "node:os";

/** The URLs under which a server that listens on `host` is reached, the most useful for this machine first. */
export function reachableUrls(host: string, port: number, tls: boolean): string[] {
  const url = (name: string): string =>
    `${tls ? "https" : "http"}://${name.includes(":") ? `[${name}]` : name}:${port}`;
  if (host === "127.0.0.1" || host === "::1" || host === "localhost") return [url("localhost")];
  if (host !== "0.0.0.0" && host !== "::") return [url(host)];
  const addresses = Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    .filter(({ internal, family }) => !internal && (family === "IPv4" || host === "::"))
    // Link-local IPv6 addresses need a zone that browsers do not take.
    .filter(({ address }) => !address.startsWith("fe80:"))
    .map(({ address }) => address);
  return [url("localhost"), ...addresses.map(url)];
}

import type { X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import { networkInterfaces } from "node:os";

/** The address on which a server listens. */
interface Listening {
  /** An address or a name, as the options say. */
  readonly host: string;
  readonly port: number;
  /** Present when the server speaks HTTPS. */
  readonly certificate?: X509Certificate | undefined;
}

/**
 * The URLs under which a server is reached, the most useful for this machine first. With a certificate, only those
 * that the certificate vouches for, and the names that stand in it.
 */
export function reachableUrls({ host, port, certificate }: Listening): string[] {
  const scheme = certificate ? "https" : "http";
  const url = (name: string): string => `${scheme}://${name.includes(":") ? `[${name}]` : name}:${port}`;
  const names = namesOf(host);
  if (!certificate) return names.map(url);
  const vouchedFor = names.filter((name) => vouches(certificate, name));
  const all = [...new Set([...vouchedFor, ...namesIn(certificate)])];
  // A certificate that vouches for none of the names is its maker's business.
  return (all.length > 0 ? all : names).map(url);
}

/** The first URL that is not this machine's own name for itself. */
export function urlForOthers(urls: readonly string[]): string | undefined {
  return urls.find((url) => !isLocalName(new URL(url).hostname));
}

/** Whether a host, as `URL.hostname` writes it, means this machine, and so another one everywhere else. */
function isLocalName(hostname: string): boolean {
  return hostname === "localhost" || hostname.startsWith("127.") || hostname === "[::1]";
}

function namesOf(host: string): string[] {
  if (host === "127.0.0.1") return ["localhost"];
  if (host !== "0.0.0.0" && host !== "::") return [host];
  const addresses = Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    .filter(({ internal, family }) => !internal && (family === "IPv4" || host === "::"))
    // Link-local IPv6 addresses need a zone that browsers do not take.
    .filter(({ address }) => !/^fe[89ab]/i.test(address))
    .map(({ address }) => address);
  return ["localhost", ...addresses];
}

function vouches(certificate: X509Certificate, name: string): boolean {
  return (isIP(name) === 0 ? certificate.checkHost(name) : certificate.checkIP(name)) !== undefined;
}

/** The names in a certificate, without wildcards. */
function namesIn({ subjectAltName = "" }: X509Certificate): string[] {
  return [...subjectAltName.matchAll(/DNS:([\w.-]+)/g)].flatMap(([, name]) => (name ? [name] : []));
}

import { PlatformError } from "./errors.ts";
import { limits } from "./limits.ts";

/**
 * Reads the address of a server as a person writes it: `http://host:9990`, `https://host`, `host:9990`, or with the path of a
 * reverse proxy, `https://host/manyhands`.
 *
 * @returns the address with a slash at its end, so that paths of the interface (`api/jobs`) are relative to it
 * @throws PlatformError BAD_ARGUMENT
 */
export function parseServerAddress(text: string): string {
  const trimmed = text.trim();
  const address = /^[a-z][a-z0-9+.-]*:\/\//i.test(trimmed) ? trimmed : `http://${trimmed}`;
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (!url || !/^https?:$/.test(url.protocol) || url.hostname === "" || url.username !== "")
    throw new PlatformError(
      "BAD_ARGUMENT",
      `"${text}" is no server address; expected http://host:9990, https://host, host:9990, or one with the path of a proxy.`,
    );
  return `${url.origin}${url.pathname.replace(/\/*$/, "/")}`;
}

/**
 * Reads the addresses of one or several servers, separated by commas.
 *
 * @returns each address once, as {@link parseServerAddress} returns it
 * @throws PlatformError BAD_ARGUMENT
 */
export function parseServerAddresses(text: string): string[] {
  const addresses = [...new Set(text.split(",").map(parseServerAddress))];
  const long = addresses.find((address) => address.length > limits.addressChars);
  if (addresses.length <= limits.servers && long === undefined) return addresses;
  throw new PlatformError(
    "BAD_ARGUMENT",
    `${long === undefined ? `${addresses.length} addresses` : `An address of ${long.length} characters`}; expected at most ${limits.servers} addresses of at most ${limits.addressChars} characters.`,
  );
}

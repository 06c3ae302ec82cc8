import { PlatformError } from "../shared/errors.ts";

/**
 * The origin of a server as a person writes it: `http://host:9990`, `https://host`, or `host:9990`.
 * @throws PlatformError BAD_REQUEST
 */
export function parseServerUrl(text: string): string {
  const address = /^https?:\/\//i.test(text) ? text : `http://${text}`;
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (!url || url.hostname === "" || url.username !== "")
    throw new PlatformError(
      "BAD_REQUEST",
      `${JSON.stringify(text)} is no server address; expected http://host:9990 or host:9990.`,
    );
  return url.origin;
}

import { createSecureContext } from "node:tls";
import { messageOf, PlatformError } from "../shared/errors.ts";
import { readSmallFile } from "../system/read-small-file.ts";
import type { ServerOptions } from "./options.ts";

/** Far above any chain of certificates. */
const maxPemBytes = 1024 ** 2;

export interface TlsFiles {
  readonly cert: Buffer;
  readonly key: Buffer;
}

/**
 * Reads the certificate and its key, and checks that they belong together; undefined for plain HTTP.
 * @throws PlatformError BAD_OPTION naming the file that is wrong
 */
export function readTls({ tlsCertificate, tlsKey }: ServerOptions): TlsFiles | undefined {
  if (tlsCertificate === undefined && tlsKey === undefined) return undefined;
  if (tlsCertificate === undefined || tlsKey === undefined)
    throw new PlatformError("BAD_OPTION", "--tls-cert and --tls-key go together; one of them is missing.");
  const files = { cert: readPem(tlsCertificate, "--tls-cert"), key: readPem(tlsKey, "--tls-key") };
  try {
    createSecureContext(files);
  } catch (error) {
    const reason = messageOf(error);
    throw new PlatformError(
      "BAD_OPTION",
      `${tlsCertificate} and ${tlsKey} are not a certificate and its key in PEM form: ${reason}.`,
      error,
    );
  }
  return files;
}

function readPem(file: string, flag: string): Buffer {
  try {
    return readSmallFile(file, maxPemBytes);
  } catch (error) {
    const reason = messageOf(error);
    throw new PlatformError("BAD_OPTION", `The file of ${flag} cannot be read: ${reason}.`, error);
  }
}

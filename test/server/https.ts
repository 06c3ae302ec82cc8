import { execFileSync } from "node:child_process";
import { request } from "node:https";
import { join } from "node:path";
import { temporaryDirectory } from "../support/processes.ts";

/** Makes a self-signed certificate of a host. @param names - its names, as OpenSSL's subjectAltName */
export async function makeCertificate(
  host: string,
  names: string,
): Promise<{ tlsKey: string; tlsCertificate: string }> {
  const directory = await temporaryDirectory();
  const [tlsKey, tlsCertificate] = [join(directory, "key.pem"), join(directory, "cert.pem")];
  const files = ["-keyout", tlsKey, "-out", tlsCertificate];
  const subject = ["-subj", `/CN=${host}`, "-addext", `subjectAltName=${names}`];
  const kind = ["-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"];
  execFileSync("openssl", ["req", ...kind, ...files, ...subject], { stdio: "ignore" });
  return { tlsKey, tlsCertificate };
}

/** Status of a GET over HTTPS that trusts `ca` alone. */
export function statusOverHttps(url: string, ca: Buffer): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    request(url, { ca }, (response) => resolve(response.resume().statusCode))
      .on("error", reject)
      .end();
  });
}

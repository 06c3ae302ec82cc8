import type { Request, Response } from "express";

// Cookies are not kept apart by port: two servers on one machine would sign each other's admin out.
const nameOf = (req: Request): string => `manyhands_sign_in_${req.socket.localPort ?? 0}`;

/** The sign-in that the cookie of a request names. */
export function signInOf(req: Request): string | undefined {
  const name = nameOf(req);
  for (const pair of (req.headers.cookie ?? "").split(";")) {
    const at = pair.indexOf("=");
    if (at > 0 && pair.slice(0, at).trim() === name) return pair.slice(at + 1).trim();
  }
  return undefined;
}

/** Scripts of the page cannot read it, and other sites' requests do not carry it. */
export function setSignIn(req: Request, res: Response, id: string, expiresAt: number): void {
  res.cookie(nameOf(req), id, { ...attributes(req), expires: new Date(expiresAt) });
}

export function clearSignIn(req: Request, res: Response): void {
  res.clearCookie(nameOf(req), attributes(req));
}

function attributes(req: Request) {
  return { httpOnly: true, sameSite: "strict", secure: req.secure, path: "/" } as const;
}

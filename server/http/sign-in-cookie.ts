import type { Request, Response } from "express";

/** The setting of the app that tells apart the cookies of servers that do not share their sign-ins. */
export const signInGroup = "sign-in group";

// Browsers share cookies between ports: two servers on one machine would sign out each other's admin.
const nameOf = (req: Request): string =>
  `manyhands_sign_in_${(req.app.get(signInGroup) as string | undefined) ?? req.socket.localPort ?? 0}`;

/** The sign-in in a request's cookie. */
export function signInOf(req: Request): string | undefined {
  const name = nameOf(req);
  for (const pair of (req.headers.cookie ?? "").split(";")) {
    const at = pair.indexOf("=");
    if (at > 0 && pair.slice(0, at).trim() === name) return pair.slice(at + 1).trim();
  }
  return undefined;
}

/** Sets the cookie. Scripts of the page cannot read it, and requests of other sites do not carry it. */
export function setSignIn(req: Request, res: Response, id: string, expiresAt: number): void {
  res.cookie(nameOf(req), id, { ...attributes(req), expires: new Date(expiresAt) });
}

export function clearSignIn(req: Request, res: Response): void {
  res.clearCookie(nameOf(req), attributes(req));
}

function attributes(req: Request) {
  return { httpOnly: true, sameSite: "strict", secure: req.secure, path: "/" } as const;
}

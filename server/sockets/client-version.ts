/**
 * Whether a client of this version takes a welcome that names servers. Those before 0.3.0 refuse messages with a field that
 * they do not know (SPEC.md [UPGRADE-2]).
 */
export function takesServers(version: string): boolean {
  return !/^0\.[0-2]\./.test(version);
}

/**
 * Whether a client of this version takes what servers tell since 0.3.0: addresses of servers, why there is no task. Earlier ones refuse
 * messages with a field that they do not know (SPEC.md [UPGRADE-2]).
 */
export function takesNews(version: string): boolean {
  return !/^0\.[0-2]\./.test(version);
}

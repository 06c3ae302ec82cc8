import type { JobInfo } from "./rest/jobs.ts";

/**
 * A job's statement as a sentence (SPEC.md [VERIFY-11]); undefined while no result of a volunteer was accepted or withdrawn.
 *
 * @example
 * "412 results of volunteers: 52 audited, 0 wrong; fewer than 5.8 % wrong (95 %)"
 */
export function statementText({
  verify,
  statement,
}: Pick<JobInfo, "verify" | "statement">): string | undefined {
  const { strangers, audited, unverified, checked, wrong, withdrawn, irreproducible } = statement;
  if (irreproducible)
    return "not reproducible: results of volunteers differ from those of trusted clients, which compute the rest; a tolerance (compare), a quorum or verify: off lets volunteers compute again";
  if (strangers === 0 && withdrawn === 0) return undefined;
  const results = `${count(strangers)} ${strangers === 1 ? "result" : "results"} of volunteers`;
  if (audited === 0 && checked === 0 && withdrawn === 0)
    return `${results}, ${verify === "off" ? "not verified" : unverified === strangers ? "nobody could verify them" : "none of them audited"}`;
  const facts = [`${count(audited)} audited`];
  if (checked > 0) facts.push(`${count(checked)} checked`);
  facts.push(`${count(wrong)} wrong`);
  if (withdrawn > 0) facts.push(`${count(withdrawn)} withdrawn`);
  // The bound is on the other results, because unverified ones are not in the sample.
  if (unverified > 0) facts.push(`${count(unverified)} could not be verified`);
  const bound = boundOf(audited, unverified > 0 ? " of the others" : "");
  return `${results}: ${facts.join(", ")}${verify === "off" ? "; not verified any more" : bound}`;
}

/** The rule of three (Hanley and Lippman-Hand, JAMA 249, 1983): after k audits that agreed, fewer than 3/k are wrong. */
function boundOf(audited: number, ofWhat: string): string {
  return audited > 3 ? `; fewer than ${percent(300 / audited)} %${ofWhat} wrong (95 %)` : "";
}

/** Rounded up: a bound must not come out lower than it is. */
function percent(share: number): string {
  const digits = share >= 10 ? 1 : share >= 0.1 ? 10 : 1000;
  return String(Math.ceil(share * digits) / digits);
}

function count(of: number): string {
  return of.toLocaleString("en-US");
}

import type { ClientId } from "../../shared/ids.ts";
import type { CohortEvidence, Reputation, State } from "./state.ts";

/** Results of a window that counts as a clean one of its client. */
const cleanResults = 16;
/** Audits that must agree in a cohort before its windows are accepted without waiting for more evidence. */
export const ripeAudits = 300;
/** Audits that must agree in a cohort with a client that was found wrong, before its newcomers are audited as others are. */
const trustedAgain = 100;

/** The evidence of a cohort that is not in the state. */
const noEvidence: CohortEvidence = Object.freeze({ agreed: 0, burnt: false });

/** The reputation of a stranger, made when there is none. */
export function reputationOf(state: State, client: ClientId): Reputation {
  let reputation = state.reputations.get(client);
  if (!reputation) state.reputations.set(client, (reputation = { clean: 0, windows: new Set() }));
  return reputation;
}

/** Removes the reputation of a stranger without provisional results and clean windows, so that passing visitors take no memory. */
export function forgetUnknown({ reputations }: State, client: ClientId): void {
  const reputation = reputations.get(client);
  if (reputation?.clean === 0 && reputation.windows.size === 0) reputations.delete(client);
}

/** Counts an accepted window of a stranger, when it is large enough to speak for its client. */
export function countClean(state: State, client: ClientId, results: number): void {
  if (results < cleanResults) return;
  const reputation = reputationOf(state, client);
  reputation.clean += 1;
  state.out.push({
    type: "saveStanding",
    standing: { subject: client, clean: reputation.clean, burnt: false },
  });
}

export function evidenceOf({ evidence }: State, cohort: string): CohortEvidence {
  return evidence.get(cohort) ?? noEvidence;
}

/** Counts an audit that agreed with a result of the cohort. */
export function countAgreed(state: State, cohort: string): void {
  const before = evidenceOf(state, cohort);
  const agreed = before.agreed + 1;
  state.evidence.set(cohort, { agreed, burnt: before.burnt && agreed < trustedAgain });
  // Between these counts nothing is stored; after a restart, windows wait a little longer.
  if (agreed === trustedAgain || agreed === ripeAudits) saveCohort(state, cohort);
}

/** Voids the evidence for a cohort in which a wrong result was found. */
export function burnCohort(state: State, cohort: string): void {
  state.evidence.set(cohort, { agreed: 0, burnt: true });
  saveCohort(state, cohort);
}

function saveCohort(state: State, cohort: string): void {
  const { agreed, burnt } = evidenceOf(state, cohort);
  state.out.push({ type: "saveStanding", standing: { subject: `cohort:${cohort}`, clean: agreed, burnt } });
}

/** Takes up the standings that earlier servers stored. */
export function takeUpStandings(state: State): void {
  for (const { subject, clean, burnt } of state.config.standings ?? []) {
    const cohort = /^cohort:(.*)$/s.exec(subject)?.[1];
    if (cohort === undefined) reputationOf(state, subject as ClientId).clean = clean;
    else state.evidence.set(cohort, { agreed: clean, burnt });
  }
}

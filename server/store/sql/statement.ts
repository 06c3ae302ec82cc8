import type { Statement } from "../../../shared/wire/rest/verification.ts";
import type { Checks } from "../store.ts";

/** The statement of a job before any result of a stranger was verified. */
export const nothingStated: Statement = Object.freeze({
  strangers: 0,
  audited: 0,
  unverified: 0,
  checked: 0,
  wrong: 0,
  withdrawn: 0,
  irreproducible: false,
});

export function withChecks(statement: Statement, checks: Partial<Checks> = {}): Statement {
  const { audited = 0, unverified = 0, checked = 0, wrong = 0, withdrawn = 0, irreproducible } = checks;
  return {
    strangers: statement.strangers,
    audited: statement.audited + audited,
    unverified: statement.unverified + unverified,
    checked: statement.checked + checked,
    wrong: statement.wrong + wrong,
    withdrawn: statement.withdrawn + withdrawn,
    irreproducible: irreproducible ?? statement.irreproducible,
  };
}

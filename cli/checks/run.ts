// Runs checks, several at once. A check that fails is a finding: could_not_look.

import { visible } from '../../shared/core/policy/visible-text.ts';
import { errorMessage } from '../../shared/runtime/errors.ts';
import { type Check, type CheckKind, type Found, fillIn, fillInCommand, type Held, type Severity } from './check.ts';
import { CouldNotLook, type Google } from './google.ts';

const AT_ONCE = 8;
export const COULD_NOT_LOOK = 'could_not_look';

export interface Finding {
  readonly finding: string;
  readonly severity: Severity;
  readonly what: string;
  readonly why: string;
  readonly fix: string;
  readonly undo?: string;
  /** As the check found them. */
  readonly resource?: string;
  readonly member?: string;
  readonly held?: Held;
  /** The operator accepts it: it does not count. */
  readonly accepted: boolean;
}

export interface Result {
  readonly check: string;
  readonly subject: string;
  readonly result: 'ok' | 'finding' | typeof COULD_NOT_LOOK;
  readonly detail?: string;
  readonly findings: readonly Finding[];
}

/** What running a check takes of its kind. */
type Kind = Pick<CheckKind<never>, 'name' | 'findings'>;

export interface Planned {
  readonly kind: Kind;
  readonly check: Check;
}

export function planChecks<Target>(kinds: readonly CheckKind<Target>[], target: Target): Planned[] {
  return kinds.flatMap((kind) => kind.checksOf(target).map((check) => ({ kind, check })));
}

/**
 * @param accepted names of findings that do not count
 * @param report takes each result in the order of `planned`, as soon as those before it are there
 */
export async function runChecks(
  planned: readonly Planned[],
  google: Google,
  { accepted, report }: { readonly accepted: readonly string[]; readonly report: (result: Result) => void },
): Promise<readonly Result[]> {
  const results: Result[] = [];
  const waiting = [...planned.entries()];
  let reported = 0;
  const worker = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      const [index, { kind, check }] = next;
      results[index] = await runCheck(kind, check, google, accepted);
      for (let ready = results[reported]; ready; ready = results[reported]) {
        reported += 1;
        report(ready);
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return results;
}

async function runCheck(
  kind: Kind,
  { subject, look }: Check,
  google: Google,
  accepted: readonly string[],
): Promise<Result> {
  const about = { check: kind.name, subject };
  try {
    const { found, detail } = await look(google);
    const findings = found.map((one) => describe(kind, one, accepted));
    return {
      ...about,
      result: findings.length > 0 ? 'finding' : 'ok',
      ...(detail === undefined ? {} : { detail }),
      findings,
    };
  } catch (error) {
    return { ...about, result: COULD_NOT_LOOK, findings: [notLooked(error)] };
  }
}

function describe(kind: Kind, { finding, facts, resource, member, held }: Found, accepted: readonly string[]): Finding {
  const texts = kind.findings[finding];
  if (!texts) throw new Error(`${finding} is not described`);
  const { severity, what, why, fix, undo } = texts;
  return {
    finding,
    severity,
    what: fillIn(what, facts),
    why: fillIn(why, facts),
    fix: fillInCommand(fix, facts),
    ...(undo === undefined ? {} : { undo: fillInCommand(undo, facts) }),
    ...(resource === undefined ? {} : { resource }),
    ...(member === undefined ? {} : { member }),
    ...(held === undefined ? {} : { held }),
    accepted: accepted.includes(finding),
  };
}

function notLooked(error: unknown): Finding {
  return {
    finding: COULD_NOT_LOOK,
    severity: 'error',
    what: visible(errorMessage(error)),
    why: 'What was not looked at can still fail.',
    fix: error instanceof CouldNotLook ? visible(error.fix) : 'Report it, with the version of keydesk.',
    accepted: false,
  };
}

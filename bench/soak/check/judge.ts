// All checks, each with the claim that it judges.

import { judgeCooldowns, judgeLeases } from './accounts.ts';
import { judgeAfterEnd, judgeRunningJobs, judgeTombstones } from './after-end.ts';
import { judgeAuditLines } from './audit-lines.ts';
import type { Evidence } from './evidence.ts';
import { judgeFinal } from './final.ts';
import { judgeExits, judgeMemory, judgeResponses, judgeWrongTokens } from './processes.ts';
import { judgeRecorded } from './recorded.ts';
import { judgeRevoked } from './revoked.ts';
import { judgeSecrets } from './secrets.ts';
import type { Judged, Verdict } from './verdict.ts';

const CHECKS: readonly (readonly [name: string, claim: string, judge: (evidence: Evidence) => Judged])[] = [
  ['I1', 'every token that arrived is on record, and has its audit line', judgeRecorded],
  ['I2', 'after the end of a job, or a release, no later request gets a token', judgeAfterEnd],
  ['tombstones', 'every webhook with a 2xx response is on record, and no job ended early', judgeTombstones],
  ['running jobs', 'no job that runs is refused for good', judgeRunningJobs],
  ['I3', 'no revoked token is accepted', judgeRevoked],
  ['I4', 'a pooled account serves one job at a time', judgeLeases],
  ['I5', 'an account is enabled after its last token has expired', judgeCooldowns],
  ['I6', 'every grant and every account is final', judgeFinal],
  ['I7', 'no secret is in the ledger or in a log', judgeSecrets],
  ['audit lines', 'every grant has a line of its end', judgeAuditLines],
  ['wrong tokens', 'no wrong job token is accepted', judgeWrongTokens],
  ['responses', 'no response 500, no internal error, no unexpected status', judgeResponses],
  ['exits', 'SIGTERM ends with 0 after what is in flight; nothing else ends', judgeExits],
  ['memory', 'no process takes more memory than it is deployed with', judgeMemory],
];

export function judge(evidence: Evidence): Verdict[] {
  return CHECKS.map(([name, claim, check]) => {
    const { judged, findings, notes } = check(evidence);
    return { name, claim, judged, findings, ...(notes && Object.keys(notes).length > 0 ? { notes } : {}) };
  });
}

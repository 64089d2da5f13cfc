import { Timestamp } from '@google-cloud/firestore';
import { blockedBy, maySelect, type Selectable, selectorSchema, selects } from '../../../shared/core/kill-switch.ts';
import { describeSelector, fromWire, selectorOnWire, toWire } from '../../../shared/core/operator-api/selector.ts';
import { grantIn } from '../../../test/fixtures/grants.ts';
import { parseJson } from '../independent/json.ts';
import { demand, demandEqual, type Target } from '../target.ts';

const GRANT = grantIn('active', 'firestore');
const { subject } = GRANT;
const AT = new Date(GRANT.requested_at).toISOString();
/** Of each field that a selector may name, the values that the grant has. */
const HAS: Readonly<Record<string, readonly unknown[]>> = {
  ...{ job_id: [subject.id], pipeline_id: [subject.pipeline_id], pipeline_slug: [subject.pipeline_slug] },
  ...{ build_branch: [subject.build_branch], agent_id: [subject.agent_id], credential: [GRANT.credential] },
  ...{ environment: [GRANT.environment], policy_sha256: [GRANT.policy_sha256, 'c'.repeat(64)] },
};
const selectable: Selectable = { ...GRANT, superseded: [{ policy_sha256: 'c'.repeat(64), approved_by: null }] };
/** By as much two clocks may differ. */
const MARGIN_MS = 90_000;

export const target: Target = {
  claim:
    'A selector of the kill switch as JSON: what a request may say is on record in the same meaning, and it selects a grant if and only if the grant has each value that it names.',
  files: ['shared/core/kill-switch.ts', 'shared/core/operator-api/selector.ts'],
  seeds: [
    JSON.stringify({ job_id: subject.id, pipeline_id: subject.pipeline_id, agent_id: subject.agent_id }),
    JSON.stringify({ pipeline_slug: subject.pipeline_slug, build_branch: subject.build_branch, issued_since: AT }),
    JSON.stringify({ credential: GRANT.credential, environment: GRANT.environment, policy_sha256: 'c'.repeat(64) }),
    JSON.stringify({ environment: 'production' }),
    JSON.stringify({ issued_since: '2099-01-01T00:00:00+01:00' }),
    '{}',
  ],
  run: (input) => {
    const parsed = selectorOnWire.safeParse(parseJson(input.toString('utf8')));
    if (!parsed.success) return;
    const selector = fromWire(parsed.data);
    demandEqual(fromWire(selectorOnWire.parse(toWire(selector))), selector, 'a selector survives its own text');
    demand(describeSelector(selector) !== '', 'it can be said in words');
    const { issued_since, ...named } = selector;
    if (issued_since !== undefined) Timestamp.fromMillis(issued_since);
    const values = Object.entries(named).filter(([, value]) => value !== undefined);
    const stored = selectorSchema.safeParse(selector);
    demand(stored.success === (values.length > 0 || issued_since !== undefined), 'on record it names something');
    const latest = Math.max(GRANT.requested_at, GRANT.issued_at ?? 0);
    const inTime = issued_since === undefined || latest + MARGIN_MS > issued_since;
    const expected = inTime && values.every(([name, value]) => HAS[name]?.includes(value));
    demand(selects(selector, selectable) === expected, `it selects the grant: ${expected}`);
    const withoutPipeline = { ...selectable, subject: { ...subject, pipeline_id: null } };
    demand(!(selects(selector, withoutPipeline) && maySelect(selector, withoutPipeline)), 'it selects, or it may');
    if (!stored.success) return;
    const blocked = blockedBy([{ id: 'a', selector, activated_at: 0 }], selectable);
    demand((blocked !== undefined) === expected, 'its block refuses what it selects');
  },
};

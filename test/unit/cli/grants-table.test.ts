// The table of `keydesk grants list`: what is said of a grant whose record is behind, and what fits on a terminal.

import { describe, expect, it } from 'vitest';
import { grantLine, tableLines } from '../../../cli/grants/table.ts';
import type { Grant } from '../../../shared/core/grant/grant.ts';
import { toGrantSummary } from '../../../shared/core/operator-api/grant.ts';
import { grantIn, NOW } from '../../fixtures/grants.ts';

const active = grantIn('active', 'serviceAccount');
const killed = { ...active, ended_at: NOW, ended_by: 'kill_switch' } as Grant;
const LATER = NOW + 86_400_000;
const rows = (grant: Grant, { now = NOW, columns = 200 } = {}) => {
  const [heading = '', line = ''] = tableLines([toGrantSummary(grant, now)], columns);
  return { heading, line, access: toGrantSummary(grant, now).access };
};

describe('the state of a grant', () => {
  it.each([
    ['that is live', active, NOW, 'open', / {2}active {2}/],
    [
      'that was ended, and whose tokens cannot be revoked',
      killed,
      NOW,
      'ended_usable',
      / {2}ended by kill_switch; usable {2}/,
    ],
    ['whose time is over, before the sweep has recorded it', active, LATER, 'over', / {2}expired {2}/],
    ['that was ended and is over', killed, LATER, 'over', / {2}expired {2}/],
    ['that was revoked', grantIn('revoked', 'firestore'), NOW, 'over', / {2}revoked {2}/],
  ])('%s', (_, grant, now, access, state) => {
    const row = rows(grant, { now });
    expect([row.access, row.line]).toEqual([access, expect.stringMatching(state)]);
  });
});

describe('the table', () => {
  const slug = 'p'.repeat(90);
  const long = { ...killed, credential: 'c'.repeat(60), subject: { ...killed.subject, pipeline_slug: slug } } as Grant;

  it('begins with the id, and cuts long names', () => {
    const { heading, line } = rows(long);
    expect(heading).toMatch(/^GRANT +SINCE +BUILD +STEP +CREDENTIAL +ENVIRONMENT +STATE +ACCEPTED UNTIL$/);
    expect(line).toMatch(/^[0-9a-f]{32} {2}\S+Z {2}p{35}… #42 {2}deploy +c{39}… {2}staging /);
  });

  it('fits on 80 columns', () => {
    const { heading, line } = rows(long, { columns: 80 });
    expect(heading).toMatch(/^GRANT +BUILD +CREDENTIAL +STATE +UNTIL$/);
    expect(line).toMatch(/^[0-9a-f]{32} {2}p+… #42 {2}c{12}… {2}ended +\d\d:\d\d$/);
    expect(line.length).toBeLessThanOrEqual(80);
    expect(rows(grantIn('revoking', 'pool'), { columns: 80 }).line.length).toBeLessThanOrEqual(80);
  });
});

describe('who approved', () => {
  const approved = {
    ...active,
    conditions: {
      ...{ team: null, created_by: null, agent: null },
      approval: {
        ...{ step_key: 'approve', job_id: 'block', approved_by: 'mira', approved_at: NOW, team_id: 'managers' },
        ...{ read_at: NOW, reason: null, break_glass: false },
      },
    },
  } as Grant;
  const table = (columns: number, ...grants: Grant[]) =>
    tableLines(
      grants.map((grant) => toGrantSummary(grant, NOW)),
      columns,
      (id) => `Mira Roth (${id})`,
    );

  it('is in a wide table where somebody did, and nowhere else', () => {
    const [heading, first, second] = table(200, approved, active);
    expect(heading).toMatch(/ {2}ACCEPTED UNTIL +APPROVED BY$/);
    expect(first).toMatch(/Z +Mira Roth \(mira\)$/);
    expect(second).toMatch(/Z +-$/);
    expect(table(200, active).join('\n')).not.toContain('APPROVED BY');
    expect(table(80, approved).join('\n')).not.toMatch(/APPROVED BY|mira/);
  });
});

it('shows characters that would hide or reorder a line', () => {
  const summary = toGrantSummary(grantIn('active', 'firestore'), NOW);
  const hostile = { ...summary, job: { ...summary.job, step_key: 'deploy\u202e\u001b[2J' } };
  for (const line of [...tableLines([hostile], 200).slice(1), grantLine(hostile)])
    expect(line).toContain('deploy<U+202E><U+001B>[2J');
  expect(tableLines([], 200)).toEqual([]);
});

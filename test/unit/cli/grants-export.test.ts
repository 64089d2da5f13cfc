// The files of `keydesk grants export`, read back by a parser of RFC 4180 that is not its writer's.

import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { exportGrant, exportHeader, exportUnreadable } from '../../../cli/grants/export-text.ts';
import { type GrantSummary, toGrantSummary } from '../../../shared/core/operator-api/grant.ts';
import { grantIn, KINDS, NOW, STATES } from '../../fixtures/grants.ts';

const grant = toGrantSummary(grantIn('active', 'firestore'), NOW);
const withBranch = (build_branch: string): GrantSummary => ({ ...grant, job: { ...grant.job, build_branch } });

/** Records of CSV: RFC 4180 section 2, with its grammar as a state machine. */
function parseCsv(text: string): string[][] {
  const records: string[][] = [];
  let [record, field, quoted] = [[] as string[], '', false];
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at] as string;
    if (quoted) {
      if (character !== '"') field += character;
      else if (text[at + 1] === '"') {
        field += '"';
        at += 1;
      } else quoted = false;
    } else if (character === '"') quoted = true;
    else if (character === ',') {
      record.push(field);
      field = '';
    } else if (character === '\r' && text[at + 1] === '\n') {
      records.push([...record, field]);
      [record, field] = [[], ''];
      at += 1;
    } else field += character;
  }
  if (quoted || field !== '' || record.length > 0) throw new Error('the file does not end with a record');
  return records;
}
const branchIn = (csv: string) => {
  const [names = [], values = []] = parseCsv(exportHeader('csv') + csv);
  return values[names.indexOf('build_branch')];
};

describe('CSV', () => {
  it('has a value in each column, and the same columns for every grant', () => {
    const grants = KINDS.flatMap((kind) => STATES.map((state) => toGrantSummary(grantIn(state, kind), NOW)));
    const unreadable = { grant_id: 'x', error: 'grants/x cannot be read (rule)' };
    const [names = [], ...records] = parseCsv(
      exportHeader('csv') + grants.map((one) => exportGrant('csv', one)).join('') + exportUnreadable('csv', unreadable),
    );
    expect(new Set(names).size).toBe(names.length);
    expect(records.map(({ length }) => length)).toEqual(records.map(() => names.length));
    for (const [at, one] of grants.entries()) {
      const value = (name: string) => records[at]?.[names.indexOf(name)];
      expect([value('grant_id'), value('state'), value('job_id')]).toEqual([one.grant_id, one.state, one.job.job_id]);
      expect(value('access_ended_at')).toBe(one.access_ended_at ?? '');
    }
    // Nothing of a grant is left out but by its own decision.
    const known = Object.keys({ ...grant, ...grant.job });
    // Of the conditions a line has who, when and why.
    const elsewhere = ['job', 'conditions'];
    expect(known.filter((name) => !elsewhere.includes(name) && !names.includes(name))).toEqual([]);
    expect(names).toEqual(expect.arrayContaining(['created_by', 'approved_by', 'approved_at', 'approval_reason']));
    expect(records.at(-1)).toEqual(['x', ...names.slice(2).map(() => ''), unreadable.error]);
  });

  it.each(['=1+1', '+1', '-1', '@SUM(A1)', '\tx', '\rx', '\nx', ' =1+1', '\uff1d1+1', '=HYPERLINK("http://x","y")'])(
    'puts an apostrophe in front of %j',
    (branch) => expect(branchIn(exportGrant('csv', withBranch(branch)))).toBe(`'${branch}`),
  );

  it('keeps every other text as it is', () => {
    const text = fc.string({ unit: fc.constantFrom('a', '"', ',', '\r', '\n', "'", '=', ' ', 'ä') });
    fc.assert(
      fc.property(text, (branch) => {
        const read = branchIn(exportGrant('csv', withBranch(branch)));
        expect(read).toBe(/^(?:[\t\r\n]|\s*[=+\-@])/.test(branch) ? `'${branch}` : branch);
      }),
    );
  });
});

describe('NDJSON', () => {
  it('has a line of JSON for each grant and for each record that cannot be read', () => {
    const line = exportGrant('ndjson', withBranch('a\nb'));
    expect(line.indexOf('\n')).toBe(line.length - 1);
    expect(JSON.parse(line)).toEqual(withBranch('a\nb'));
    expect(JSON.parse(exportUnreadable('ndjson', { grant_id: 'x', error: 'why' }))).toEqual({
      grant_id: 'x',
      unreadable: 'why',
    });
    expect(exportHeader('ndjson')).toBe('');
  });
});

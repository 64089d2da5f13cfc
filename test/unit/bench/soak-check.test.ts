// The checker of soak runs finds each violation, on evidence made by hand with that violation alone. Each finding is exact, so
// that a check that finds something else by chance does not count.

import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Evidence } from '../../../bench/soak/check/evidence.ts';
import { fieldsOf } from '../../../bench/soak/check/firestore-export.ts';
import { judge } from '../../../bench/soak/check/judge.ts';
import { BROKEN_PROMISES } from '../../fixtures/soak-broken-promises.ts';
import { GOOD, second, withObservations, without } from '../../fixtures/soak-evidence.ts';
import { WRONG_PROCESSES } from '../../fixtures/soak-wrong-processes.ts';

const CHECKER = new URL('../../../bench/soak/check/', import.meta.url);

function findingsIn(evidence: Evidence): string[] {
  return judge(evidence).flatMap(({ name, findings }) => findings.map((finding) => `${name}: ${finding}`));
}

const VIOLATIONS = [...BROKEN_PROMISES, ...WRONG_PROCESSES];

describe('the checker of soak runs', () => {
  it('finds nothing in good evidence, and every check judges something', () => {
    const verdicts = judge(GOOD);
    expect(verdicts.flatMap(({ findings }) => findings)).toEqual([]);
    expect(verdicts.filter(({ judged }) => judged === 0)).toEqual([]);
  });

  it.each(VIOLATIONS)('finds %s', (_, evidence, findings) => {
    expect(findingsIn(evidence)).toEqual(findings);
  });

  it('has a violation here for each of its checks', () => {
    const found = VIOLATIONS.flatMap(([, , findings]) => findings.map((finding) => finding.split(':')[0]));
    expect(new Set(found)).toEqual(new Set(judge(GOOD).map(({ name }) => name)));
  });

  it('excuses a missing line only where a killed process was working at that time', () => {
    const missing = without('grant.revoked', 'g2');
    const killed = (sent: number, ended: number): Evidence => ({
      ...missing,
      observations: [
        ...missing.observations,
        { type: 'process', at: second(ended - 0.1), instance: 'webhook-2', event: 'signalled', signal: 'SIGKILL' },
        {
          type: 'process',
          at: second(ended),
          instance: 'webhook-2',
          event: 'exited',
          code: null,
          signal: 'SIGKILL',
        },
        {
          type: 'request',
          operation: 'job_finished',
          instance: 'webhook-2',
          client: 'plain',
          sent: second(sent),
          ended: second(ended),
          failure: 'reset',
        },
      ],
    });
    expect(findingsIn(killed(50.4, 51))).toEqual([]);
    expect(judge(killed(50.4, 51)).find(({ name }) => name === 'audit lines')?.notes).toEqual({
      'grants whose line of the end a killed process did not write': 1,
    });
    expect(findingsIn(killed(60, 61))).toEqual([
      'audit lines: grant g2 is revoked since 10:00:50.600 and has no line of its end',
    ]);
  });

  it('counts an exchange that the end of a job overtook, which is no violation', () => {
    const what = 'exchangeToken: subject_token is not accepted';
    const overtaken = withObservations({ type: 'google_unexpected', what });
    expect(findingsIn(overtaken)).toEqual([]);
    expect(judge(overtaken).find(({ name }) => name === 'responses')?.notes).toEqual({
      'exchanges of a token whose account the end of its job had disabled': 1,
    });
  });

  it('imports nothing of the product', () => {
    const allowed = /^(?:node:|\.\/|\.\.\/observation\.ts$)/;
    for (const file of readdirSync(CHECKER)) {
      const imports = [...readFileSync(new URL(file, CHECKER), 'utf8').matchAll(/from '([^']+)'/g)];
      expect(imports.map(([, from = '']) => from).filter((from) => !allowed.test(from))).toEqual([]);
    }
    expect(readFileSync(new URL('../observation.ts', CHECKER), 'utf8')).not.toMatch(/^import/m);
  });

  it("reads Firestore's values as its REST API writes them", () => {
    const fields = {
      at: { timestampValue: '2026-01-07T10:00:00.123456Z' },
      count: { integerValue: '7' },
      ratio: { doubleValue: 0.5 },
      open: { booleanValue: false },
      nothing: { nullValue: null },
      text: { stringValue: '' },
      bytes: { bytesValue: 'AAE=' },
      list: { arrayValue: { values: [{ mapValue: { fields: { id: { stringValue: 'x' } } } }] } },
      empty: { arrayValue: {} },
    };
    expect(fieldsOf({ fields })).toEqual({
      at: second(0.123),
      count: 7,
      ratio: 0.5,
      open: false,
      nothing: null,
      text: '',
      bytes: 'AAE=',
      list: [{ id: 'x' }],
      empty: [],
    });
  });
});

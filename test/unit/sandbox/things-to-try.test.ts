// What the sandbox's shell offers to try: for a rule with conditions, first what meets them.

import { expect, it } from 'vitest';
import { approvalsPolicyText } from '../../../sandbox/approvals/policy.ts';
import { thingsToTry } from '../../../sandbox/shell.ts';
import { parsePolicyText } from '../../../shared/core/policy/parse-yaml.ts';

/** Of the policy of `npm start -- --approvals` with one credential. */
function thingsFor(credential: string): string[] {
  const read = parsePolicyText(approvalsPolicyText());
  if ('problems' in read) throw new Error('the policy has problems');
  const kept = read.policy.credentials[credential];
  if (!kept) throw new Error(`no credential ${credential}`);
  return thingsToTry({ ...read.policy, credentials: { [credential]: kept } });
}

const GCLOUD = 'gcloud auth application-default print-access-token';
const request = (credential: string, header = '') =>
  `curl -sS -X POST -H "Authorization: Bearer $JOB_TOKEN"${header} $KEYDESK/token/${credential}`;
const finish = expect.stringMatching(/^finish-job; /);

it('is the approval and then the credential', () => {
  expect(thingsFor('production-config')).toEqual(['unblock', request('production-config'), GCLOUD, finish]);
});

it('is a token of the machine and then the credential, and no client that sends none', () => {
  const machine = ' -H "Keydesk-Actor-Token: $(machine-token build-machines)"';
  const expected = ['machine-token build-machines', request('staging-users', machine), finish];
  expect(thingsFor('staging-users')).toEqual(expected);
});

it('is the credential where the rule asks nothing about people and machines', () => {
  expect(thingsFor('staging-config')).toEqual([request('staging-config'), GCLOUD, finish]);
});

// A change of the scopes of a service account: when Google's HMAC keys are part of it.

import { describe, expect, it } from 'vitest';
import { credentialChanges } from '../../../../shared/core/policy-analysis/credential-changes.ts';
import { TextFinder } from '../../../../shared/core/policy-analysis/texts.ts';
import { Work } from '../../../../shared/core/policy-analysis/work.ts';

const [ONLY, WRITE] = ['devstorage.read_only', 'devstorage.read_write'];

describe('a change of scopes for Cloud Storage', () => {
  it.each([
    [[ONLY], [WRITE]],
    [[WRITE], [ONLY]],
    [[WRITE], [WRITE, ONLY]],
    [[WRITE, ONLY], [WRITE]],
  ])('has a note on HMAC keys where one of read_only and read_write comes or goes: %s, %s', (before, after) => {
    expect(noteOf(before, after)).toContain('HMAC');
  });

  it.each([
    [['cloud-platform'], [ONLY]],
    [['cloud-platform'], [WRITE]],
    [['datastore'], [ONLY]],
    [[ONLY, 'datastore'], [ONLY]],
  ])('has no such note elsewhere: %s, %s', (before, after) => {
    expect(noteOf(before, after)).toBeUndefined();
  });
});

function noteOf(before: readonly string[], after: readonly string[]): string | undefined {
  const newTools = () => ({ finder: new TextFinder(), work: new Work() });
  const [change, ...more] = credentialChanges(credential(before), credential(after), newTools);
  expect([change?.what, more]).toEqual(['scopes', []]);
  return change?.note;
}

function credential(scopes: readonly string[]) {
  return {
    kind: 'service_account' as const,
    environment: 'staging',
    ttl: 900,
    storage: null,
    email: 'export@acme-staging.iam.gserviceaccount.com',
    scopes: scopes.map((scope) => `https://www.googleapis.com/auth/${scope}`),
  };
}

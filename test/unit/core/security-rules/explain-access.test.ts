// What `keydesk explain --grant` says: each near miss is the one that was made, in explain-access.golden.txt for people to read (RECORD=1
// writes the file); and what it evaluates is what the generated rules and the exact analysis of paths say.

import { readFileSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { FirestoreCredential } from '../../../../shared/core/policy/credential.ts';
import { parsePolicyData } from '../../../../shared/core/policy/policy.ts';
import { opens } from '../../../../shared/core/policy-analysis/documents.ts';
import { TextFinder } from '../../../../shared/core/policy-analysis/texts.ts';
import { Work } from '../../../../shared/core/policy-analysis/work.ts';
import { coversPath } from '../../../../shared/core/security-rules/covers.ts';
import {
  ACCESS_VERBS,
  type AccessRequest,
  explainAccess,
} from '../../../../shared/core/security-rules/explain-access.ts';
import { newRulesFile } from '../../../../shared/core/security-rules/generate.ts';
import { readGenerated } from '../../../../shared/core/security-rules/generated-lines.ts';
import { account, DATASTORE, databaseData, policyData } from '../../../fixtures/policies.ts';

const GOLDEN = new URL('explain-access.golden.txt', import.meta.url);
const NOW = Date.UTC(2026, 10, 24);

const firestore = (allow: object[], more: object = {}) => ({
  ...{ environment: 'staging', ttl: '10m' },
  firestore: { database: 'data', allow, ...more },
});
function policyWith(credentials: Record<string, object>, more: object = {}) {
  const result = parsePolicyData(policyData('acme-data', credentials, more));
  if ('problems' in result) throw new Error(JSON.stringify(result.problems));
  return result.policy;
}

const policy = policyWith({
  config: firestore([
    { path: 'config/{document=**}', verbs: ['get', 'list', 'create'] },
    { path: 'releases/{release}', verbs: ['get'] },
    { path: 'flags/web', verbs: ['get', 'update'] },
  ]),
  releases: firestore([{ path: 'releases/{entry}', verbs: ['list'] }]),
  export: {
    ...{ environment: 'staging', ttl: '10m' },
    serviceAccount: { email: account('export', 'acme-data'), scopes: [DATASTORE] },
  },
  cache: {
    ...{ environment: 'staging', ttl: '10m' },
    storage: {
      serviceAccount: account('cache-ci', 'acme-data'),
      bucket: 'acme-cache',
      role: 'roles/storage.objectUser',
    },
  },
});
const inTenant = policyWith(
  { config: firestore([{ path: 'config/{document}', verbs: ['get'] }]) },
  { databases: { data: databaseData('acme-data', { tenant: 'ci-x7k2p' }) } },
);
const RULES = newRulesFile(policy, { project: 'acme-data', database: '(default)' });

const grant = { active: true, exp: NOW / 1000 + 600, credential: 'config', renewable: true };
const request = (more: Partial<AccessRequest> = {}): AccessRequest => ({
  ...{ grant, path: 'config/app', verb: 'get', policy, rules: undefined, now: NOW },
  ...more,
});
const DATA = 'projects/acme-data/databases/(default)/documents';

const CASES: readonly (readonly [title: string, more: Partial<AccessRequest>, problem: string | undefined])[] = [
  ['all is well', {}, undefined],
  ['all is well, with the database and a rules file', { path: `${DATA}/config/a/b/c`, rules: RULES }, undefined],
  ['a query', { path: 'config', verb: 'list' }, undefined],
  ['a tenant', { policy: inTenant }, undefined],
  ['a token that is not active', { grant: { active: false } }, 'grant'],
  ['a token that has expired since', { grant: { ...grant, exp: NOW / 1000 - 1 } }, 'grant'],
  ['a grant that has ended', { grant: { ...grant, renewable: false } }, 'grant'],
  ['a credential that the policy does not have', { grant: { ...grant, credential: 'confg' } }, 'credential'],
  ['a credential that rules do not judge', { grant: { ...grant, credential: 'export' } }, 'credential'],
  ['a credential of a bucket', { grant: { ...grant, credential: 'cache' } }, 'credential'],
  ['a verb more of one document', { path: 'config/web', verb: 'delete' }, 'path'],
  ['another database', { path: 'projects/acme-data/databases/other/documents/config/app' }, 'database'],
  ['another project', { path: '/projects/acme/databases/(default)/documents/config/app' }, 'database'],
  ['another verb', { verb: 'delete' }, 'path'],
  ['update in place of create', { verb: 'update' }, 'path'],
  ['create in place of update', { path: 'flags/web', verb: 'create' }, 'path'],
  ['a query with get', { path: 'releases', verb: 'list' }, 'path'],
  ['a query with a document', { path: 'flags', verb: 'list' }, 'path'],
  ['a document with list', { grant: { ...grant, credential: 'releases' }, path: 'releases/1' }, 'path'],
  ['a document below', { path: 'releases/1/notes/2' }, 'path'],
  ['a misspelt collection', { path: 'relases/1' }, 'path'],
  ['another collection', { path: 'users/1' }, 'path'],
  ['another document', { path: 'flags/ios' }, 'path'],
  ['a collection with get', { path: 'config' }, 'path'],
  ['a pattern', { path: 'config/{document}' }, 'path'],
  ['an empty segment', { path: 'config//app' }, 'path'],
  ["Keydesk's own collection", { path: 'keydesk_grants/1' }, 'path'],
  ['a rules file that is older', { rules: RULES.replace('get, list, create', 'get'), verb: 'create' }, 'rules'],
  [
    'a rules file that still allows it',
    { rules: RULES.replace('get, list, create', 'get, delete'), verb: 'delete' },
    'path rules',
  ],
  ['a rules file without rules of Keydesk', { rules: 'service cloud.firestore {}' }, 'rules'],
];

it.each(CASES)('finds %s', (_, more, expected = '') => {
  const { verdict, checks } = explainAccess(request(more));
  const problems = checks.filter(({ result }) => result === 'problem').map(({ check }) => check);
  expect({ verdict, problems: problems.join(' ') }).toEqual({
    verdict: expected === '' ? 'allowed' : 'denied',
    problems: expected,
  });
});

it('says it in words for people', () => {
  const sections = CASES.map(([title, more]) => {
    const { checks } = explainAccess(request(more));
    return [
      `# ${title}`,
      ...checks.flatMap(({ check, result, text, fix, yaml = [] }) => [
        `${result} ${check}: ${text}`,
        ...(fix === undefined ? [] : [`  ${fix}`]),
        ...yaml.map((line) => `    ${line}`),
      ]),
    ].join('\n');
  });
  const golden = `${sections.join('\n\n')}\n`;
  expect(golden).not.toContain('undefined');
  if (process.env.RECORD) writeFileSync(GOLDEN, golden);
  expect(golden).toBe(readFileSync(GOLDEN, 'utf8'));
});

const paths = fc.constantFrom('a/{x}', 'a/{x=**}', 'a/1', 'a/{x}/b/{y}', 'a/1/b/{y=**}', 'b/{x}', 'a/{x}/b/{y=**}');
const allows = fc.array(
  fc.record({ path: paths, verbs: fc.uniqueArray(fc.constantFrom(...ACCESS_VERBS), { minLength: 1, maxLength: 3 }) }),
  { minLength: 1, maxLength: 4 },
);
const documents = fc.constantFrom('a/1', 'a/2', 'b/1', 'a/1/b/1', 'a/2/b/2', 'a/1/b/1/c/1', 'c/1', 'a/1/c/1');

it('agrees with the generated rules and with the exact analysis of paths, whatever the credentials open', () => {
  let opened = 0;
  fc.assert(
    fc.property(allows, allows, documents, fc.constantFrom(...ACCESS_VERBS), (one, two, path, verb) => {
      const given = policyWith({ config: firestore(one), other: firestore(two) });
      const credential = given.credentials.config as FirestoreCredential;
      const rules = newRulesFile(given, credential);
      const target = verb === 'list' ? path.split('/').slice(0, -1).join('/') : path;
      const { verdict, checks, allow } = explainAccess(request({ policy: given, path: target, verb, rules }));
      const byLines = readGenerated(rules)?.some(
        (line) =>
          line.verbs.includes(verb) && line.credentials.includes('config') && coversPath(line.path, path.split('/')),
      );
      const exact = opens(credential.allow, { verb, path }, { finder: new TextFinder(), work: new Work() });
      expect(byLines).toBe(exact);
      // A query has to be covered for every document.
      const everyName = opens(
        credential.allow,
        { verb, path: path.replace(/[^/]+$/, 'any') },
        { finder: new TextFinder(), work: new Work() },
      );
      expect(verdict === 'allowed').toBe(verb === 'list' ? everyName : exact);
      if (verdict === 'allowed') {
        opened += 1;
        expect(rules.split('\n')[(allow?.line ?? 0) - 1]?.trim()).toBe(allow?.text);
        return;
      }
      const yaml = checks.find((check) => check.check === 'path')?.yaml ?? [];
      expect(yaml).toHaveLength(1);
    }),
    { seed: 20261124, numRuns: 300 },
  );
  expect(opened).toBeGreaterThan(30);
});

// The JSON Schema that `keydesk policy schema` prints: it accepts every policy of examples and fixtures, refuses what an editor
// should mark, and describes every key.

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { DESCRIPTIONS } from '../../../../shared/core/policy/descriptions.ts';
import { policyJsonSchema } from '../../../../shared/core/policy/json-schema.ts';
import { parsePolicyData } from '../../../../shared/core/policy/policy.ts';
import { changedAt, type Place, placesIn, valueAt } from '../../../fixtures/data-places.ts';
import { firebasePolicyText } from '../../../fixtures/firestore-policy.ts';
import { type Data, everyKindPolicyText, PIPELINE_ID } from '../../../fixtures/policies.ts';
import { schemaProblems } from '../../../fixtures/policy-schema.ts';

const EXAMPLE = readFileSync(new URL('../../../../examples/policy.yaml', import.meta.url), 'utf8');
/** The example, and the keys that it does not need. */
const complete = (): Data => {
  const data = parse(EXAMPLE);
  data.limits = { tokensPerMinute: 5, liveGrantsPerPipeline: 5 };
  data.maxJobTokenLifetime = '5m';
  data.databases.staging.tenant = 'ci-x7k2p';
  data.credentials['staging-config'].firestore.tenant = 'ci-x7k2p';
  data.rules[0].match['agent_tag:os'] = 'linux';
  data.rules[0].accept = { slug_only: 'this is a test' };
  data.credentials['staging-config'].accept = { short_ttl: 'this is a test' };
  data.accept = { unused_pipeline: 'this is a test' };
  return data;
};
const isMap = (value: unknown) => typeof value === 'object' && value !== null && !Array.isArray(value);
const mapsIn = (data: Data): Place[] => placesIn(data).filter((place) => isMap(valueAt(data, place)));
const named = (place: Place): [string, Place] => [place.join('.') || 'the top', place];

describe('the JSON Schema of a policy', () => {
  it.each<[string, unknown]>([
    ['the example', parse(EXAMPLE)],
    ['the example with every key', complete()],
    ['credentials of every kind', JSON.parse(everyKindPolicyText('acme-staging'))],
    [
      'Firebase users of a tenant',
      JSON.parse(firebasePolicyText({ credentials: ['a', 'b'], tenant: 'ci-x7k2p', verbs: ['read'] })('acme-staging')),
    ],
  ])('accepts %s, like the parser', (_, data) => {
    expect(parsePolicyData(data)).toHaveProperty('policy');
    expect(schemaProblems(data)).toEqual([]);
  });

  it.each(mapsIn(complete()).map(named))('refuses an unknown key or name at %s', (_, place) => {
    const data = changedAt(complete(), [...place, 'Unknown Key'], 'x');
    expect(schemaProblems(data)).toEqual(expect.arrayContaining([expect.stringMatching(/\/Unknown Key /)]));
  });

  it.each(placesIn(complete()).map(named))('refuses a value of another type at %s', (_, place) => {
    expect(schemaProblems(changedAt(complete(), place, true))).not.toEqual([]);
    if (place.length > 0) expect(schemaProblems(changedAt(complete(), place, { x: { y: 1 } }))).not.toEqual([]);
  });

  it.each<[string, (data: Data) => void]>([
    ['a missing section', (data) => delete data.environments],
    ['a duration in words', (data) => (data.credentials['staging-config'].ttl = '15 minutes')],
    ['a duration without a unit', (data) => (data.environments.production.maxTtl = '900')],
    ["Buildkite's default audience", (data) => (data.audience = 'https://buildkite.com/acme-inc')],
    ['a quotation mark in contact', (data) => (data.contact = '"platform"')],
    ['a revocation that there is not', (data) => (data.environments.production.revocation = ['now'])],
    ['an unknown claim in require', (data) => (data.environments.production.require = ['branch'])],
    ['a slug for a pipeline', (data) => (data.pipelines.web = 'web')],
    ['a credential in capitals', (data) => (data.credentials.Config = data.credentials['staging-config'])],
    ['no kind of credential', (data) => delete data.credentials['staging-export'].serviceAccount],
    [
      'two kinds in a credential',
      (data) => (data.credentials['staging-config'].storage = data.credentials['staging-cache'].storage),
    ],
    ['neither an account nor a pool', (data) => delete data.credentials['staging-export'].serviceAccount.email],
    [
      'an account and a pool',
      (data) => (data.credentials['staging-admin'].serviceAccount.email = 'export@acme.iam.gserviceaccount.com'),
    ],
    ['an account and a pool for a bucket', (data) => (data.credentials['staging-cache'].storage.pool = ['x'])],
    ['a pooled account of no project', (data) => (data.credentials['staging-admin'].serviceAccount.pool[0] = 'a@b.c')],
    ['a role that lets others in', (data) => (data.credentials['staging-cache'].storage.role = 'roles/storage.admin')],
    ['a prefix without a slash', (data) => (data.credentials['staging-cache'].storage.prefix = 'warm')],
    ['an unknown verb', (data) => (data.credentials['staging-config'].firestore.allow[0].verbs = ['set'])],
    ['a path of a collection', (data) => (data.credentials['staging-config'].firestore.allow[0].path = 'config/a/b')],
    ['a path of one collection', (data) => (data.credentials['staging-config'].firestore.allow[0].path = 'config')],
    ['a path of grants', (data) => (data.credentials['staging-config'].firestore.allow[0].path = 'keydesk_grants/{x}')],
    ['a misspelt claim', (data) => (data.rules[0].match.build_brnch = 'main')],
    ['an agent tag without a name', (data) => (data.rules[0].match['agent_tag:'] = 'x')],
    ['a pipeline by name and by id', (data) => (data.rules[0].match.pipeline_id = PIPELINE_ID)],
    ['an id that is a slug', (data) => (data.rules[0].match.cluster_id = ['main'])],
    ['a pattern for the name of a pipeline', (data) => (data.rules[0].match.pipeline = 'web-*')],
    ['a rule that narrows no pipeline', (data) => delete data.rules[0].match.pipeline],
    ['a rule that grants nothing', (data) => (data.rules[0].grants = [])],
  ])('refuses %s, like the parser', (_, change) => {
    const data = complete();
    change(data);
    expect(parsePolicyData(data)).toHaveProperty('problems');
    expect(schemaProblems(data)).not.toEqual([]);
  });

  it('describes every key, and nothing else is described', () => {
    const described: string[] = [];
    const undescribed: string[] = [];
    const visit = (schema: Data, path: string) => {
      if (!isMap(schema)) return;
      if (schema.description !== undefined) described.push(path);
      for (const [key, inner] of Object.entries<Data>(schema.properties ?? {})) {
        const place = path === '' ? key : `${path}.${key}`;
        if (inner.description === undefined) undescribed.push(place);
        visit(inner, place);
      }
      visit(schema.items, `${path}.*`);
      visit(schema.additionalProperties, `${path}.*`);
    };
    visit(policyJsonSchema(), '');
    expect(undescribed).toEqual([]);
    expect(described.sort()).toEqual(Object.keys(DESCRIPTIONS).sort());
  });

  it('names its draft, and a default in the terms of the file', () => {
    expect(policyJsonSchema()).toMatchObject({
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      properties: { maxJobTokenLifetime: { default: '10m' } },
    });
  });
});

// What `policy diff` prints of changes of the example policy, in golden files for people to read.
// `RECORD=1 npx vitest run --project unit test/unit/core/policy-analysis/diff-output.test.ts` writes them.

import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { checkPolicyText } from '../../../../shared/core/policy/check-text.ts';
import { toDiffData } from '../../../../shared/core/policy-analysis/diff-json.ts';
import { MAX_COMMENT, toMarkdown } from '../../../../shared/core/policy-analysis/diff-markdown.ts';
import { toText } from '../../../../shared/core/policy-analysis/diff-text.ts';
import { type Review, reviewChange } from '../../../../shared/core/policy-analysis/review.ts';

const EXAMPLE = readFileSync(new URL('../../../../examples/policy.yaml', import.meta.url), 'utf8');
const RULES_END = '\nrules:';

type Edit = readonly [before: string, after: string];
const DECLARED: readonly Edit[] = [
  [
    '\ndatabases:',
    `
teams:
  platform: 4c9bd9b0-2ac3-4f4b-a1d6-5b0a3a1c0f11
  managers: 9d1d1c9e-6d3f-4b51-8f9c-0d0c5f8f7e21

identityProviders:
  aws:
    issuer: https://aws.acme.example
    keys: https://keys.acme.example/jwks
    audience: keydesk
    algorithms: [RS256]
    claims: { role: { at: [sub], setBy: platform } }

databases:`,
  ],
];
const UI_ONLY: Edit = ['webhook, ui]\n      step_key: deploy-production', 'ui]\n      step_key: deploy-production'];
const CONDITIONS: readonly Edit[] = [
  ...DECLARED,
  UI_ONLY,
  [
    '      step_key: deploy-production\n',
    `      step_key: deploy-production
      team: { name: platform, access: build_and_read }
      created_by: { team: platform }
    approval: { step: approve-production, by: managers, within: 4h, not: creator }
    agent: { provider: aws, claims: { role: [ci-1, ci-2] } }
`,
  ],
];

/** The verdict, and edits of the example. A case with two lists of edits compares the one result with the other. */
const CASES: Readonly<Record<string, readonly [widens: boolean, edits: readonly Edit[], old?: readonly Edit[]]>> = {
  nothing: [false, []],
  'step_key removed from the rule and the guard': [
    true,
    [
      ['      step_key: deploy-production\n', ''],
      ['require: [pipeline, build_source, step_key]', 'require: [pipeline, build_source]'],
    ],
  ],
  'a branch pattern that matches more': [true, [['[main, "release/*"]', '[main, "release/**"]']]],
  'a path that opens more, and a verb less': [
    true,
    [
      ['{ path: "cache/{entry}"', '{ path: "cache/{entry=**}"'],
      [
        'config/{document=**}", verbs: [get, list, create, update]',
        'config/{document=**}", verbs: [get, list, create]',
      ],
    ],
  ],
  'the whole bucket': [true, [['      prefix: warm/\n', '']]],
  'another predefined role': [true, [['roles/storage.objectUser', 'roles/storage.legacyBucketWriter']]],
  'a custom role': [true, [['roles/storage.objectUser', 'projects/acme-staging/roles/cache_writer']]],
  'a member more in a pool': [
    true,
    [
      [
        '        - ci-003@acme-ci-pool.iam.gserviceaccount.com\n',
        '        - ci-003@acme-ci-pool.iam.gserviceaccount.com\n        - ci-004@acme-ci-pool.iam.gserviceaccount.com\n',
      ],
    ],
  ],
  'a longer ttl and a broader scope': [
    true,
    [
      ['ttl: 10m\n    serviceAccount', 'ttl: 30m\n    serviceAccount'],
      ['auth/datastore', 'auth/cloud-platform'],
    ],
  ],
  'guards removed': [true, [['    maxTtl: 15m\n    revocation: [immediate, propagating]\n', '']]],
  'a credential more, one that no job gets, and one less': [
    true,
    [
      ['  staging-export:', '  staging-reports:'],
      ['staging-export, staging-cache]', 'staging-reports, staging-cache]'],
      [
        RULES_END,
        `
  staging-unused:
    environment: staging
    ttl: 10m
    firestore: { database: staging, allow: [{ path: "reports/{report}", verbs: [get] }] }
${RULES_END}`,
      ],
    ],
  ],
  'the id of the organization removed': [true, [[', id: f892efa9-103e-4d28-97a1-3b8616a0994d', '']]],
  'less of everything': [
    false,
    [
      ['[main, "release/*"]', 'main'],
      ['verbs: [read, write]', 'verbs: [read]'],
      ['auth/cloud-platform', 'auth/compute'],
      ['ttl: 15m\n    storage', 'ttl: 10m\n    storage'],
      ['roles/storage.objectUser', 'roles/storage.objectViewer'],
      ['    maxTtl: 15m', '    maxTtl: 10m'],
    ],
  ],
  'names and texts': [
    false,
    [
      ['name: deploy to staging', 'name: staging from branches'],
      ['  web: 0184990a', '  website: 0184990a'],
      ['pipeline: web\n', 'pipeline: website\n'],
      ['"#platform on Slack"', '"#keydesk on Slack"'],
      ['\naccept: {', '\naccept: { unused_environment: "used next week, it says",'],
      ['environments:\n', 'environments:\n  sandbox: {}\n'],
    ],
  ],
  'the pipelines of two names exchanged': [
    true,
    [
      ['web: 0184990a-4782-42b5-afc1-16715b10b1f0', 'web: 0184990b-11f2-4a8e-b0d4-5f7a0c2d9e31'],
      ['web-release: 0184990b-11f2-4a8e-b0d4-5f7a0c2d9e31', 'web-release: 0184990a-4782-42b5-afc1-16715b10b1f0'],
    ],
  ],
  'another organization': [true, [['slug: acme-inc', 'slug: globex']]],
  'a rule that another one covers, and one renamed': [
    false,
    [
      ['name: deploy to staging', 'name: staging from branches'],
      [
        RULES_END,
        `${RULES_END}
  - name: shadow
    match: { pipeline: web, build_branch: main, build_source: ui }
    grants: [staging-cache]`,
      ],
    ],
  ],
  'a rule more that nobody needs': [
    false,
    [
      [
        RULES_END,
        `${RULES_END}
  - name: shadow
    match: { pipeline: web, build_branch: main, build_source: ui }
    grants: [staging-cache]`,
      ],
    ],
  ],
  'a rule with conditions': [false, [...CONDITIONS], [...DECLARED, UI_ONLY]],
  'conditions removed': [true, [...DECLARED, UI_ONLY], [...CONDITIONS]],
  'weaker conditions': [
    true,
    [...CONDITIONS, ['access: build_and_read', 'access: read_only'], ['within: 4h, not: creator', 'within: 8h']],
    [...CONDITIONS],
  ],
  'an approval that is no longer for emergencies': [
    true,
    [...CONDITIONS],
    [...CONDITIONS, ['not: creator', 'not: creator, use: break-glass']],
  ],
  'another team under the same name, and another issuer': [
    true,
    [...CONDITIONS, ['managers: 9d1d', 'managers: 8d1d'], ['issuer: https://aws', 'issuer: https://sso']],
    [...CONDITIONS],
  ],
  'names of teams and of a provider': [
    false,
    [
      ...CONDITIONS,
      ['managers: 9d1d', 'leads: 9d1d'],
      ['by: managers', 'by: leads'],
      ['  aws:', '  amazon:'],
      ['provider: aws', 'provider: amazon'],
    ],
    [...CONDITIONS],
  ],
  'an environment that requires an approval': [
    false,
    [...CONDITIONS, ['build_source, step_key]', 'build_source, step_key, approval]']],
    [...CONDITIONS],
  ],
  'values that a comment must not show as they are': [
    true,
    [
      ['name: deploy to staging', 'name: "`` | <img src=x> @acme/platform [a](b) *c*"'],
      ['[main, "release/*"]', '["|", "@everyone `rm`", "<b>", "it\'s"]'],
    ],
  ],
};

function edited(edits: readonly Edit[]): string {
  return edits.reduce((text, [before, after]) => {
    expect(text).toContain(before);
    return text.replace(before, () => after);
  }, EXAMPLE);
}

function versionOf(text: string, name: string) {
  const result = checkPolicyText(text);
  if ('problems' in result) throw new Error(JSON.stringify(result.problems));
  // The hash changes with every comment of the example.
  return { ...result, name, sha256: `SHA-256 of ${name}` };
}

function review(edits: readonly Edit[], old: readonly Edit[] = []): Review {
  return reviewChange(versionOf(edited(old), 'main:policy.yaml'), versionOf(edited(edits), 'policy.yaml'));
}

const FORMS: Readonly<Record<string, (one: Review) => string>> = {
  text: (one) => toText(one).join('\n'),
  markdown: toMarkdown,
  json: (one) => JSON.stringify(toDiffData(one), null, 2),
};

describe('the output of policy diff', () => {
  it.each(Object.entries(FORMS))('is what a person has read, as %s', (form, show) => {
    const reviews: [string, Review][] = [
      ...Object.entries(CASES).map(([title, [, edits, old]]): [string, Review] => [title, review(edits, old)]),
      [
        'no policy before',
        reviewChange({ name: 'main:policy.yaml', policy: undefined }, versionOf(EXAMPLE, 'policy.yaml')),
      ],
    ];
    const printed = reviews.map(([title, one]) => `# ${title}\n\n${show(one).trimEnd()}\n`).join('\n');
    const golden = new URL(`diff-${form}.golden.txt`, import.meta.url);
    if (process.env.RECORD) writeFileSync(golden, printed);
    expect(printed).toBe(readFileSync(golden, 'utf8'));
  });

  it.each(Object.entries(CASES))('says whether anything is wider: %s', (_, [widens, edits, old]) => {
    expect(review(edits, old).diff.widens).toBe(widens);
  });

  it('shows what is from a policy only in code spans', () => {
    const [, edits] = CASES['values that a comment must not show as they are'] ?? [true, []];
    const outside = toMarkdown(review(edits)).replaceAll(/(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)/g, '');
    expect(outside).not.toMatch(/[@<>[\]]/);
    for (const row of outside.split('\n').filter((line) => line.startsWith('|')))
      expect(row.replaceAll('\\|', '').match(/\|/g)).toHaveLength(4);
  });

  it('has no more characters than GitHub takes, and says what it leaves out', () => {
    const paths = Array.from({ length: 40 }, (_, index) => `{ path: "c${index}/{a}", verbs: [get] }`).join(', ');
    const own = (index: number) => `{ path: "own-${index}/{a}", verbs: [get] }`;
    const credentials = Array.from(
      { length: 400 },
      (_, index) =>
        `  many-${index}: { environment: staging, ttl: 10m, firestore: { database: staging, allow: [${paths}, ${own(index)}] } }\n`,
    );
    const names = credentials.map((_, index) => `many-${index}`).join(', ');
    const one = review([
      [RULES_END, `\n${credentials.join('')}${RULES_END}`],
      ['grants: [staging-config, staging-admin', `grants: [${names}, staging-config, staging-admin`],
    ]);
    const comment = toMarkdown(one);
    expect(comment.length).toBeLessThanOrEqual(MAX_COMMENT);
    expect(comment.length).toBeGreaterThan(MAX_COMMENT / 2);
    expect(comment).toMatch(/Left out here: \d+ sections/);
  });
});

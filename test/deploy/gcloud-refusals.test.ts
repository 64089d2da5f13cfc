// What deploy/gcloud/deploy.sh refuses before it asks Google anything: options that cannot be right, accounts that would let one
// identity act as another, archives and security rules of another policy.

import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { placementProblems } from '../../deploy/gcloud/boundaries.ts';
import { readPackages, rulesProblems } from '../../deploy/gcloud/packages.ts';
import { databasesOf } from '../../shared/core/firestore-rules.ts';
import { parsePolicyText } from '../../shared/policy-text.ts';
import { createWorkplace, DATABASES, POLICY, type Workplace, withoutRules } from './gcloud-deploy.ts';

const TEXT = readFileSync(POLICY, 'utf8');
const DESK = { project: 'acme-keydesk', database: 'keydesk' };

let workplace: Workplace;
beforeAll(async () => {
  workplace = await createWorkplace();
});
afterAll(() => workplace.stop());

describe('deploy.sh refuses before it calls gcloud', () => {
  it.each<[string, (args: string[]) => string[], string]>([
    ['no project', (args) => args.slice(2), '--project must be a Google Cloud project ID'],
    ['the (default) database', (args) => [...args, '--database', '(default)'], 'must be a database ID of its own'],
    [
      'a floating secret version',
      (args) => [...args, '--webhook-tokens-version', 'latest'],
      'must be a version number',
    ],
    ['rules without a file', (args) => [...args, '--rules', 'acme-staging/(default)'], 'PROJECT/DATABASE=FILE'],
    ['a group without an environment', (args) => [...args, '--group', 'a@acme.example'], 'ENVIRONMENT=EMAIL'],
    ['everybody as an operator', (args) => [...args, '--operator', 'allUsers'], 'must be a member such as group:'],
    ['an unknown option', (args) => [...args, '--force'], 'unknown option --force'],
    ['missing archives', (args) => [...args, '--archives', '/nonexistent'], 'run npm run package -- --policy'],
    [
      'a database without rules',
      (args) => args.slice(0, -2),
      'acme-production/(default) has no rules: run npm run rules',
    ],
    ['a misspelt environment', (args) => [...args, '--group', 'stagin=a@b.example'], 'no pool in that environment'],
    ['the ledger opened by the policy', (args) => [...args, '--project', 'acme-staging'], 'acme-staging'],
  ])('%s', async (_, change, message) => {
    const { status, calls, stderr } = await workplace.deploy(change(withoutRules(workplace)));
    expect({ status, calls }).toEqual({ status: 2, calls: [] });
    expect(stderr).toContain(message);
  });

  it('nothing that its README tells you to say', async () => {
    const { status, stdout, calls } = await workplace.deploy(['--help']);
    expect({ status, calls }).toEqual({ status: 0, calls: [] });
    const readme = readFileSync('deploy/gcloud/README.md', 'utf8').replaceAll(/npm run .*/g, '');
    const said = [...new Set([...readme.matchAll(/--[a-z][a-z-]+/g)].map(([option]) => option))];
    expect(said.length).toBeGreaterThan(10);
    expect(
      said.filter(
        (option) => option !== '--help' && !stdout.includes(`  ${option}`) && !stdout.includes(`\n${option}`),
      ),
    ).toEqual([]);
  });

  it('an account of the desk as a signer, where the policy names it', async () => {
    const own = 'keydesk-sweep@acme-keydesk.iam.gserviceaccount.com';
    const args = workplace.withPolicy(TEXT.replaceAll('keydesk-signer@acme-staging.iam.gserviceaccount.com', own));
    const { status, calls, stderr } = await workplace.deploy(args);
    expect({ status, calls }).toEqual({ status: 2, calls: [] });
    expect(stderr).toMatch(
      /\.yaml:14:\d+ credentials\.staging-config\.firestore\.signer keydesk-sweep@acme-keydesk\S+ is in the desk's project/,
    );
  });
});

describe('an account may not stand', () => {
  const problems = (from: string, to: string) =>
    placementProblems(policyOf(TEXT.replaceAll(from, to)), DESK).map(
      ({ path, message }) => `${path.join('.')} ${message}`,
    );
  const EXPORT = 'export@acme-staging.iam.gserviceaccount.com';
  const SIGNER = 'keydesk-signer@acme-staging.iam.gserviceaccount.com';
  const CACHE = 'ci-cache@acme-staging.iam.gserviceaccount.com';

  it('anywhere that the example does not put it', () => {
    expect(problems('', '')).toEqual([]);
  });

  it.each([
    ['signer', SIGNER, 'keydesk-sweep@acme-keydesk.iam.gserviceaccount.com', 'staging-config.firestore.signer'],
    ['shared account', EXPORT, 'anything@acme-keydesk.iam.gserviceaccount.com', 'staging-export.serviceAccount.email'],
    ['storage account', CACHE, 'acme-keydesk@appspot.gserviceaccount.com', 'staging-cache.storage.serviceAccount'],
  ])("in the desk's project: a %s", (_, from, to, path) => {
    expect(problems(from, to)).toEqual([
      expect.stringContaining(
        `credentials.${path} ${to} is in the desk's project: whoever mints for it could act as the desk`,
      ),
    ]);
  });

  it.each([
    ['signer', SIGNER, 'ci-009@acme-ci-pool.iam.gserviceaccount.com'],
    ['shared account', EXPORT, 'acme-ci-pool@appspot.gserviceaccount.com'],
  ])("in a pool's project: a %s", (_, from, to) => {
    expect(problems(from, to)).toEqual([expect.stringContaining(`${to} is in a pool's project, acme-ci-pool`)]);
  });

  it.each([
    ["the desk's project", 'acme-keydesk', "is in the desk's project: pooled accounts need a project of their own"],
    [
      'a data project',
      'acme-production',
      'is in acme-production, whose Firestore the policy opens: pooled accounts need',
    ],
  ])('in %s: a pooled account', (_, project, message) => {
    const found = problems('@acme-ci-pool.', `@${project}.`).filter((problem) => problem.includes('.pool.'));
    expect(found).toHaveLength(3);
    expect(found[0]).toContain(`credentials.staging-admin.serviceAccount.pool.0 ${message}`);
  });

  it('a credential on the ledger’s own database, but on another database of the project', () => {
    const opens = (database: string) =>
      placementProblems(
        policyOf(TEXT.replace('project: acme-staging\n', `project: acme-keydesk\n      database: ${database}\n`)),
        DESK,
      ).map(({ path, message }) => `${path.join('.')} ${message}`);
    expect(opens('keydesk')).toEqual(["credentials.staging-config.firestore opens the ledger's own database"]);
    expect(opens('other')).toEqual([]);
  });
});

describe('packages', () => {
  const problemsAfter = (spoil: (folder: string) => void) => {
    const folder = join(workplace.folder, 'spoilt');
    rmSync(folder, { recursive: true, force: true });
    workplace.pack(POLICY, {}, folder);
    spoil(folder);
    return readPackages({ policyFile: POLICY, folder }).problems.map((problem) => problem.replaceAll(folder, 'FOLDER'));
  };
  const mend = `run npm run package -- --policy ${POLICY} --out FOLDER`;

  it('of the policy are taken', () => {
    expect(problemsAfter(() => {})).toEqual([]);
  });

  it.each<[string, (folder: string) => void, string]>([
    ['without a manifest', (folder) => rmSync(join(folder, 'manifest.json')), 'FOLDER/manifest.json is missing'],
    [
      'with a manifest of another kind',
      (folder) => writeFileSync(join(folder, 'manifest.json'), '{}'),
      'is not what npm run package writes',
    ],
    [
      'with an archive that was changed',
      (folder) => writeFileSync(join(folder, 'token.zip'), 'x'),
      'FOLDER/token.zip is missing, or is not the one',
    ],
    ['with an archive that is gone', (folder) => rmSync(join(folder, 'sweep.zip')), 'FOLDER/sweep.zip is missing'],
    [
      'of another policy',
      (folder) => {
        const file = join(folder, 'manifest.json');
        const manifest = JSON.parse(readFileSync(file, 'utf8'));
        writeFileSync(file, JSON.stringify({ ...manifest, policy_sha256: '0'.repeat(64) }));
      },
      `the archives in FOLDER were packaged with another policy than ${POLICY}`,
    ],
  ])('%s are refused', (_, spoil, message) => {
    const problems = problemsAfter(spoil);
    expect(problems).toEqual([expect.stringContaining(message)]);
    expect(problems[0]).toContain(mend);
  });
});

describe('security rules', () => {
  const databases = databasesOf(policyOf(TEXT));
  const problems = (files: readonly string[], elsewhere: readonly string[] = []) =>
    rulesProblems(databases, {
      policyFile: POLICY,
      files,
      elsewhere,
      sha256: readPackages({ policyFile: POLICY, folder: workplace.packaged }).rules,
    });
  const file = (project: string) => join(workplace.packaged, `${project}.rules`);
  const both = () => DATABASES.map((name) => `${name}=${file(name.split('/')[0] ?? '')}`);
  const changed = (change: (text: string) => string) => {
    const to = join(workplace.folder, 'changed.rules');
    writeFileSync(to, change(readFileSync(file('acme-staging'), 'utf8')));
    return [`${DATABASES[0]}=${to}`, both()[1] ?? ''];
  };

  it('that the packaged policy makes are taken, whatever stands around them and however they are indented', () => {
    expect(problems(both())).toEqual([]);
    expect(problems(changed((text) => text.replace(/^ +/gm, '\t').replace(/^/, '// ours\n')))).toEqual([]);
    expect(problems([], DATABASES)).toEqual([]);
  });

  it.each<[string, () => string[], string]>([
    [
      'a wider verb',
      () => problems(changed((text) => text.replace('allow get:', 'allow get, write:'))),
      'changed.rules is not what the policy that was packaged says: run npm run rules -- --policy examples/policy.yaml --project acme-staging --database',
    ],
    [
      'no marks',
      () => problems(changed(() => 'service cloud.firestore {}')),
      "changed.rules holds no rules of Keydesk's",
    ],
    [
      'those of another database',
      () => problems([`${DATABASES[0]}=${file('acme-production')}`, both()[1] ?? '']),
      'is not what the policy',
    ],
    ['no such file', () => problems([`${DATABASES[0]}=/nonexistent`, both()[1] ?? '']), '/nonexistent cannot be read'],
    ['none', () => problems(both().slice(1)), 'acme-staging/(default) has no rules'],
    [
      'a database that the policy does not open',
      () => problems([...both(), 'acme-other/(default)=x']),
      'acme-other/(default) is no database',
    ],
    [
      'a database in both options',
      () => problems(both(), DATABASES.slice(0, 1)),
      'stands in --rules and in --rules-elsewhere',
    ],
  ])('are refused with %s', (_, found, message) => {
    expect(found()).toEqual([expect.stringContaining(message)]);
  });
});

function policyOf(text: string) {
  const parsed = parsePolicyText(text, POLICY);
  if ('problems' in parsed) throw new Error(parsed.problems.join('\n'));
  return parsed.policy;
}

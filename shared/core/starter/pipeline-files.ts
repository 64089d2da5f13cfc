// Steps for Buildkite: two ways to get a credential, and a job that checks the policy. Pure.

import type { Answers, StarterEnvironment } from './answers.ts';
import { credentialsOf } from './policy-file.ts';

const HEADER = [
  '# How a step gets a credential. Copy a step into the pipeline that its rule names, and write your own command.',
  '# docs/CLIENTS.md of Keydesk says what each client needs.',
];

/** Steps that get the credential of each environment, with the plugin. */
export function deployPipeline({ environments, organization, url }: Answers, version: string): string {
  return text(
    ...HEADER,
    `# The repository ${organization.slug}/keydesk-buildkite-plugin is made by \`npm run release:plugin\` of Keydesk.`,
    'steps:',
    ...environments.flatMap((environment) => [
      ...stepLines(environment),
      '    command: ./deploy.sh',
      '    plugins:',
      `      - ${organization.slug}/keydesk#v${version}:`,
      `          url: ${url}`,
      `          credentials: { name: ${tokenOf(environment).credential}, token: ${tokenOf(environment).variable} }`,
    ]),
  );
}

/** The same with curl. */
export function curlPipeline({ environments, url }: Answers): string {
  return text(
    ...HEADER,
    '# These steps need no plugin. Keydesk revokes their credentials when the job ends. `$$` is `$` after the upload.',
    'steps:',
    ...environments.flatMap((environment) => {
      const { credential, variable } = tokenOf(environment);
      return [
        ...stepLines(environment),
        '    command: |',
        '      set -euo pipefail',
        `      JOB_TOKEN=$$(buildkite-agent oidc request-token --audience ${url} --claim organization_id --claim pipeline_id)`,
        `      ${variable}=$$(curl --fail-with-body --silent --show-error --data "" ${url}/token/${credential} \\`,
        '        -H "Accept: text/plain" -H @- <<<"Authorization: Bearer $$JOB_TOKEN")',
        `      export ${variable}`,
        '      ./deploy.sh',
      ];
    }),
  );
}

function stepLines({ name, step }: StarterEnvironment): string[] {
  return [`  - label: Deploy to ${name}`, `    key: ${step ?? `deploy-${name}`}`];
}

function tokenOf(environment: StarterEnvironment): { credential: string; variable: string } {
  const { firestore, pool = '' } = credentialsOf(environment);
  return firestore === undefined
    ? { credential: pool, variable: 'CLOUDSDK_AUTH_ACCESS_TOKEN' }
    : { credential: firestore, variable: 'FIRESTORE_TOKEN' };
}

/** @param folder of the policy, from the repository's root: empty, or with a slash at its end */
export function policyPipeline(folder: string, version: string): string {
  const file = `${folder}policy.yaml`;
  const policy = `--policy ${file}`;
  return text(
    '# Checks the policy, runs its tests, and shows on the build what a pull request changes. Upload it in a pipeline that builds pull requests:',
    `#   buildkite-agent pipeline upload ${folder}.buildkite/keydesk-policy.yml`,
    '# The agent needs git and Node 22 or later. The release file of Keydesk must be in the repository.',
    '# A pull request can change this file too. So a person must review every change of it, and of the policy.',
    'steps:',
    '  - label: Keydesk policy',
    '    key: keydesk-policy',
    '    command: |',
    '      set -euo pipefail',
    `      npm install --silent --global --prefix "$$PWD/.keydesk" --ignore-scripts ./keydesk-${version}.tgz`,
    '      PATH="$$PWD/.keydesk/bin:$$PATH"',
    `      keydesk policy check ${policy}`,
    `      keydesk policy test ${policy} --coverage`,
    '      if [ "$${BUILDKITE_PULL_REQUEST:-false}" = false ]; then exit 0; fi',
    '      git fetch --quiet origin "$$BUILDKITE_PULL_REQUEST_BASE_BRANCH"',
    '      base=$$(git merge-base FETCH_HEAD HEAD)',
    '      status=0',
    `      keydesk policy diff "$$base:${file}" ${policy} --markdown > .keydesk/diff.md || status=$$?`,
    '      case $$status in',
    '        0) style=success ;;',
    '        3) style=warning ;;',
    '        *) exit "$$status" ;;',
    '      esac',
    '      buildkite-agent annotate --context keydesk-policy --style "$$style" < .keydesk/diff.md',
    '      exit "$$status"',
    '    # 3: the change widens access, or that is unknown. Remove these lines if such a change must fail the build.',
    '    soft_fail:',
    '      - exit_status: 3',
  );
}

function text(...lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join('');
}

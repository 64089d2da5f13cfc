// `keydesk policy what`: what a job gets when some of its claims are known.

import { Command, Option } from '@commander-js/extra-typings';
import { revocationOf } from '../../../shared/core/kinds/kinds.ts';
import type { Policy } from '../../../shared/core/policy/policy.ts';
import { claimMistakes } from '../../../shared/core/policy-analysis/claim-mistakes.ts';
import { readJobToken, type TokenRefusal } from '../../../shared/core/policy-analysis/job-token.ts';
import type { Demands } from '../../../shared/core/policy-analysis/jobs.ts';
import {
  claimsToRequest,
  type PartialJob,
  parsePartialJob,
  partialJobOf,
  withAnyRequest,
} from '../../../shared/core/policy-analysis/partial-job.ts';
import { isStep, readStepClaims } from '../../../shared/core/policy-analysis/step-claims.ts';
import { type CredentialAnswer, grantingRules, whatJobsGet } from '../../../shared/core/policy-analysis/what.ts';
import { refusalWords, statedLine, whatLines } from '../../../shared/core/policy-analysis/what-lines.ts';
import { collect, examples, policyOption } from '../../options.ts';
import { readDeployablePolicy } from '../../policy-file.ts';
import { readInput } from '../../standard-input.ts';
import { EXIT, fail, note, print, printJson } from '../../terminal.ts';

export const whatCommand = new Command('what')
  .summary('show what a job gets when some of its claims are known')
  .description(
    "Show what a job gets when some of its claims are known. A claim that you do not give may have any value, or may not be in the token. Each credential is granted to every such job, granted on a condition, or never granted. An empty value (--claim build_tag=) says that the claim is not in the token. The job's organization is the policy's.",
  )
  .addOption(policyOption())
  .option(
    '--claim <name=value>',
    'a claim of the job, or pipeline=NAME with a name from pipelines; repeat it for more',
    collect,
  )
  .addOption(
    new Option(
      '--token <file>',
      'read the claims of the job token in a file, or in standard input (-); its signature is not verified',
    ).conflicts('fromStep'),
  )
  .option(
    '--from-step',
    "read the claims from the step's BUILDKITE_* variables, which a step can set itself; they prove nothing. In a step, this is the default without --claim and --token",
  )
  .option('--all', 'list also what is never granted, with the reasons')
  .option('--json', 'the answers as JSON')
  .addHelpText(
    'after',
    examples(
      'policy what --policy examples/policy.yaml --claim pipeline=web --claim build_branch=main',
      'policy what --policy examples/policy.yaml --claim pipeline=web-release --all',
      'buildkite-agent oidc request-token --audience URL | keydesk policy what --token -',
      'policy what --from-step --claim step_key=deploy-production',
    ),
  )
  .action((options) => {
    const { policy } = readDeployablePolicy(options.policy);
    const known = knownClaims(policy, options);
    const mistakes = claimMistakes(policy, options.claim ?? []);
    if (mistakes.length > 0) fail(EXIT.usage, mistakes.map((mistake) => `--claim: ${mistake}`).join('\n'));
    const stated = parsePartialJob(policy, options.claim ?? [], known.job);
    if ('problems' in stated) fail(EXIT.usage, stated.problems.map((problem) => `--claim: ${problem}`).join('\n'));
    const { job } = stated;
    const answers = whatJobsGet(policy, job);
    if (answers.some(({ answer }) => answer === 'cannot tell')) process.exitCode = EXIT.differs;
    const { requested, lacking } = requestOf(policy, known, job, answers);
    if (options.json) {
      printJson({
        ...(known.isToken && { token: { verified: false, refused_for: known.refusals } }),
        claims: Object.fromEntries(job),
        claim_flags: requested.map((claim) => `--claim ${claim}`),
        ...(known.isToken && { missing_claims: lacking }),
        credentials: answers.map((answer) => toJson(policy, answer)),
      });
      return;
    }
    print(statedLine(policy, job));
    for (const refusal of known.refusals) print(refusalWords(policy, refusal));
    if (lacking.length > 0) print(`The token lacks ${lacking.join(', ')}, which rules look at.`);
    if (requested.length > 0)
      print(`The job requests its token with ${requested.map((claim) => `--claim ${claim}`).join(' ')}`);
    print('');
    const shown = { refused: options.all === true, accepted: known.refusals.length === 0 };
    for (const line of whatLines(policy, answers, shown)) print(line);
  });

/** What the job must request. Of a token only where it lacks a claim that would matter. */
function requestOf(
  policy: Policy,
  { isToken }: Known,
  job: PartialJob,
  answers: readonly CredentialAnswer[],
): { readonly requested: readonly string[]; readonly lacking: readonly string[] } {
  if (!isToken) return { requested: claimsToRequest(policy, job, grantingRules(answers)), lacking: [] };
  const free = withAnyRequest(job);
  const requested = claimsToRequest(policy, free, grantingRules(whatJobsGet(policy, free)));
  const { id } = policy.organization;
  const all = id === undefined ? requested : [...new Set(['organization_id', ...requested])];
  const lacking = all.filter((claim) => (job.get(claim) ?? null) === null);
  return { requested: lacking.length > 0 ? all : [], lacking };
}

interface Known {
  readonly job: PartialJob;
  readonly isToken: boolean;
  readonly refusals: readonly TokenRefusal[];
}

function knownClaims(
  policy: Policy,
  { token, fromStep, claim }: { readonly token?: string; readonly fromStep?: true; readonly claim?: readonly string[] },
): Known {
  if (token !== undefined) return claimsOfToken(policy, token);
  // A person who gives nothing in a step asks about this step.
  const isDefault = claim === undefined && isStep(process.env);
  if (!fromStep && !isDefault) return { job: new Map(), isToken: false, refusals: [] };
  const read = readStepClaims(policy, process.env);
  if ('problems' in read) fail(EXIT.usage, read.problems.join('\n'));
  if (read.job.size === 0)
    fail(EXIT.usage, '--from-step: no BUILDKITE_* variable is set here. Run the command in a step, or give --claim.');
  note("The claims are those of the step's environment, which a step can set itself. They prove nothing.");
  const slug = read.job.get('organization_slug') ?? policy.organization.slug;
  const refusals = slug === policy.organization.slug ? [] : ['job_token_organization_wrong' as const];
  return { job: read.job, isToken: false, refusals };
}

function claimsOfToken(policy: Policy, file: string): Known {
  if (/^ey[\w-]+\.[\w-]+/.test(file))
    fail(
      EXIT.usage,
      '--token takes a file, or - for standard input. Others can see a token on a command line: request a new one.',
    );
  const read = readJobToken(policy, readInput(file));
  if ('problem' in read) fail(EXIT.usage, `--token: ${read.problem}`);
  note('The signature of the token is not verified.');
  return { job: partialJobOf(policy, read.claims), isToken: true, refusals: read.refusals };
}

function toJson(policy: Policy, { credential: name, answer, granting, refusing }: CredentialAnswer): object {
  const credential = policy.credentials[name];
  return {
    credential: name,
    answer: answer.replace(' ', '_'),
    ...(credential && {
      environment: credential.environment,
      ttl: credential.ttl,
      revocation: revocationOf(credential),
    }),
    granting_rules: granting.map(({ rule, conditions, ofRule }) => ({
      ...{ rule, conditions: toClaims(conditions) },
      ...(Object.keys(ofRule).length > 0 && { beyond_claims: ofRule }),
    })),
    refusing_rules: refusing.map(({ rule, unmet }) => ({ rule, unmet: toClaims(unmet) })),
  };
}

function toClaims(demands: Demands): object[] {
  return demands.map(([claim, { absent, patterns }]) => ({ claim, absent, patterns }));
}

// What `keydesk explain` says of each reason, in refused-request.golden.txt for people to read; RECORD=1 writes the file.

import { readFileSync, writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { refusalResponse } from '../../../../functions/token/error-response.ts';
import { createAuditLogger } from '../../../../shared/audit/logger.ts';
import type { Refusal } from '../../../../shared/core/oauth/refusal.ts';
import { parsePolicyText } from '../../../../shared/core/policy/parse-yaml.ts';
import { type AuditLine, toAuditLine } from '../../../../shared/core/policy-analysis/audit-line.ts';
import { explainJob } from '../../../../shared/core/policy-analysis/explain-job.ts';
import { explanationLines } from '../../../../shared/core/policy-analysis/explanation-lines.ts';
import { reasonLines } from '../../../../shared/core/policy-analysis/reason-lines.ts';
import {
  explainFromLine,
  explainReason,
  isByConditions,
} from '../../../../shared/core/policy-analysis/refused-request.ts';
import { toJobClaims } from '../../../../shared/core/policy-analysis/stated-job.ts';
import { EVERY_REFUSAL } from '../../../fixtures/every-refusal.ts';
import { claims } from '../../../fixtures/grants.ts';

const GOLDEN = new URL('refused-request.golden.txt', import.meta.url);
const read = parsePolicyText(readFileSync(new URL('../../../../examples/policy.yaml', import.meta.url), 'utf8'));
if ('problems' in read) throw new Error('the example is a policy');
const { policy } = read;
const OPTIONS = { pipelines: policy.pipelines, file: 'policy.yaml', contact: policy.contact };

function lineOf(refusal: Refusal): AuditLine {
  let written = '';
  const audit = createAuditLogger({
    project: 'p',
    write: (text) => {
      written = text;
    },
  });
  const context = { request_id: 'ID', bearer: true, credentialName: 'staging-config', claims };
  for (const event of refusalResponse(refusal, context).auditEvents ?? []) audit(event);
  return toAuditLine(JSON.parse(written)) as AuditLine;
}

const BY_A_STRANGER: Refusal = {
  ...{ reason: 'approval_not_accepted', step: 'approve', problem: 'approver_not_in_team', team: 'release-managers' },
  trace: [],
};

function explained(refusal: Refusal): string[] {
  const line = lineOf(refusal);
  const byRules = explainFromLine(line);
  return [
    ...reasonLines('ID', line, { ...explainReason(line), byRules: byRules !== undefined && !isByConditions(line) }),
    ...(byRules && !isByConditions(line) ? explanationLines(byRules, { ...OPTIONS, pipelines: {} }) : []),
  ];
}

/** Conditions that do not hold, of rules whose claims match. */
const UNMET: readonly (readonly [condition: 'team' | 'created_by' | 'agent', reason: string, team?: string])[] = [
  ['team', 'pipeline_not_in_team', 'platform'],
  ['team', 'team_access_too_low', 'platform'],
  ['created_by', 'creator_unverified'],
  ['created_by', 'creator_not_in_team', 'managers'],
  ['created_by', 'creator_unknown'],
  ['agent', 'agent_of_other_provider'],
  ['agent', 'agent_claims_differ'],
  ['agent', 'a_reason_of_a_later_version'],
];

function unmet(...reasons: typeof UNMET): Refusal {
  const trace = reasons.map(([condition, reason, team], index) => ({
    ...{ rule: `deploy ${index + 1}`, outcome: 'condition_unmet' as const, checks: [], condition, reason },
    ...(team !== undefined && { team }),
  }));
  return { reason: 'no_matching_rule', trace };
}

const WEB = { pipeline_id: `${policy.pipelines.web}`, pipeline_slug: 'web' };
const RELEASE = { pipeline_id: `${policy.pipelines['web-release']}`, pipeline_slug: 'web-release' };
const JOB = { organization_id: `${policy.organization.id}`, build_branch: 'main', build_source: 'webhook' };
/** The example, with conditions of its rule for production. */
const conditional = withConditions();
const CONDITIONAL_CASES: readonly (readonly [title: string, job: Record<string, string>])[] = [
  ['all claims match', { ...JOB, ...RELEASE, build_source: 'ui', step_key: 'deploy-production' }],
  ['another step', { ...JOB, ...RELEASE, build_source: 'ui', step_key: 'test' }],
  ['another step and source', { ...JOB, ...RELEASE, build_source: 'webhook', step_key: 'test' }],
  ['a UUID that was not requested', { organization_id: JOB.organization_id, build_branch: 'v1', pipeline_slug: 'web' }],
];

function withConditions() {
  const text = readFileSync(new URL('../../../../examples/policy.yaml', import.meta.url), 'utf8');
  const edited = text
    .replace('\ndatabases:', '\nteams: { managers: 9d1d1c9e-6d3f-4b51-8f9c-0d0c5f8f7e21 }\n\ndatabases:')
    .replace(
      '      build_branch: "v*"\n      build_tag: "v*"\n      build_source: [webhook, ui]\n',
      '      build_source: ui\n',
    )
    .replace(
      '      step_key: deploy-production\n',
      `      step_key: deploy-production
      created_by: { team: managers }
    approval: { step: approve, by: managers, within: 4h, not: creator }
`,
    );
  const result = parsePolicyText(edited);
  if ('problems' in result) throw new Error(result.problems.map(({ message }) => message).join('\n'));
  return result;
}

const CASES: readonly (readonly [title: string, job: Record<string, string>, credential: string])[] = [
  ['another branch', { ...JOB, ...WEB, build_branch: 'feature/x' }, 'staging-config'],
  ['another source and branch', { ...JOB, ...WEB, build_branch: 'x', build_source: 'api' }, 'staging-admin'],
  ['the build of a tag', { ...JOB, ...WEB, build_tag: 'main' }, 'staging-config'],
  ['no tag', { ...JOB, ...RELEASE, step_key: 'deploy-production' }, 'production-config'],
  ['another step', { ...JOB, ...RELEASE, build_branch: 'v1', build_tag: 'v1', step_key: 'test' }, 'production-config'],
  ['no step key', { ...JOB, ...RELEASE, build_branch: 'v1', build_tag: 'v1' }, 'production-config'],
  [
    'claims that were not requested',
    { build_branch: 'main', build_source: 'ui', pipeline_slug: 'web' },
    'staging-cache',
  ],
  [
    'a pipeline that the policy does not name',
    { ...JOB, ...WEB, pipeline_id: `${policy.organization.id}`, pipeline_slug: 'docs' },
    'staging-export',
  ],
  [
    'a value that no pattern can name',
    {
      ...JOB,
      ...RELEASE,
      build_branch: 'v1',
      build_tag: 'v1',
      build_source: 'a*b',
      step_key: 'x',
    },
    'production-config',
  ],
  ['a misspelt credential', { ...JOB, ...WEB }, 'staging-confg'],
];

it('says of each reason when it happens, what to do and who can, and of each claim what would have to change', () => {
  const sections = [
    ...CONDITIONAL_CASES.map(([title, stated]) => {
      const job = toJobClaims(conditional.policy, { claims: stated, unknown: [] });
      if ('problems' in job) throw new Error(job.problems.join('\n'));
      const lines = explanationLines(explainJob(conditional, job.claims, 'production-config'), OPTIONS);
      return [`# conditions: ${title}`, ...lines];
    }),
    ...CASES.map(([title, stated, credential]) => {
      const job = toJobClaims(policy, { claims: stated, unknown: [] });
      if ('problems' in job) throw new Error(job.problems.join('\n'));
      return [`# ${title}`, ...explanationLines(explainJob(read, job.claims, credential), OPTIONS)];
    }),
    ...EVERY_REFUSAL.map((refusal) => [`# ${refusal.reason}`, ...explained(refusal)]),
    ...UNMET.map((one) => [`# a condition: ${one[1]}`, ...explained(unmet(one))]),
    ['# conditions of two rules', ...explained(unmet(...UNMET.filter(([, reason]) => /not_in|differ/.test(reason))))],
    ['# an approval by a stranger', ...explained(BY_A_STRANGER)],
  ];
  const golden = `${sections.map((lines) => lines.join('\n')).join('\n\n')}\n`;
  expect(golden).not.toMatch(/`|undefined|\]\(/);
  if (process.env.RECORD) writeFileSync(GOLDEN, golden);
  expect(golden).toBe(readFileSync(GOLDEN, 'utf8'));
});

it('shows what is invisible in a claim, and moves no cursor', () => {
  const job = toJobClaims(policy, { claims: { ...JOB, ...WEB, build_branch: 'a\u202eb' }, unknown: [] });
  if ('problems' in job) throw new Error(job.problems.join('\n'));
  const lines = explanationLines(explainJob(read, job.claims, 'staging-config'), OPTIONS).join('\n');
  expect(lines).toContain('a<U+202E>b');
  expect(lines).not.toContain('\u202e');
  expect(lines).not.toContain('name: staging-config');
});

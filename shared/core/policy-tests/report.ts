// The results of test files, in lines for a terminal.

import { conditionOutcome } from '../conditions/reason-words.ts';
import { conditionLines } from '../policy/condition-words.ts';
import type { RuleTrace } from '../policy/decide.ts';
import type { Policy } from '../policy/policy.ts';
import { claimLine } from '../policy-analysis/example-lines.ts';
import type { CaseResult, TestCase } from './cases.ts';
import type { Coverage, Covered } from './coverage.ts';
import type { Finding, Proof } from './prove.ts';
import type { FileResult } from './run-tests.ts';
import { unmetConditions } from './unmet-conditions.ts';

/** A line for each file, and under it what failed and why. */
export function reportFile(policy: Policy, { file, tests, cases, proofs }: FileResult): string[] {
  const place = (path: CaseResult['testCase']['path']) => {
    const { line, column } = tests.placeOf(path);
    return `${file}:${line}:${column}`;
  };
  const passed = cases.filter(({ wrong }) => wrong.length === 0).length;
  const proven = proofs.filter(({ verdict }) => verdict === 'proven').length;
  return [
    `${file}: cases passed ${passed} of ${cases.length}, statements proven ${proven} of ${proofs.length}`,
    ...cases.flatMap((result) => reportCase(policy, result, place(result.testCase.path))),
    ...proofs.flatMap((proof) => [
      ...noteOfUnopened(proof, place(proof.statement.path)),
      ...reportProof(policy, proof, place(proof.statement.path)),
    ]),
  ];
}

export function reportCoverage({ rules, credentials }: Coverage): string[] {
  const count = ({ total, missing }: Covered) => `${total - missing.length} of ${total}`;
  const quoted = rules.missing.map((name) => `"${name}"`);
  return [
    `Coverage: ${count(rules)} rules, ${count(credentials)} credentials`,
    ...(quoted.length > 0 ? [`  rules that grant nothing in any case: ${quoted.join(', ')}`] : []),
    ...(credentials.missing.length > 0 ? [`  credentials that no case gets: ${credentials.missing.join(', ')}`] : []),
  ];
}

function reportCase(policy: Policy, { testCase, wrong, gets }: CaseResult, place: string): string[] {
  if (wrong.length === 0) return [];
  const { name, granted, refused } = testCase;
  const all = Object.keys(policy.credentials).length === granted.length + refused.length;
  return [
    '',
    `${place}: case "${name}" fails`,
    `  expected  ${all ? list(granted) : partial(granted, refused)}`,
    `  got       ${got(gets, wrong)}`,
    ...wrong.flatMap(([credential, decision]) =>
      reportDecision(policy, testCase, [credential, decision]).map((line) => `  ${line}`),
    ),
  ];
}

function got(gets: readonly string[], wrong: CaseResult['wrong']): string {
  const isOpen = wrong.some(([, { outcome }]) => outcome === 'conditional');
  if (!isOpen) return list(gets);
  return gets.length === 0 ? 'cannot tell without conditions' : `${list(gets)}; cannot tell more without conditions`;
}

function partial(granted: readonly string[], refused: readonly string[]): string {
  return [
    ...(granted.length > 0 ? [`granted ${list(granted)}`] : []),
    ...(refused.length > 0 ? [`refused ${list(refused)}`] : []),
  ].join('; ');
}

function list(names: readonly string[]): string {
  return names.join(', ') || 'nothing';
}

function reportDecision(policy: Policy, testCase: TestCase, [credential, decision]: CaseResult['wrong'][number]) {
  if (decision.outcome === 'granted') return [`${credential} is granted by rule "${decision.rule}"`];
  if (decision.outcome === 'conditional')
    return [
      `${credential} is granted on conditions, and the case does not say whether they hold. Add conditions to it, or {} if none does`,
      ...decision.rules.flatMap(({ name, conditions }) => [
        `  rule "${name}", with`,
        ...conditionLines(conditions).map((line) => `    ${line}`),
      ]),
    ];
  const nearest = nearestRule(decision.trace);
  const missing =
    decision.reason === 'claims_missing' ? `, because the job token lacks ${decision.missing.join(', ')}` : '';
  const unmet = nearest ? unmetConditions(policy, nearest.rule, testCase) : [];
  if (nearest && isJudged(nearest) && unmet.length > 1)
    return [
      `${credential} is refused${missing}`,
      `  nearest is rule "${nearest.rule}":`,
      ...unmet.map((line) => `    ${line}`),
    ];
  return [
    `${credential} is refused${missing}`,
    nearest
      ? `  nearest is rule "${nearest.rule}": ${(isJudged(nearest) && unmet[0]) || mismatches(policy, nearest)}`
      : '  no rule grants it',
  ];
}

/** Whether the claims match, so that the conditions decided. */
function isJudged(trace: RuleTrace): boolean {
  return conditionOutcome(trace) !== undefined;
}

/** The first of the rules with the fewest claims that do not match. */
function nearestRule(trace: readonly RuleTrace[]): RuleTrace | undefined {
  const failed = ({ checks }: RuleTrace) => checks.filter(({ matched }) => !matched).length;
  return trace
    .filter(({ outcome }) => outcome !== 'other_credential')
    .sort((left, right) => failed(left) - failed(right))[0];
}

function mismatches({ pipelines }: Policy, trace: RuleTrace): string {
  const { outcome, checks } = trace;
  const ofCondition = conditionOutcome(trace);
  if (ofCondition !== undefined) return ofCondition;
  if (outcome === 'tag_not_allowed') return 'the build is of a tag, and the rule names build_branch without build_tag';
  if (outcome === 'granted') return 'it matches, and the token is of another organization';
  const nameOf = (text: string) => Object.entries(pipelines).find(([, id]) => id === text)?.[0] ?? text;
  return checks
    .filter(({ matched }) => !matched)
    .map(({ claim, patterns, value }) => {
      const is = value === null ? 'is not in the token' : `is ${nameOf(value)}`;
      return `${claim === 'pipeline_id' ? 'pipeline' : claim} ${is}, and the rule needs ${patterns.map(nameOf).join(' or ')}`;
    })
    .join('; ');
}

const VERDICTS = { proven: 'is proven', refuted: 'is refuted', 'cannot tell': 'cannot be proven' } as const;

/** Perhaps it is misspelt; perhaps it is what nobody may ever open. */
function noteOfUnopened({ statement, unopened }: Proof, place: string): string[] {
  if (!unopened) return [];
  const { what, name, near } = unopened;
  const found =
    what === 'collection'
      ? `no firestore credential opens the collection ${name}`
      : `no storage credential opens objects whose names begin with ${name}`;
  const meant = near === undefined ? 'Look whether it is misspelt.' : `Did you mean "${near}"?`;
  return [`${place}: note: in statement "${statement.title}", ${found}. ${meant}`];
}

function reportProof(policy: Policy, { statement, verdict, findings }: Proof, place: string): string[] {
  if (verdict === 'proven') return [];
  return [
    '',
    `${place}: statement "${statement.title}" ${VERDICTS[verdict]}`,
    ...findings.flatMap((finding) => reportFinding(policy, finding, 'always' in statement.says)),
  ];
}

function reportFinding(policy: Policy, { rule, credentials, job, why }: Finding, isAlways: boolean): string[] {
  const names = list(credentials);
  const subject = rule === undefined ? `  ${names}` : `  ${names} by rule "${rule}"`;
  if (!job) return [`${subject}: the rules are too many or too complex to compare`];
  const example = `    ${claimLine(policy, job)}`;
  if (isAlways) return [`  ${names} is refused to a job such as`, example];
  const granted = [`  rule "${rule}" grants ${names} to a job such as`, example];
  if (why === undefined) return granted;
  if (why === 'complexity') return [...granted, '    The paths are too many or too complex to compare.'];
  const assumptions = credentials.map((name) => `${name}: "REASON"`).join(', ');
  return [
    ...granted,
    '    What a service account opens depends on its IAM roles, which are not in the policy.',
    `    If this is not among it, say why: assume: { ${assumptions} }`,
  ];
}

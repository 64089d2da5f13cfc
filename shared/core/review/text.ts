// A review as lines for people. What is not known comes first.

import { toWholeSeconds } from '../iso-time.ts';
import { describeSelector, fromWire } from '../operator-api/selector.ts';
import { visible } from '../policy/visible-text.ts';
import { plural } from '../policy-history/words.ts';
import { pipelineLines } from './pipeline-text.ts';
import type { Review } from './review.ts';
import type { GrantRow } from './row.ts';

/** Of a list; the JSON has all of it. */
const MOST = 25;

export function reviewLines(review: Review): string[] {
  const { period, environment, population } = review;
  return [
    `Review of ${period.from} up to, and not including, ${period.to}${environment === null ? '' : `, environment ${environment}`}`,
    `The ledger as of ${population.as_of}. All times are UTC.`,
    ...section('Not known', review.not_known.length, notKnownLines(review)),
    ...section('To be explained', review.findings.length, findingLines(review)),
    ...section('Population', undefined, populationLines(review)),
    ...section('Pipelines', review.pipelines.length, review.pipelines.flatMap(pipelineLines)),
    ...section('Rules that name no pipeline', review.open_rules.length, openRuleLines(review)),
    ...section('What the credentials opened', review.credentials.length, credentialLines(review)),
    ...section('Policies that may have been in force', review.policies.length, policyLines(review)),
    ...section('Ends', undefined, endLines(review)),
    ...section('Revocation latency, in seconds', undefined, latencyLines(review)),
    ...section('Audit log', undefined, crossCheckLines(review)),
    ...section('Kill switch and blocks', review.acts.length, actLines(review)),
    ...section('Doctor', undefined, doctorLines(review)),
    ...section('Grants', review.grants.length, grantLines(review)),
    ...section('What neither the ledger nor the audit log can say', undefined, bullets(review.limits)),
  ].map((line) => visible(line).trimEnd());
}

function section(title: string, count: number | undefined, lines: readonly string[]): string[] {
  const heading = count === undefined ? title : `${title}: ${count === 0 ? 'none' : count}`;
  return ['', heading, ...lines.map((line) => `  ${line}`)];
}

/** The first of them, and how many there are besides. */
function first(lines: readonly string[]): readonly string[] {
  const more = lines.length - MOST;
  return more > 0 ? [...lines.slice(0, MOST), `and ${more} more, in the JSON`] : lines;
}

function bullets(texts: readonly string[]): string[] {
  return texts.map((text) => `- ${text}`);
}

function notKnownLines({ not_known }: Review): string[] {
  return not_known.flatMap(({ text, about }) => [`- ${text}`, ...first(about).map((one) => `    ${one}`)]);
}

function findingLines({ findings }: Review): string[] {
  return findings.flatMap(({ code, text, items }) => [
    `${text} (${code}): ${items.length}`,
    ...first(items.map(({ grant_id, detail }) => (grant_id === null ? detail : `${grant_id}  ${detail}`))).map(
      (line) => `  ${line}`,
    ),
  ]);
}

function populationLines({ population }: Review): string[] {
  const { count, sha256, recompute, began_in_period, tokens_issued, unreadable } = population;
  return [
    `${plural(count, 'grant')} could be used in the period. ${began_in_period} of them began in it. Tokens issued: ${tokens_issued}.`,
    `SHA-256 of the rows  ${sha256}`,
    `Recompute it with    ${recompute}`,
    ...(unreadable.length > 0 ? [`Not counted, because they cannot be read: ${unreadable.length}.`] : []),
  ];
}

function openRuleLines({ open_rules }: Review): string[] {
  return open_rules.map(
    ({ rule, credentials, pipeline_slugs }) =>
      `${rule}: ${pipeline_slugs.length === 0 ? 'any pipeline whose jobs meet its other conditions' : `pipelines with the slug ${pipeline_slugs.join(' or ')}`} may get ${credentials.join(', ')}`,
  );
}

function credentialLines({ credentials }: Review): string[] {
  return credentials.flatMap(({ credential, environment, kind, revocation, ttl, access, policy_sha256s }) => [
    `${credential}  ${environment}  ${kind}, ${revocation}, ${ttl} s  by ${policy_sha256s.map(short).join(', ')}`,
    ...access.map((line) => `  ${line}`),
  ]);
}

function policyLines({ policies }: Review): string[] {
  return policies.map(
    ({ sha256, first_used_at, last_started_at, grants, text }) =>
      `${sha256}  ${first_used_at === null ? 'no record' : `started ${first_used_at} to ${last_started_at}`}  ${plural(grants, 'grant')}  text ${text}`,
  );
}

function endLines({ ends }: Review): string[] {
  const counts = (all: Readonly<Record<string, number>>) =>
    Object.entries(all)
      .map(([name, count]) => `${name} ${count}`)
      .join(', ');
  const { by_outcome, by_cause, expired_although_revocable: expired, still_accepted } = ends;
  return [
    `By how access ended: ${counts(by_outcome)}`,
    `By cause: ${counts(by_cause) || 'none'}`,
    `Expired although they could have been revoked: ${expired.length}`,
    ...first(expired.map(({ grant_id, ended_by, why }) => `${grant_id}  ended by ${ended_by}, ${why}`)).map(indented),
    `Still accepted when the ledger was read: ${still_accepted.length}`,
    ...first(
      still_accepted.map(
        ({ grant_id, until, ended }) => `${grant_id}  until ${until}${ended ? ', although ended' : ''}`,
      ),
    ).map(indented),
  ];
}

function latencyLines({ ends: { latency } }: Review): string[] {
  if (latency.length === 0) return ['No grant of the period was revoked.'];
  const seconds = (ms: number) => (ms / 1000).toFixed(1);
  return latency.flatMap(({ revocation, since, count, median_ms, p95_ms, max_ms, slowest }) => [
    `${revocation}, from ${since} until access had ended: ${count} revoked, median ${seconds(median_ms)}, 95% ${seconds(p95_ms)}, longest ${seconds(max_ms)}`,
    ...(since === 'ended_at' ? slowest.map(({ grant_id, ms }) => `  ${grant_id}  ${seconds(ms)}`) : []),
  ]);
}

function crossCheckLines({ cross_check: compared }: Review): string[] {
  if (!compared) return ['Not given.'];
  const { lines, first_at, last_at, not_checked } = compared;
  const orphans =
    compared.issued_without_line.length +
    compared.end_without_line.length +
    compared.line_without_grant.length +
    compared.act_without_line.length +
    compared.line_without_act.length;
  const unchecked = not_checked.issuances + not_checked.ends + not_checked.lines;
  return [
    `${plural(lines, 'line')} about grants; the log is from ${first_at ?? 'an unknown time'} to ${last_at ?? 'an unknown time'}.`,
    orphans === 0
      ? `The ledger and the log agree${unchecked === 0 ? '' : ', as far as they could be compared'}.`
      : `The ledger and the log differ in ${orphans}: see above.`,
    `At the edge of the period, or begun before it, and not compared: ${not_checked.issuances} issuances, ${not_checked.ends} ends, ${not_checked.lines} grants of the log.`,
  ];
}

function actLines({ acts }: Review): string[] {
  return acts.flatMap(
    ({ id, actor, reason, selector, blocks_new, activated_at, deactivated_at, deactivated_by, ended_grants }) => [
      `${id}  ${activated_at}  by ${actor}: ${reason}`,
      `  selected ${describeSelector(fromWire(selector))}; ended ${plural(ended_grants.length, 'grant')} of the period`,
      ...first(ended_grants).map((one) => `    ${one}`),
      ...(blocks_new
        ? [
            deactivated_at === null
              ? '  its block was in force when the ledger was read'
              : `  its block was removed ${deactivated_at} by ${deactivated_by}`,
          ]
        : []),
    ],
  );
}

function doctorLines({ doctor }: Review): string[] {
  if (!doctor) return ['Not given.'];
  const { dated, about, sha256, findings, accepted } = doctor;
  const from = about?.source === 'files' ? ', from exported files' : '';
  const of = about ? ` of the project ${visible(about.project)}${from}` : '';
  return [
    `As given,${of}${of && ','} ${dated === null ? 'of an unknown date' : `of ${visible(dated)}`}, SHA-256 ${sha256}: ${plural(findings.length, 'finding')}, and ${accepted} that exceptions accept.`,
  ];
}

const CELLS: readonly ((row: GrantRow) => string)[] = [
  ({ created_at }) => toWholeSeconds(created_at),
  ({ job }) => `${job.pipeline_slug} #${job.build_number}`,
  ({ credential }) => credential,
  ({ environment }) => environment,
  ({ rule, policy_sha256 }) => `${rule} (${short(policy_sha256)})`,
  ({ outcome, ended_by }) => `${outcome}${ended_by === null ? '' : ` by ${ended_by}`}`,
  ({ access_ended_at, expires_at }) =>
    access_ended_at ? toWholeSeconds(access_ended_at) : `until ${toWholeSeconds(expires_at)}`,
  ({ grant_id }) => grant_id,
  approvalOf,
];

/** Such as `approved by UUID, 14:03`; with the day where the grant began on a later one. */
function approvalOf({ conditions, created_at }: GrantRow): string {
  const approval = conditions?.approval;
  if (!approval) return '';
  const { approved_by, approved_at } = approval;
  const at =
    approved_at.slice(0, 10) === created_at.slice(0, 10) ? approved_at.slice(11, 16) : toWholeSeconds(approved_at);
  return `approved by ${approved_by}, ${at}`;
}

function grantLines({ grants }: Review): string[] {
  const inOrder = [...grants].sort((one, other) => Date.parse(one.created_at) - Date.parse(other.created_at));
  const shown = inOrder.slice(0, MOST);
  const rows = shown.map((row) => CELLS.map((cell) => visible(cell(row))));
  const widths = CELLS.map((_, at) => Math.max(...rows.map((row) => row[at]?.length ?? 0)));
  const lines = rows.map((row) =>
    row
      .map((cell, at) => cell.padEnd(widths[at] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  const more = grants.length - shown.length;
  return more > 0 ? [...lines, `and ${more} more: --csv FILE has all of them`] : lines;
}

function short(sha256: string): string {
  return sha256.slice(0, 12);
}

function indented(line: string): string {
  return `  ${line}`;
}

import { describe, expect, it } from 'vitest';
import {
  blockedBy,
  blocksSchema,
  maySelect,
  type Selectable,
  type Selector,
  selectorSchema,
  selects,
} from '../../../shared/core/kill-switch.ts';
import { CLOCK_MARGIN_MS } from '../../../shared/core/timing.ts';
import { NOW, subject } from '../../fixtures/grants.ts';

const NAMED = {
  job_id: '0184990a-477b-4fa8-9968-496074483cee',
  pipeline_id: '0184990a-4782-42b5-afc1-16715b10b1f0',
  pipeline_slug: 'app',
  build_branch: 'main',
  agent_id: '0184990a-4782-42b5-afc1-16715b10b8ff',
  credential: 'staging-admin',
  environment: 'staging',
  policy_sha256: 'a'.repeat(64),
};
const FIELDS = Object.keys(NAMED) as (keyof typeof NAMED)[];

/** A grant that has just these, save those that are given. */
function grantOf(given: Partial<Record<keyof typeof NAMED, string | null>> = {}) {
  const { job_id, pipeline_id, pipeline_slug, build_branch, agent_id, ...fields } = { ...NAMED, ...given };
  const claims = { id: job_id, pipeline_id, pipeline_slug, build_branch, agent_id };
  return { ...fields, subject: { ...subject, ...claims }, requested_at: NOW, issued_at: NOW + 60_000 } as Selectable;
}
const grant = grantOf();

describe('a selector', () => {
  it.each(FIELDS)('that names %s selects what has just that', (field) => {
    const selector: Selector = { [field]: NAMED[field] };
    expect(selects(selector, grant)).toBe(true);
    expect(selects(selector, grantOf({ [field]: `${NAMED[field]}x` }))).toBe(false);
    expect(selects(selector, grantOf({ [field]: NAMED[field].toUpperCase() }))).toBe(false);
  });

  it('that names everything selects only what has all of it', () => {
    const selector: Selector = { ...NAMED, issued_since: NOW + 60_000 };
    expect(selects(selector, grant)).toBe(true);
    for (const field of FIELDS) expect(selects(selector, grantOf({ [field]: 'x' }))).toBe(false);
    expect(selects(selector, { ...grant, issued_at: null, requested_at: NOW + 60_000 - CLOCK_MARGIN_MS })).toBe(false);
  });

  it('that names a policy selects grants whose earlier tokens were issued by it', () => {
    const by = (letter: string, approved_by: string | null) => ({ policy_sha256: letter.repeat(64), approved_by });
    const superseded = [by('c', null), by('d', null)];
    expect(selects({ policy_sha256: 'd'.repeat(64) }, { ...grant, superseded })).toBe(true);
    expect(selects({ policy_sha256: 'e'.repeat(64) }, { ...grant, superseded })).toBe(false);
    expect(selects({ credential: 'd'.repeat(64) }, { ...grant, superseded })).toBe(false);
    expect(selects({ policy_sha256: 'd'.repeat(64) }, grant)).toBe(false);
  });

  it('takes no name for a pattern', () => {
    expect(selects({ build_branch: '*' }, grant)).toBe(false);
    expect(selects({ build_branch: 'mai' }, grant)).toBe(false);
  });

  it('that names a time selects grants with a token that was returned then or later', () => {
    expect(selects({ issued_since: NOW + 60_000 }, grant)).toBe(true);
    expect(selects({ issued_since: NOW + 60_000 + CLOCK_MARGIN_MS }, grant)).toBe(false);
    expect(selects({ issued_since: 0 }, grant)).toBe(true);
    const slow = { ...grant, issued_at: NOW + 600_000 };
    expect(selects({ issued_since: NOW + 600_000 }, slow)).toBe(true);
  });

  it('that names a time selects grants that were requested then or later, also without a token since', () => {
    const first = { ...grant, issued_at: null };
    expect(selects({ issued_since: NOW }, first)).toBe(true);
    expect(selects({ issued_since: NOW + CLOCK_MARGIN_MS }, first)).toBe(false);
    const again = { ...grant, requested_at: NOW + 90_000 };
    expect(selects({ issued_since: NOW + 90_000 }, again)).toBe(true);
    expect(selects({ issued_since: NOW + 90_000 + CLOCK_MARGIN_MS }, again)).toBe(false);
  });

  it('that names a pipeline by its id does not select what has none, but may mean it', () => {
    const unknown = grantOf({ pipeline_id: null });
    const selector = { pipeline_id: NAMED.pipeline_id };
    expect(selects(selector, unknown)).toBe(false);
    expect(maySelect(selector, unknown)).toBe(true);
    expect(maySelect({ ...selector, environment: 'staging' }, unknown)).toBe(true);
    expect(maySelect({ ...selector, environment: 'production' }, unknown)).toBe(false);
    expect(maySelect({ ...selector, issued_since: NOW + 60_000 + CLOCK_MARGIN_MS }, unknown)).toBe(false);
  });

  it('leaves no doubt where there is an id, or none was named', () => {
    expect(maySelect({ pipeline_id: NAMED.pipeline_id }, grant)).toBe(false);
    expect(maySelect({ pipeline_id: 'x' }, grant)).toBe(false);
    expect(maySelect({ environment: 'staging' }, grantOf({ pipeline_id: null }))).toBe(false);
  });
});

describe('the form of a selector', () => {
  it.each<[string, object]>([
    ['all fields', { ...NAMED, issued_since: NOW }],
    ['a time alone, which is everything since', { issued_since: 0 }],
    ['one field', { credential: 'staging-admin' }],
  ])('may have %s', (_, selector) => {
    expect(selectorSchema.parse(selector)).toEqual(selector);
  });

  it.each<[string, unknown]>([
    ['nothing', {}],
    ['a field that is not there', { environment: undefined }],
    ['an empty text', { environment: '' }],
    ['an unknown field', { environment: 'staging', branch: 'main' }],
    ['a time as text', { issued_since: '2026-11-24T10:00:00Z' }],
    ['a number for a name', { environment: 1 }],
    ['no object', 'staging'],
  ])('may not have %s', (_, selector) => {
    expect(selectorSchema.safeParse(selector).success).toBe(false);
  });
});

describe('the blocks in force', () => {
  const blocks = [
    { id: 'one', selector: { environment: 'production' }, activated_at: NOW },
    { id: 'two', selector: { environment: 'staging', build_branch: 'main' }, activated_at: NOW },
    { id: 'three', selector: { issued_since: 0 }, activated_at: NOW },
  ];

  it('refuse by the first that fits', () => {
    expect(blockedBy(blocks, grant)).toEqual({ reason: 'blocked', kill_switch_id: 'two' });
    expect(blockedBy(blocks, grantOf({ build_branch: 'next' }))).toEqual({
      reason: 'blocked',
      kill_switch_id: 'three',
    });
    expect(blockedBy(blocks.slice(0, 2), grantOf({ build_branch: 'next' }))).toBeUndefined();
    expect(blockedBy([], grant)).toBeUndefined();
  });

  it('refuse a job that leaves its pipeline_id out, when it may be the one that is meant', () => {
    const ofPipeline = [
      { id: 'four', selector: { pipeline_id: NAMED.pipeline_id, environment: 'staging' }, activated_at: NOW },
    ];
    const refusal = { reason: 'blocked', kill_switch_id: 'four' };
    expect(blockedBy(ofPipeline, grant)).toEqual(refusal);
    expect(blockedBy(ofPipeline, grantOf({ pipeline_id: null }))).toEqual(refusal);
    expect(blockedBy(ofPipeline, grantOf({ pipeline_id: null, environment: 'production' }))).toBeUndefined();
    expect(blockedBy(ofPipeline, grantOf({ pipeline_id: 'another' }))).toBeUndefined();
  });

  it('are read as they were stored, and one that cannot be read is not passed over', () => {
    expect(blocksSchema.parse({ blocks })).toEqual({ blocks });
    const broken = { id: 'four', selector: {}, activated_at: NOW };
    expect(blocksSchema.safeParse({ blocks: [...blocks, broken] }).success).toBe(false);
  });
});

// What is true at Buildkite in a history about people: who started which build and unblocked its steps, and who is in which team. It
// responds to the calls that read this, and sends webhooks. What it has shown of teams is kept, because Keydesk can know no more.

import type { JsonResponse } from '../../../shared/runtime/http-client.ts';
import { buildId, claimsOf, PIPELINES, type PipelineSlug } from '../setting.ts';
import type { World } from '../world.ts';
import { type Access, PEOPLE, PERSONS, type Person, type Step, TEAM_NAMES, TEAMS, type TeamName } from './rules.ts';

export const TEAMS_API_TOKEN = 'teams-api-token';
/** How often somebody drawn is nobody: a bot, or a build that names no creator. */
const NOBODY = 1 / 8;

/** A block step that was unblocked. */
export interface TrueUnblock {
  readonly job_id: string;
  readonly step_key: Step;
  readonly step_id: string;
  readonly by: Person | null;
  /** By the right clock. */
  readonly at: number;
}

export interface TrueBuild {
  readonly pipeline: PipelineSlug;
  readonly number: number;
  readonly source: string;
  creator: Person | null;
  readonly reason: string | undefined;
  readonly unblocks: TrueUnblock[];
}

/** One list of a team, as it was shown to whom may read it. */
export interface ShownList {
  readonly team: TeamName;
  readonly list: 'members' | 'pipelines';
  readonly at: number;
  /** UUIDs; the access of pipelines. */
  readonly entries: ReadonlyMap<string, Access | null>;
}

/** A webhook, and which of the steps of a build it reports. */
export interface Webhook {
  readonly body: unknown;
  readonly build: TrueBuild;
  readonly unblock: TrueUnblock | undefined;
}

/** What a call comes to. `shown` is to be called when the response arrives as it should. */
export interface Shown {
  readonly call: 'readBuild' | 'readTeam';
  readonly effect: () => JsonResponse;
  readonly shown: () => void;
}

export class PeopleAtBuildkite {
  readonly shown: ShownList[] = [];
  readonly members: Readonly<Record<TeamName, Set<Person>>> = {
    approvers: new Set(['ann', 'ben', 'cat']),
    platform: new Set(['ann', 'cat', 'dan']),
  };
  readonly access: Readonly<Record<TeamName, Map<PipelineSlug, Access>>> = {
    approvers: new Map(),
    platform: new Map([
      ['deploy', 'build_and_read'],
      ['release', 'read_only'],
    ]),
  };
  /** With which status every call about teams fails; undefined when they work. */
  directoryFails: 403 | 404 | 429 | 500 | undefined;
  /** Webhooks that Buildkite has not delivered yet. */
  readonly undelivered: Webhook[] = [];
  readonly #world: World;
  readonly #builds = new Map<string, TrueBuild>();
  #serial = 0;

  constructor(world: World) {
    this.#world = world;
  }

  /** The build of a job. Its creator is drawn when a move first names it. */
  buildOf(job_id: string): TrueBuild {
    const { pipeline_slug, build_number, build_source = '' } = claimsOf(job_id);
    return this.#build(pipeline_slug as PipelineSlug, build_number, build_source);
  }

  #build(pipeline: PipelineSlug, number: number, source: string): TrueBuild {
    const key = `${pipeline} ${number}`;
    const known = this.#builds.get(key);
    if (known) return known;
    const { random } = this.#world;
    const creator = random() < NOBODY ? null : (PERSONS[Math.floor(random() * PERSONS.length)] ?? null);
    const reason = random() < 0.5 ? 'the database is down' : undefined;
    const build: TrueBuild = { pipeline, number, source, creator, reason, unblocks: [] };
    this.#builds.set(key, build);
    this.#world.tell(`${key} was started by ${creator}${reason === undefined ? '' : ', with a reason'}`);
    return build;
  }

  /** Of all builds. */
  get unblocks(): TrueUnblock[] {
    return [...this.#builds.values()].flatMap(({ unblocks }) => unblocks);
  }

  /** A step of the build is unblocked. @param other the step is another one with the same key */
  unblock(build: TrueBuild, step_key: Step, by: Person | null, other: boolean): Webhook {
    this.#serial += 1;
    const serial = String(this.#serial).padStart(12, '0');
    const unblock: TrueUnblock = {
      job_id: `b10c0000-0000-4000-8000-${serial}`,
      step_key,
      step_id: `57e90000-0000-4000-8000-${step_key === 'approve' ? '0' : '1'}0000000000${other ? '1' : '0'}`,
      by,
      at: this.#world.now(),
    };
    build.unblocks.push(unblock);
    this.#world.tell(`${step_key} of ${build.pipeline} ${build.number} is unblocked by ${by}`);
    const job = this.#toBlockStep(unblock);
    return { build, unblock, body: { ...this.#event(build, 'job.activated'), job } };
  }

  started(build: TrueBuild): Webhook {
    return { build, unblock: undefined, body: this.#event(build, 'build.scheduled') };
  }

  #event(build: TrueBuild, event: string) {
    const { pipeline, number, source } = build;
    const { creator, meta_data } = this.#toShared(build);
    const id = buildId(pipeline, number);
    return { event, build: { id, number, creator, source, meta_data }, pipeline: { id: PIPELINES[pipeline] } };
  }

  #toShared({ creator, reason }: TrueBuild) {
    return {
      creator: toUser(creator),
      meta_data: reason === undefined ? {} : { 'break-glass-reason': reason },
    };
  }

  #toBlockStep({ job_id, step_key, step_id, by, at }: TrueUnblock) {
    const unblocked_at = new Date(at + this.#world.nowOf('buildkite') - this.#world.now()).toISOString();
    return { id: job_id, type: 'manual', step_key, step: { id: step_id }, unblocked_by: toUser(by), unblocked_at };
  }

  /** @param path after the address of the API. Undefined for what it does not respond to. */
  route(path: string, authorization: string | undefined, apiToken: string): Shown | undefined {
    const [, slug, number] =
      /^\/v2\/organizations\/acme-inc\/pipelines\/(deploy|release)\/builds\/([0-9]+)[?]include_retried_jobs=true$/.exec(
        path,
      ) ?? [];
    if (slug && authorization === `Bearer ${apiToken}`)
      return {
        call: 'readBuild',
        effect: () => this.#showBuild(slug as PipelineSlug, Number(number)),
        shown: () => this.#world.count('a build was looked up'),
      };
    const [, id, list] =
      /^\/v2\/organizations\/acme-inc\/teams\/([0-9a-f-]{36})\/(members|pipelines)[?]page=1&per_page=100$/.exec(path) ??
      [];
    const team = TEAM_NAMES.find((name) => TEAMS[name] === id);
    if (!team || authorization !== `Bearer ${TEAMS_API_TOKEN}`) return undefined;
    return this.#showTeam(team, list as ShownList['list']);
  }

  #showBuild(slug: PipelineSlug, number: number): JsonResponse {
    const build = this.#builds.get(`${slug} ${number}`);
    if (!build) return toResponse(404, { message: 'No build found' });
    return toResponse(200, {
      id: buildId(slug, number),
      number,
      ...this.#toShared(build),
      pipeline: { id: PIPELINES[slug] },
      jobs: [{ type: 'script' }, ...build.unblocks.map((unblock) => this.#toBlockStep(unblock))],
    });
  }

  /** What is true at this moment. */
  listOf(team: TeamName, list: ShownList['list']): ShownList['entries'] {
    const members = [...this.members[team]].map((person) => [PEOPLE[person], null] as const);
    const pipelines = [...this.access[team]].map(([slug, level]) => [PIPELINES[slug], level] as const);
    return new Map<string, Access | null>(list === 'members' ? members : pipelines);
  }

  #showTeam(team: TeamName, list: ShownList['list']): Shown {
    if (this.directoryFails !== undefined) {
      const failure = toResponse(this.directoryFails, { message: 'a fault of this history' });
      return { call: 'readTeam', effect: () => failure, shown: () => {} };
    }
    const entries = this.listOf(team, list);
    const json = [...entries].map(([id, access_level]) =>
      list === 'members' ? { user_id: id } : { pipeline_id: id, access_level },
    );
    const at = this.#world.now();
    return {
      call: 'readTeam',
      effect: () => toResponse(200, json),
      shown: () => this.shown.push({ team, list, at, entries }),
    };
  }
}

function toUser(person: Person | null): { readonly id: string } | null {
  return person === null ? null : { id: PEOPLE[person] };
}

function toResponse(status: number, json: unknown): JsonResponse {
  return { status, headers: new Headers(), json };
}

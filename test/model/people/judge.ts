// Judges every token of a history about people and machines: whether the conditions of its rule were true. It reads the rules as
// rules.ts has them, what is true at Buildkite, which lists Buildkite has shown, and how the machine's token was made. It reads nothing
// that Keydesk recorded, except to compare what a grant says of its basis with the truth.

import { PIPELINES } from '../setting.ts';
import type { Party, World } from '../world.ts';
import type { PeopleAtBuildkite, TrueBuild, TrueUnblock, Webhook } from './buildkite.ts';
import type { MachineToken } from './machines.ts';
import {
  type Access,
  type Demands,
  LEVELS,
  PEOPLE,
  type Person,
  RULES,
  TEAMS_MAX_AGE_MS,
  type TeamName,
} from './rules.ts';

const MINUTE = 60_000;
/** For which an expired token of a machine is accepted: it may have been sent in time. */
const EXPIRY_LEEWAY_MS = 10_000;

/** A request, with what Keydesk must have known when it came. */
export interface Request {
  readonly job_id: string;
  readonly machine: MachineToken | undefined;
  readonly at: number;
  /** Of the build. */
  readonly reported: readonly TrueUnblock[];
  /** Lists of teams that were shown before this are not used any more: later ones are on record. `now`: the true ones count. */
  readonly listsSince: number | 'now';
}

/** What a grant says of the conditions under which its latest token was issued. */
interface Basis {
  readonly created_by: { readonly user_id: string } | null;
  readonly approval: { readonly job_id: string; readonly approved_by: string; readonly reason: string | null } | null;
}

export class ConditionJudge {
  readonly #world: World;
  readonly #people: PeopleAtBuildkite;
  /** Unblocks that Keydesk has accepted a webhook about. */
  readonly #reported = new Set<TrueUnblock>();
  #listsSince = 0;

  constructor(world: World, people: PeopleAtBuildkite) {
    this.#world = world;
    this.#people = people;
  }

  /** Keydesk responded to the webhook that it is on record. */
  accepted({ unblock }: Webhook): void {
    if (unblock) this.#reported.add(unblock);
  }

  /** The sweep reported that it recorded these block steps, by their UUIDs. */
  found(job_ids: readonly string[]): void {
    for (const unblock of this.#people.unblocks) if (job_ids.includes(unblock.job_id)) this.#reported.add(unblock);
  }

  /** A sweep that began at this time has read all teams, and they are on record. */
  directoryRead(since: number): void {
    this.#listsSince = Math.max(this.#listsSince, since);
  }

  requested(job_id: string, machine: MachineToken | undefined): Request {
    const { unblocks } = this.#people.buildOf(job_id);
    const reported = unblocks.filter((unblock) => this.#reported.has(unblock));
    return { job_id, machine, at: this.#world.now(), reported, listsSince: this.#listsSince };
  }

  /** A token was issued by a rule, at a moment since the request came. */
  issued(request: Request, rule: string, basis: Basis | null): void {
    const demands = RULES[rule];
    const unmet = demands ? this.#unmet(request, demands) : ['is not in the policy'];
    for (const why of unmet) this.#violate(`a token was issued by the rule "${rule}", and ${why}`);
    const build = this.#people.buildOf(request.job_id);
    const { approval, created_by } = basis ?? { approval: null, created_by: null };
    const unblock = build.unblocks.find(({ job_id }) => job_id === approval?.job_id);
    const approver = unblock?.by ? PEOPLE[unblock.by] : undefined;
    if (approval && (approval.approved_by !== approver || (approval.reason ?? undefined) !== build.reason))
      this.#violate(`a grant says that ${approval.approved_by} approved, and ${unblock?.by} did`);
    if (created_by && (build.creator === null || created_by.user_id !== PEOPLE[build.creator]))
      this.#violate(`a grant says that ${created_by.user_id} started the build, and ${build.creator} did`);
  }

  /** Whether a rule grants, by the truth of this moment alone. */
  mayBeGranted(request: Request, credential: string): boolean {
    const { unblocks } = this.#people.buildOf(request.job_id);
    const byTruth: Request = { ...request, reported: unblocks, listsSince: 'now' };
    return Object.values(RULES).some(
      (demands) => demands.grants.includes(credential) && this.#unmet(byTruth, demands).length === 0,
    );
  }

  #unmet(request: Request, { team, createdBy, approval, agent }: Demands): string[] {
    const build = this.#people.buildOf(request.job_id);
    return [
      ...(team && !this.#hasAccess(request, team) ? [`the pipeline does not belong to ${team.name}`] : []),
      ...(createdBy && !this.#isCreatedBy(request, build, createdBy) ? [`no member of ${createdBy} started it`] : []),
      ...(approval && !this.#isApproved(request, build, approval) ? [`nobody had approved ${approval.step}`] : []),
      ...(agent && !this.#isOnMachine(request, agent) ? [`the machine had no token of ${agent}`] : []),
    ];
  }

  #hasAccess(request: Request, { name, access }: { readonly name: TeamName; readonly access: Access }): boolean {
    const { pipeline } = this.#people.buildOf(request.job_id);
    return this.#lists(request, name, 'pipelines').some(
      (entries) => LEVELS.indexOf(entries.get(PIPELINES[pipeline]) as Access) >= LEVELS.indexOf(access),
    );
  }

  #isMember(request: Request, team: TeamName, person: Person): boolean {
    return this.#lists(request, team, 'members').some((entries) => entries.has(PEOPLE[person]));
  }

  /** The lists that Keydesk can have used: shown by now, and read from when the limit allows at the request. */
  #lists(request: Request, team: TeamName, list: 'members' | 'pipelines') {
    if (request.listsSince === 'now') return [this.#people.listOf(team, list)];
    const earliest = Math.max(request.listsSince, request.at - TEAMS_MAX_AGE_MS + this.#aheadOf('sweep'));
    const lists = this.#people.shown.filter((shown) => shown.team === team && shown.at >= earliest);
    return lists.filter((shown) => shown.list === list).map(({ entries }) => entries);
  }

  #isCreatedBy(request: Request, { source, creator }: TrueBuild, team: TeamName): boolean {
    return ['ui', 'api'].includes(source) && creator !== null && this.#isMember(request, team, creator);
  }

  #isApproved(
    request: Request,
    { creator, reason, unblocks }: TrueBuild,
    { step, by, minutes, notCreator, breakGlass }: NonNullable<Demands['approval']>,
  ): boolean {
    if (breakGlass && reason === undefined) return false;
    const earliest = request.at - minutes * MINUTE + this.#aheadOf('buildkite');
    const before = request.reported.filter(({ step_key }) => step_key === step);
    return unblocks.some((unblock) => {
      if (unblock.step_key !== step || unblock.at < earliest || unblock.by === null) return false;
      // Another one with the key, or a later one, counts in place of it wherever Keydesk must have known that.
      if (before.some(({ step_id, at }) => step_id !== unblock.step_id || at > unblock.at)) return false;
      if (notCreator && (creator === null || creator === unblock.by)) return false;
      return this.#isMember(request, by, unblock.by);
    });
  }

  #isOnMachine({ machine, at }: Request, provider: Demands['agent']): boolean {
    if (!machine || machine.provider !== provider || machine.defect !== 'none') return false;
    return machine.expires_at > at + this.#world.nowOf('token') - this.#world.now() - EXPIRY_LEEWAY_MS;
  }

  /** By how many milliseconds the clock of `token` is ahead of the other one. */
  #aheadOf(party: Party): number {
    return this.#world.nowOf('token') - this.#world.nowOf(party);
  }

  #violate(what: string): void {
    this.#world.violate('CONDITIONS', what);
  }
}

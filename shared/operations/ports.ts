// What the operations need of Buildkite, of Google and of the ledger. The adapters of those names fulfil it. No type of
// theirs, nor of Firestore, is named here.

import type { BuildNews, BuildRecord } from '../core/conditions/build-record.ts';
import type { Facts, VerifiedAgent } from '../core/conditions/judge.ts';
import type { TeamRecord } from '../core/conditions/team-record.ts';
import type {
  Deployment,
  Instance,
  NamedTeams,
  PolicyTeams,
  SweepNews,
  WebhookKey,
} from '../core/deployment/deployment.ts';
import type { FirebaseUser } from '../core/firebase-user.ts';
import type { MintedToken } from '../core/grant/activate.ts';
import type { EndCause } from '../core/grant/end.ts';
import type { JobEndCauseName } from '../core/grant/end-causes.ts';
import type { GrantFilters } from '../core/grant/filters.ts';
import type { Grant } from '../core/grant/grant.ts';
import type { Check } from '../core/grant/job-check.ts';
import type { JobRecord } from '../core/grant/job-record.ts';
import type { IssueRequest } from '../core/grant/reserve.ts';
import type { Blocks, ExactField, KillSwitchRecord } from '../core/kill-switch.ts';
import type { Refusal } from '../core/oauth/refusal.ts';
import type { JobClaims } from '../core/policy/claims.ts';
import type { TeamAccess } from '../core/policy/conditions.ts';
import type { Credential } from '../core/policy/credential.ts';
import type { Account } from '../core/pool/account.ts';
import type { Build, Subject } from '../core/subject/buildkite-job.ts';

// Buildkite

/** Verifies one job token. `now` is in milliseconds since the epoch. Throws DependencyError when keys cannot be had. */
export type VerifyJobToken = (jobToken: string, now: number) => Promise<{ claims: JobClaims } | { refusal: Refusal }>;

/**
 * Verifies a token of one of the named identity providers. `now` is in milliseconds since the epoch. Throws DependencyError when keys
 * cannot be had.
 */
export type VerifyAgentToken = (
  token: string,
  providers: ReadonlySet<string>,
  now: number,
) => Promise<{ readonly agent: VerifiedAgent } | { readonly refusal: Refusal }>;

export interface JobState {
  /** `unknown`: Buildkite does not show the job to this API token. */
  readonly outcome: 'finished' | 'running' | 'unknown';
  /** Buildkite's own word for it, or what it says of the agent. */
  readonly job_state: string | undefined;
  /** Milliseconds since the epoch, where Buildkite says so. */
  readonly finished_at: number | undefined;
}

/** What Buildkite responds, with what it says of its limits. */
export interface BuildkiteResponse<T> extends RateLimit {
  readonly value: T;
}

export interface JobPage {
  /** By id in lower case. Undefined: Buildkite describes this job in a form that makes no sense. */
  readonly jobs: ReadonlyMap<string, JobState | undefined>;
  /** The cursor of the next page; undefined on the last one. */
  readonly next: string | undefined;
}

/** Both throw LookupError. */
export interface BuildkiteJobs {
  job(organization_slug: string, job_id: string): Promise<BuildkiteResponse<JobState>>;
  /** Undefined when Buildkite does not show the build to this API token. @param after the cursor of the page */
  page(build: Build, after: string | undefined): Promise<BuildkiteResponse<JobPage | undefined>>;
}

/** A build, and how Buildkite's REST API finds it. A slug may name another pipeline by now. */
export interface BuildToLookUp extends Build {
  readonly pipeline_id: string;
}

/** Throws LookupError. */
export interface BuildkiteBuilds {
  /**
   * Undefined when Buildkite does not show the build to this API token.
   * @param wanted of its jobs: `unblocked_steps` is the smaller response, and depends on the states that Buildkite gives such steps
   */
  build(
    build: BuildToLookUp,
    wanted: 'all_jobs' | 'unblocked_steps',
  ): Promise<BuildkiteResponse<BuildNews | undefined>>;
}

/** What Buildkite says of the API token with which it is called. Throws LookupError. */
export type DescribeApiToken = () => Promise<
  BuildkiteResponse<{
    readonly scopes: readonly string[];
    /** Milliseconds since the epoch; null for a token that does not expire. */
    readonly expires_at: number | null;
  }>
>;

export interface TeamPage<Value> {
  /** The UUIDs of users or pipelines, in lower case, each with what Buildkite says of it. */
  readonly entries: readonly (readonly [id: string, value: Value])[];
  /** Whether Buildkite names a next page. */
  readonly more: boolean;
}

interface TeamKey {
  readonly organization_slug: string;
  readonly team_id: string;
}

/** Pages count from 1. Undefined when Buildkite does not show the team to the API token. Both throw LookupError. */
export interface BuildkiteTeams {
  members(team: TeamKey, page: number): Promise<BuildkiteResponse<TeamPage<null> | undefined>>;
  pipelines(team: TeamKey, page: number): Promise<BuildkiteResponse<TeamPage<TeamAccess> | undefined>>;
}

export interface RateLimit {
  /** The least of what the organization and the user have left; undefined when Buildkite does not say. Never negative. */
  readonly remaining: number | undefined;
  /** Names of headers whose value makes no sense. */
  readonly malformed: readonly string[];
}

// Google

export interface MintRequest {
  readonly subject: Subject;
  readonly credentialName: string;
  readonly credential: Credential;
  readonly grant_id: string;
  /** OAuth scopes, for a service account's token. */
  readonly scopes: readonly string[];
  /** The pooled account that serves the grant. */
  readonly lease: string | undefined;
  /** Seconds. */
  readonly ttl: number;
  /** A service account's token that would live longer is not taken: milliseconds since the epoch, as on record. */
  readonly latestExpiry: number;
  readonly preparation: MintPreparation;
}

export interface Minted {
  readonly accessToken: string;
  /** Milliseconds since the epoch. */
  readonly expires_at: number;
}

/** What a mint knows before anything is reserved, so that it can start during the commit and wait for nothing. */
interface MintPreparation {
  /** Of the Firebase user, for an ID token: see core/firebase-user.ts. */
  readonly generation?: number;
}

/** Which generation of a Firebase user is in force. Both throw DependencyError. */
export interface FirebaseUsers {
  generationOf(user: FirebaseUser): Promise<number>;
  /**
   * Ends a generation that was found changed, and says which is in force. `retired` is true for one caller only, however many
   * find it at once.
   */
  retire(user: FirebaseUser, generation: number): Promise<{ readonly generation: number; readonly retired: boolean }>;
}

/** Throws DependencyError. */
export type PrepareMint = (
  request: Pick<MintRequest, 'subject' | 'credentialName' | 'credential'>,
) => Promise<MintPreparation>;

/** Mints one token. Throws DependencyError when Google fails, refuses or returns something else than was requested. */
export type Mint = (request: MintRequest) => Promise<Minted>;

type AccountState = 'enabled' | 'disabled' | 'missing';

/** What IAM has of the account. Throws DependencyError. */
export type GetAccountState = (email: string) => Promise<AccountState>;

/**
 * Disables the account until IAM confirms it, or the time is `until`, in milliseconds since the epoch; Google's audit log
 * has the reason. Safe to repeat. Throws DependencyError when it was not confirmed in time.
 */
export type DisableAccount = (email: string, reason: string, until: number) => Promise<void>;

/**
 * Enables the account unless it is enabled, and waits until IAM confirms it. Sends one request to enable, none from
 * `until` on (milliseconds since the epoch), and never a second: one without a response may be carried out later. Throws
 * DependencyError when IAM does not confirm it.
 */
export type EnableAccount = (email: string, until: number) => Promise<void>;

// The documents that security rules look up

export interface GrantDocumentName {
  readonly project: string;
  readonly database: string;
  readonly grant_id: string;
}

/** Lets tokens of the grant in until `expires_at` (milliseconds). False when the grant was closed meanwhile. */
export type OpenGrantDocument = (
  name: GrantDocumentName,
  opened: { readonly roles: readonly string[]; readonly expires_at: number },
) => Promise<boolean>;

/** Refuses tokens of the grant from the next request on. Safe to repeat. */
export type CloseGrantDocument = (name: GrantDocumentName, now: number) => Promise<void>;

// The ledger. All of it throws DependencyError when it fails or is too slow.

/** A record that does not fit the schema: its document's id, and what is wrong with it, for people. */
export interface UnreadableRecord {
  readonly id: string;
  readonly error: string;
}

/** Which state of a record was read or written: the ledger's own, so that it can say that nobody wrote since. */
export type Version = object;

/** A grant as it was just written, and when: the next writer can check that it is unchanged. */
export interface Reserved {
  readonly grant: Grant;
  readonly version: Version;
  /** No token minted for it may live longer. */
  readonly latestExpiry: number;
}

export type Refused = { readonly refusal: Refusal };

/** What is about to be recorded: everything that was read permits it. */
export interface Reservation {
  /** No token minted for it may live longer. */
  readonly latestExpiry: number;
  /** Whether a mint may begin during the commit; else only once the grant is recorded. */
  readonly mayMintNow: boolean;
  /**
   * Records it, and leases an account where the credential needs one. Where others wrote first, it is prepared again.
   * Throws DependencyError when it could not be recorded.
   */
  commit(): Promise<Reserved | Refused>;
}

export interface IssuanceLedger {
  /** Reads what an issue depends on, and decides. Throws DependencyError. */
  prepare(request: IssueRequest): Promise<Reservation | Refused>;
  /**
   * Whether an operator blocked this. To be called after the reservation is written: then either the kill switch sees the
   * reservation, or this sees the block. Throws DependencyError.
   */
  checkBlocks(request: IssueRequest): Promise<Refused | undefined>;
  /** Records a token that is about to leave. Throws DependencyError when that could not be recorded. */
  activate(token: MintedToken, reserved: Reserved): Promise<{ readonly grant: Grant } | Refused>;
}

/** A build, by what a job token says of it. */
export interface BuildKey {
  readonly pipeline_id: string;
  readonly build_number: number;
}

/** What `token` needs for the conditions of rules. All of it throws DependencyError. */
export interface ConditionLedger {
  /** @param wanted.teams UUIDs */
  facts(wanted: {
    readonly build: BuildKey | undefined;
    readonly teams: readonly string[];
  }): Promise<Pick<Facts, 'build' | 'teams'>>;
  /** Records that a job waits for what Buildkite has of its build: the sweep looks, at growing intervals. Safe to repeat. */
  requestLook(build: BuildKey & { readonly organization_slug: string; readonly pipeline_slug: string }): Promise<void>;
}

/** What `webhook` and `sweep` write of builds. All of it throws DependencyError. */
export interface BuildLedger {
  /** Adds what Buildkite said. Safe to repeat, in any order. False when nothing of it was new. */
  addNews(news: BuildNews): Promise<boolean>;
  /** Builds whose look is due, longest first, at most `limit`; those that cannot be read. */
  due(limit: number): Promise<{
    readonly builds: readonly BuildRecord[];
    readonly unreadable: readonly UnreadableRecord[];
  }>;
  /** Records that a look was made, with what it found; undefined when Buildkite does not show the build, or did not respond. */
  recordLook(build: BuildKey, news: BuildNews | undefined): Promise<void>;
}

/** The teams of the policy, as the sweep last read them. All of it throws DependencyError. */
export interface TeamLedger {
  /** By UUID; a team that was never read is not in it, and one whose record cannot be read is not either. */
  teams(ids: readonly string[]): Promise<{
    readonly teams: ReadonlyMap<string, TeamRecord>;
    readonly unreadable: readonly UnreadableRecord[];
  }>;
  /** Unless a copy that was read later is on record. */
  record(id: string, team: TeamRecord): Promise<void>;
}

/** The grant whose record has the token; undefined when none has. Throws DependencyError. */
export type LookUpToken = (token_sha256: string) => Promise<Grant | undefined>;

export interface JobEnd {
  readonly job_id: string;
  /** Undefined when the message does not say. */
  readonly pipeline_id: string | undefined;
  readonly by: JobEndCauseName;
  /** When the job finished, by Buildkite's clock: milliseconds since the epoch. Undefined when it does not say. */
  readonly finished_at?: number | undefined;
}

export interface EndedJob {
  /** The end was on record before. */
  readonly alreadyEnded: boolean;
  /** Grants that this ended or that are still being revoked. */
  readonly grants: readonly Grant[];
  /** Grants whose records cannot be read, and so were left. */
  readonly unreadable: readonly UnreadableRecord[];
  /** The message names another pipeline than the job's grants do. The job is ended all the same. */
  readonly pipelineMismatch: boolean;
}

export interface RevocationLedger {
  /** Records the end of a job and of its grants, in one commit. Throws DependencyError when it could not. */
  endJob(jobEnd: JobEnd): Promise<EndedJob>;
  /** Records the end of one grant, unless it is being revoked already. Undefined when it is not live. Throws DependencyError. */
  endGrant(grant: Grant, cause: EndCause): Promise<Grant | undefined>;
  /** Records that access was taken away. Undefined when it was on record before. Throws DependencyError. */
  confirmRevoked(grant: Grant): Promise<Grant | undefined>;
  /** Records that a grant's time is up. Undefined when that is not so. Throws DependencyError. */
  expire(grant: Grant): Promise<Grant | undefined>;
}

/** Grants found, and those whose records cannot be read. */
export interface GrantPage {
  readonly grants: readonly Grant[];
  readonly unreadable: readonly UnreadableRecord[];
}

export interface StoredAccount {
  readonly email: string;
  readonly account: Account;
}

export interface SweepLedger {
  /** Grants whose end began to be recorded and was not, at most `limit`. Throws DependencyError, as all of these do. */
  pendingEnds(limit: number): Promise<GrantPage>;
  /** Grants that still have access to revoke, at most `limit`. */
  pendingRevocations(limit: number): Promise<GrantPage>;
  /** Grants that have not come to their end although their time is up, longest first, at most `limit`. */
  overdue(limit: number): Promise<GrantPage>;
  /** Every pooled account that ever served, and those whose records cannot be read, by address. */
  accounts(): Promise<{
    readonly accounts: readonly StoredAccount[];
    readonly unreadable: readonly UnreadableRecord[];
  }>;
  /** Records that this sweep begins to enable an account after its cooldown. Undefined when it must not, or another sweep is doing so. */
  claimForEnable(email: string): Promise<Account | undefined>;
  /** Records that IAM confirmed an account enabled, begun at `enabling_since`. */
  confirmEnabled(email: string, enabling_since: number): Promise<Account | undefined>;
  /** Records that IAM confirmed that an account in cooldown is disabled. */
  markChecked(email: string): Promise<Account | undefined>;
  /**
   * Records that IAM said that an account in cooldown is enabled, and that this sweep begins to disable it again. Undefined when it
   * does not cool down any more, or another sweep is enabling it.
   */
  claimForDisable(email: string): Promise<Account | undefined>;
  /** Starts the cooldown of an account whose grant no longer holds it although the account's own record says so. */
  reclaim(known: StoredAccount): Promise<Account | undefined>;
}

/** A job as it was read. */
export interface DueJob {
  readonly job_id: string;
  readonly record: JobRecord;
  readonly version: Version;
}

/** The right of one sweep to call Buildkite. */
interface PollLock {
  /** Times of the calls of the last minute, oldest first. */
  readonly calls: readonly number[];
  readonly version: Version;
}

export interface JobCheckLedger {
  /** Jobs whose check is due, longest first, at most `limit`; those that cannot be read. Throws DependencyError, as all of these do. */
  due(limit: number): Promise<{ readonly jobs: readonly DueJob[]; readonly unreadable: readonly UnreadableRecord[] }>;
  /** Jobs of the build whose check is not due yet. */
  notDue(build: Build): Promise<readonly DueJob[]>;
  /** Which of the jobs have a live grant. The others are not checked any more. */
  withLiveGrants(jobs: readonly DueJob[]): Promise<readonly DueJob[]>;
  /** Records when the jobs are next looked up at Buildkite. A job that has ended meanwhile stays as it is. */
  recordChecks(changes: readonly { readonly job: DueJob; readonly check: Check }[]): Promise<void>;
  /** How many jobs have live grants although Buildkite has not responded about them for 15 minutes; 1,000 means 1,000 or more. */
  countUnchecked(): Promise<number>;
  /** Takes the right to call Buildkite, `held` milliseconds at most. Undefined when another sweep has it, or Buildkite is left alone. */
  acquirePollLock(lockMs: number): Promise<PollLock | undefined>;
  /** Gives the right back after calls at these times; nobody calls for `pause` milliseconds. */
  releasePollLock(lock: PollLock, calls: readonly number[], pause: number): Promise<void>;
}

/** Why an order was not recorded: its id is of another order, or of a block that was removed; or as many blocks as can be are in force. */
export type ActProblem = 'other_order' | 'too_many_blocks';

export interface KillSwitchLedger {
  /**
   * Records an order and, if it blocks, its block, in one commit. An order that is on record stays as it is. Undefined once it is on
   * record. Throws DependencyError, as all of these do.
   */
  record(id: string, killSwitch: KillSwitchRecord): Promise<ActProblem | undefined>;
  /** Removes a block. False when there is none with that id. */
  deactivate(id: string, by: string): Promise<boolean>;
  blocks(): Promise<Blocks>;
  /** Live grants, in pages. */
  liveGrants(): AsyncIterable<GrantPage>;
}

/** Takes back what a restore of the ledger has lost. */
export interface ReplayLedger {
  /**
   * Records a grant as the audit log has it, and what that means for its accounts. False when it is on record like that, or
   * further. Throws DependencyError.
   */
  recordLost(lost: Grant): Promise<boolean>;
}

/** Where the next page of grants begins. */
export interface GrantPosition {
  /** The time that all pages show, by Firestore's clock. */
  readonly as_of: { readonly seconds: number; readonly nanoseconds: number };
  /** Which of the queries for the same filters. */
  readonly query: number;
  /** The last grant that was read; null at the beginning of a query. */
  readonly id: string | null;
}

/** Grants that fit. A record that cannot be read is listed whether or not it fits: nobody knows. */
export interface FoundGrants extends GrantPage {
  readonly as_of: GrantPosition['as_of'];
  /** Undefined: these were all. A page may have few grants, or none, and others may follow. */
  readonly next: GrantPosition | undefined;
}

/** Times but for `as_of` are milliseconds since the epoch. */
export interface ReviewPeriod {
  readonly as_of: GrantPosition['as_of'];
  readonly from: number;
  readonly to: number;
}

export interface ReviewLedgerRecords {
  /** Acts before `to`, but for those whose block was removed before `from` and those before `from` that blocked nothing. Oldest first. */
  readonly acts: readonly { readonly id: string; readonly act: KillSwitchRecord }[];
  readonly unreadableActs: readonly UnreadableRecord[];
  readonly policies: readonly {
    readonly sha256: string;
    readonly first_used_at: number;
    readonly last_started_at: number;
  }[];
  readonly unreadablePolicies: readonly UnreadableRecord[];
  /** When the grant began whose access ended first, of those on record; null when none has ended. */
  readonly firstGrantAt: number | null;
}

/** What people read. Nothing of it writes. All of it throws DependencyError, also for a grant that cannot be read. */
export interface ReaderLedger {
  /** Undefined when there is no grant with that id. */
  grant(id: string): Promise<Grant | undefined>;
  /** At most `limit`, from a position that was returned for the same filters. Undefined when it was not. */
  findGrants(
    filters: GrantFilters,
    page: { readonly limit: number; readonly position?: GrantPosition | undefined },
  ): Promise<FoundGrants | undefined>;
  /** What a review needs apart from grants, as it was at `as_of`. */
  reviewRecords(period: ReviewPeriod): Promise<ReviewLedgerRecords>;
  blocks(): Promise<Blocks>;
  /** The acts with these ids, without those that are not on record or cannot be read. */
  killSwitches(ids: readonly string[]): Promise<ReadonlyMap<string, KillSwitchRecord>>;
  /** Whether any grant on record, live or not, has the value. */
  everHad(field: ExactField | 'service_account', value: string): Promise<boolean>;
  /** How many grants have not come to their end, by environment; and those that cannot be read. Of very many it counts some: not `complete`. */
  countLive(): Promise<{
    readonly complete: boolean;
    readonly live: ReadonlyMap<string, number>;
    readonly unreadable: readonly UnreadableRecord[];
  }>;
}

interface StoredPolicy {
  /** The policy file, as it was deployed. */
  readonly text: string;
  /** Milliseconds since the epoch: when the first instance started with it, and the last. */
  readonly first_used_at: number;
  readonly last_started_at: number;
}

/** Who runs what. Its writes have no deadline, since nobody waits for them: a caller that must not wait sets one. */
export interface DeploymentLedger {
  /**
   * Records that an instance of `token` started with a policy, the policy's text, and the teams that its rules name. Throws when it could
   * not record both.
   */
  recordToken(
    instance: Instance,
    policy: { readonly sha256: string; readonly text: string; readonly teams: PolicyTeams },
  ): Promise<void>;
  /** Records that an instance of `webhook` has these keys, and when it last accepted a webhook by each. */
  recordWebhook(instance: Instance, keys: readonly WebhookKey[]): Promise<void>;
  /** Records that an instance of `sweep` runs, and what is new. */
  recordSweep(instance: Instance, news: SweepNews): Promise<void>;
  /** Records that an instance of `admin` runs. */
  recordAdmin(instance: Instance): Promise<void>;
  /** When Buildkite was last requested to describe an API token of the sweep; null when it never was. Throws DependencyError. */
  apiTokenCheckedAt(token: 'buildkite_api_token' | 'buildkite_teams_api_token'): Promise<number | null>;
  /** The teams that rules of the policy name, as `token` recorded them. Throws DependencyError. */
  namedTeams(): Promise<NamedTeams>;
  /** The record of each function that wrote one, and those that cannot be read. Throws DependencyError. */
  deployments(): Promise<{
    readonly deployments: readonly Deployment[];
    readonly unreadable: readonly UnreadableRecord[];
  }>;
  /** Undefined when no record has it. Throws DependencyError, also when the text has another SHA-256. */
  policy(sha256: string): Promise<StoredPolicy | undefined>;
}

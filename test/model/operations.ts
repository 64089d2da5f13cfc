// What can be begun at Keydesk, each in the background: how it is called, and what must be true of its outcome. A
// failure has to name a fault of this history or a deadline; anything else is a defect that was taken for one.

import { parseWebhookEvent } from '../../shared/core/webhook/event.ts';
import { endJob, type JobEndResult } from '../../shared/operations/end-job.ts';
import { type IssueResult, issueToken } from '../../shared/operations/issue-token.ts';
import { activateKillSwitch } from '../../shared/operations/kill-switch.ts';
import type { KillResult } from '../../shared/operations/kill-tally.ts';
import { type SweepResult, sweep } from '../../shared/operations/sweep.ts';
import { DependencyError } from '../../shared/runtime/errors.ts';
import type { Deployment } from './deployment.ts';
import { revokeEndpoint } from './keydesk.ts';
import type { Webhook } from './people/buildkite.ts';
import type { ConditionJudge } from './people/judge.ts';
import type { MachineToken } from './people/machines.ts';
import { claimsOf, short } from './setting.ts';
import { type GrantRecord, type Named, names } from './stores.ts';

const FORESEEN =
  /injected \d|returned \d|could not be reached|not requested: its time was up|no response within|returned something unexpected|done too late|no time left|is not (?:dis|en)abled yet|took longer than|is from an account|for lack of time|the sweep goes on|in an unexpected form|no call is left|does not show the team|no key set/;

/** What a request for a token may carry. */
interface Wanted {
  readonly lifetime?: number | undefined;
  readonly machine?: MachineToken | undefined;
}

interface PendingIssue {
  readonly job_id: string;
  readonly credential: string;
  /** It answered: nothing of it goes on. One that failed may have left something behind that does. */
  answered: boolean;
  /** Tells the oracle that nothing of it goes on. */
  readonly over: () => void;
}

/** One act of the kill switch that bars. */
interface Act {
  readonly id: string;
  /** Undefined while that is not known, or is being changed. */
  isActive: boolean | undefined;
  deactivating: boolean;
}

export class Operations {
  readonly deployment: Deployment;
  readonly acts: Act[] = [];
  #activated = 0;
  readonly #pendingIssues: PendingIssue[] = [];
  readonly #revoke: ReturnType<typeof revokeEndpoint>;

  constructor(deployment: Deployment) {
    this.deployment = deployment;
    this.#revoke = revokeEndpoint(deployment.keydesk);
    deployment.world.onSettled = () => {
      for (const { over } of this.#pendingIssues.splice(0)) over();
    };
  }

  /** Comes to undefined when it failed, as all of these do. */
  issueToken(job_id: string, credential: string, wanted: Wanted = {}): Promise<IssueResult | undefined> {
    const { world, keydesk, oracle, google, judge } = this.deployment;
    const pendingIssue: PendingIssue = { job_id, credential, answered: false, over: oracle.requested(job_id) };
    this.#pendingIssues.push(pendingIssue);
    const endedBefore = oracle.ended(job_id);
    google.jobs.add(job_id);
    const { lifetime, machine } = wanted;
    const judged = judge?.requested(job_id, machine);
    return this.#begin<IssueResult>(`request for ${credential} of ${short(job_id)}`, async () => {
      const agentToken = machine?.text;
      const requested = { jobToken: job_id, credentialName: credential, agentToken, scopes: [], lifetime };
      const result = await issueToken(keydesk.tokenDeps, requested, 'request');
      pendingIssue.answered = true;
      pendingIssue.over();
      if (result.outcome === 'issued') {
        oracle.issued(result.grant_id, result.accessToken, result.expires_at);
        const { accessToken: _, ...reported } = result;
        oracle.reported(reported);
        const rule = result.trace.find(({ outcome }) => outcome === 'granted')?.rule ?? 'none';
        if (judged) {
          judge?.issued(judged, rule, result.grant.conditions);
          world.count(`issued: ${rule}`);
        }
        world.count('issued');
        if (result.grant.tokens_issued > 1) world.count('renewed');
        if (endedBefore) world.violate('I2', `job ${job_id} had ended before it asked, and got a token`);
        return [result, 'issued'];
      }
      oracle.reported(result);
      const { reason } = result.refusal;
      world.count(`refused: ${reason}`);
      if (reason === 'job_ended' && !endedBefore) world.count('overtaken by the end');
      return [result, `refused: ${reason}`];
    });
  }

  endJob(job_id: string): Promise<JobEndResult | undefined> {
    const { keydesk, google, oracle, world } = this.deployment;
    google.finishedJobs.add(job_id);
    return this.#begin(`job.finished of ${short(job_id)}`, async () => {
      const ended = await endJob(keydesk.webhookDeps, {
        job_id,
        pipeline_id: claimsOf(job_id).pipeline_id,
        by: 'job.finished',
      });
      if (!oracle.ended(job_id)) world.violate('I2', `the end of ${job_id} was answered and is not on record`);
      return [ended, this.#ending(ended)];
    });
  }

  /** Buildkite delivers a webhook about a build. One that fails it may deliver again. */
  deliver(webhook: Webhook): Promise<boolean | undefined> {
    const { world, keydesk, judge, google } = this.deployment;
    const event = parseWebhookEvent(webhook.body);
    if (event?.kind !== 'build_news') throw new Error(`${JSON.stringify(webhook.body)} is not understood`);
    return this.#begin(`${event.event} of ${webhook.build.pipeline} ${webhook.build.number}`, async () => {
      let isNew: boolean;
      try {
        isNew = await keydesk.webhookDeps.buildLedger.addNews(event.news);
      } catch (error) {
        google.people.undelivered.push(webhook);
        throw error;
      }
      judge?.accepted(webhook);
      world.count(`webhook of a build: ${isNew ? 'new' : 'known'}`);
      return [isNew, isNew ? 'new' : 'known'];
    });
  }

  /** The job returns one of the tokens it got. */
  releaseToken(which: number): void {
    const { world, oracle, google } = this.deployment;
    const left = oracle.left[which % oracle.left.length];
    if (!left) return;
    const token = google.token(left.accessToken);
    const before = this.#grant(left.grant);
    const expiries = oracle.expiries.get(left.grant);
    const lived = token !== undefined && left.expires_at > world.now() && oracle.accepted(token);
    void this.#begin(`return of ${left.accessToken}`, async () => {
      const response = await this.#revoke(left.accessToken);
      oracle.reported(response);
      if (response.status !== 200) return [response, `returned ${response.status}`];
      world.count('returned');
      const same = oracle.expiries.get(left.grant) === expiries;
      const after = this.#grant(left.grant);
      if (lived && same && before && after?.revocation === 'expiry' && after.ended_at === null)
        world.violate('I2', `${left.accessToken} was returned and its grant is still renewed`);
      const { revocation, expires_in } = response.body as { revocation?: string; expires_in?: number };
      const reported = revocation === 'expiry' && expires_in !== undefined && expires_in > 0;
      if (lived && same && before && !reported && oracle.accepted(token))
        world.violate('I3', `${left.accessToken} was released with response 200, and is still accepted`);
      return [response, 'returned 200'];
    });
  }

  activateKillSwitch(named: Named, blocks_new: boolean): void {
    const { world, keydesk, oracle } = this.deployment;
    this.#activated += 1;
    const id = `switch-${this.#activated}`;
    const act: Act = { id, isActive: undefined, deactivating: false };
    if (blocks_new) this.acts.push(act);
    const selector = {
      ...named,
      ...(named.issued_since === undefined ? {} : { issued_since: world.now() + named.issued_since }),
    };
    const affected = this.#live().filter((grant) =>
      names(selector, grant, Math.max(grant.issued_at ?? 0, grant.requested_at)),
    );
    const expiries = new Map(affected.map((grant) => [grant.id, oracle.expiries.get(grant.id)]));
    void this.#begin(`${id} activated for ${JSON.stringify(selector)}${blocks_new ? ', blocking' : ''}`, async () => {
      let killed: KillResult;
      try {
        killed = await activateKillSwitch(keydesk.killSwitchDeps, id, {
          selector,
          actor: 'model',
          reason: 'model',
          blocks_new,
        });
      } catch (error) {
        // Recorded, with the response lost, and deactivated before it was tried again.
        if (act.deactivating && String(error).includes('of a block that was removed'))
          return [undefined, 'deactivated meanwhile'];
        throw error;
      }
      const failed = new Set(killed.failures.map(({ grant_id }) => grant_id));
      for (const { error } of killed.failures) this.#foreseen(error);
      const pendingIssues = this.#pendingIssues.filter(({ answered }) => !answered);
      const excused = (grant: GrantRecord) =>
        failed.has(grant.id) &&
        pendingIssues.some(({ job_id, credential }) => grant.subject.id === job_id && grant.credential === credential);
      if (blocks_new && !act.deactivating) {
        act.isActive = true;
        oracle.activated({ id, named: selector, excused });
      }
      for (const { id: grant } of affected) {
        const after = this.#grant(grant);
        const still = after?.state === 'issuing' || after?.state === 'active';
        if (
          still &&
          after.ended_at === null &&
          !failed.has(grant) &&
          oracle.expiries.get(grant) === expiries.get(grant)
        )
          world.violate('I2', `${id} was thrown and the grant ${grant} that it meant is ${after.state}`);
        if (after?.ended_by === 'kill_switch') world.count('killed');
      }
      return [killed, this.#ending(killed)];
    });
  }

  /** Deactivates one of the blocks that nobody has deactivated yet. */
  deactivateKillSwitch(which: number): void {
    const active = this.acts.filter(({ deactivating }) => !deactivating);
    const act = active[which % active.length];
    if (!act) return;
    const wasActive = act.isActive;
    Object.assign(act, { deactivating: true, isActive: undefined });
    this.deployment.oracle.deactivated(act.id);
    void this.#begin(`${act.id} deactivated`, async () => {
      const deactivated = await this.deployment.keydesk.killSwitchDeps.killSwitchLedger.deactivate(act.id, 'model');
      if (wasActive && !deactivated)
        this.deployment.world.violate('I6', `${act.id} was active and was not deactivated`);
      if (wasActive) act.isActive = false;
      return [deactivated, String(deactivated)];
    });
  }

  sweep(): Promise<SweepResult | undefined> {
    const { world, keydesk, judge } = this.deployment;
    return this.#begin('sweep', async () => {
      const startedAt = keydesk.sweepDeps.clock.now();
      const swept = await sweep(keydesk.sweepDeps);
      for (const { error } of swept.failures) this.#foreseen(error);
      world.count('swept');
      if (swept.enabled.length > 0) world.count('sweep enabled an account');
      if (swept.revoked.length > 0) world.count('sweep finished a revocation');
      if (swept.expired.length > 0) world.count('sweep expired a grant');
      if (swept.reconciledJobs.length > 0) world.count('sweep found a job finished');
      if (swept.enabledExternally.length > 0) world.count('sweep disabled an account again');
      judge?.found(swept.buildLooks.found.flatMap(({ unblocks }) => unblocks.map((unblock) => unblock.job_id)));
      if (judge) await this.#readTeams(judge, startedAt);
      return [swept, this.#ending(swept)];
    });
  }

  async #readTeams(judge: ConditionJudge, startedAt: number): Promise<void> {
    const { world, keydesk, oracle } = this.deployment;
    const since = world.now();
    const result = await keydesk.teamReads.read(keydesk.sweepDeps, startedAt);
    oracle.reported(result);
    for (const { error } of result.failures) this.#foreseen(error);
    if (result.read > 0) world.count('teams read');
    if (result.stale.length > 0) world.count('a team is stale');
    if (result.read > 0 && result.read === result.named && result.failures.length === 0) judge.directoryRead(since);
  }

  #ending({ pending, ...ended }: { pending: readonly { error: string }[]; revoked: readonly unknown[] }): string {
    this.deployment.oracle.reported({ unfinished: pending, ...ended });
    for (const { error } of pending) this.#foreseen(error);
    if (pending.length > 0) this.deployment.world.count('revocation left to the sweep');
    return `${ended.revoked.length} revoked, ${pending.length} unfinished`;
  }

  /** @param work returns its outcome, and the line for the log */
  #begin<T>(label: string, work: () => Promise<[outcome: T, line: string]>): Promise<T | undefined> {
    const { world } = this.deployment;
    world.tell(`begins: ${label}`);
    const working = work().then(
      ([outcome, line]) => {
        world.tell(`${label}: ${line}`);
        return outcome;
      },
      (error: unknown) => {
        world.tell(`${label} failed: ${String(error)}`);
        world.count('failed');
        this.deployment.oracle.reported(String(error));
        this.#foreseen(String(error));
        if (!DependencyError.is(error)) world.violate('harness', `${label} threw ${String(error)}`);
        return undefined;
      },
    );
    world.start(working);
    return working;
  }

  #foreseen(detail: string): void {
    if (!FORESEEN.test(detail)) this.deployment.world.violate('harness', `a failure that no fault explains: ${detail}`);
  }

  #grant(id: string): GrantRecord | undefined {
    return this.deployment.oracle.stores.grants.get(id);
  }

  #live(): GrantRecord[] {
    const grants = [...this.deployment.oracle.stores.grants.values()];
    return grants.filter(({ state, ended_at }) => (state === 'issuing' || state === 'active') && ended_at === null);
  }
}

// What each route of `reader` does.

import { auditEvent } from '../../shared/audit/events.ts';
import { toIso } from '../../shared/core/iso-time.ts';
import { toGrantDetails } from '../../shared/core/operator-api/grant.ts';
import type { READER_ROUTES } from '../../shared/core/operator-api/reader.ts';
import { toWire } from '../../shared/core/operator-api/selector.ts';
import { toStatusView } from '../../shared/core/operator-api/status.ts';
import { toStatus } from '../../shared/core/status/status.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { ReaderClients } from '../../shared/wiring/reader.ts';
import type { PrivateHandlers } from '../runtime/private-handler.ts';
import { createListGrants } from './list-grants.ts';
import { createGetPolicy, createGetReview } from './review.ts';

export interface ReaderDeps {
  readonly loadClients: () => Promise<ReaderClients>;
  readonly clock: Clock;
}

export function createReaderHandlers({ loadClients, clock }: ReaderDeps): PrivateHandlers<typeof READER_ROUTES> {
  return {
    listGrants: createListGrants(loadClients, clock),
    getReview: createGetReview(loadClients),
    getPolicy: createGetPolicy(loadClients),
    getStatus: async ({ actor }) => {
      const { readerLedger, deploymentLedger, teamLedger } = await loadClients();
      const [{ recorded, read }, blocks, counted] = await Promise.all([
        deploymentLedger.deployments().then(async (recorded) => {
          const token = recorded.deployments.find((one) => one.function === 'token');
          const ids = token?.function === 'token' ? token.teams.map(({ id }) => id) : [];
          return { recorded, read: await teamLedger.teams(ids) };
        }),
        readerLedger.blocks(),
        readerLedger.countLive(),
      ]);
      const unreadable = [...recorded.unreadable, ...counted.unreadable, ...read.unreadable].map(({ error }) => error);
      const records = {
        deployments: recorded.deployments,
        unreadable,
        blocks,
        live: counted.live,
        live_complete: counted.complete,
        teams: read.teams,
      };
      return {
        body: toStatusView(toStatus(records, clock.now()), clock.now()),
        auditEvents: [auditEvent('operator.read', { actor, operation: 'getStatus' })],
      };
    },
    getGrant: async ({ actor, params: { id = '' } }) => {
      const { readerLedger } = await loadClients();
      const grant = await readerLedger.grant(id);
      if (!grant)
        return {
          status: 404,
          error: 'not_found',
          description: `No grant ${id} is on record. It is kept for 400 days.`,
        };
      const acts = await readerLedger.killSwitches(grant.kill_switch_id === null ? [] : [grant.kill_switch_id]);
      return {
        body: toGrantDetails(grant, acts.get(grant.kill_switch_id ?? ''), clock.now()),
        auditEvents: [auditEvent('operator.read', { actor, operation: 'getGrant', about: id })],
      };
    },
    listBlocks: async ({ actor }) => {
      const { readerLedger } = await loadClients();
      const blocks = await readerLedger.blocks();
      const acts = await readerLedger.killSwitches(blocks.map(({ id }) => id));
      return {
        body: {
          blocks: blocks.map(({ id, selector, activated_at }) => ({
            id,
            selector: toWire(selector),
            actor: acts.get(id)?.actor ?? null,
            reason: acts.get(id)?.reason ?? null,
            activated_at: toIso(activated_at),
          })),
        },
        auditEvents: [auditEvent('operator.read', { actor, operation: 'listBlocks' })],
      };
    },
  };
}

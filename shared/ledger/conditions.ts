// What the ledger knows for the conditions of rules: the records of builds and teams. `token` reads them and asks for looks; `webhook`
// and `sweep` write what Buildkite said.

import {
  addLook,
  addNews,
  type BuildRecord,
  buildRecordId,
  buildRecordSchema,
  requestLook,
} from '../core/conditions/build-record.ts';
import { isAhead, type TeamRecord, teamRecordSchema } from '../core/conditions/team-record.ts';
import { BUILD_NEWS_DEADLINE_MS } from '../core/timing.ts';
import type { Database, DocumentSnapshot } from '../firestore/database.ts';
import { parseAll, parseRecord, putIfUnchanged, retryOnConflict } from '../firestore/records.ts';
import type { BuildKey, BuildLedger, ConditionLedger, TeamLedger } from '../operations/ports.ts';
import type { Clock } from '../runtime/clock.ts';
import { commitWithRetry, readPages, withLedgerTimeout } from './documents.ts';

const PAGE = 100;

export function createConditionLedger(ledger: Database, clock: Clock): ConditionLedger {
  return {
    facts: async ({ build, teams }) => {
      const documents = [
        ...(build ? [buildDocument(ledger, build)] : []),
        ...teams.map((id) => teamDocument(ledger, id)),
      ];
      const reads = documents.length > 0 ? await withLedgerTimeout(clock, ledger.getAll(...documents)) : [];
      const ofTeams = build ? reads.slice(1) : reads;
      const [ofBuild] = build ? reads : [];
      return {
        build: ofBuild && toBuildRecord(ofBuild),
        teams: new Map(ofTeams.flatMap((read) => toEntry(read))),
      };
    },
    requestLook: async (build) => {
      await change(ledger, clock, build, (existing) => requestLook(existing, build, clock.now()));
    },
  };
}

export function createBuildLedger(ledger: Database, clock: Clock): BuildLedger {
  return {
    addNews: (news) => {
      const until = clock.now() + BUILD_NEWS_DEADLINE_MS;
      return change(ledger, clock, news, (existing) => addNews(existing, news, clock.now()), until);
    },
    due: async (limit) => {
      const query = ledger.collection('builds').where('look_at', '<=', new Date(clock.now())).orderBy('look_at');
      const { loaded, unreadable } = parseAll(await readPages(clock, query, { limit, size: PAGE }), toBuildRecord);
      return { builds: loaded.map(({ record }) => record), unreadable };
    },
    recordLook: async (build, news) => {
      await change(ledger, clock, build, (existing) => existing && addLook(existing, news, clock.now()));
    },
  };
}

export function createTeamLedger(ledger: Database, clock: Clock): TeamLedger {
  return {
    teams: async (ids) => {
      const reads =
        ids.length > 0
          ? await withLedgerTimeout(clock, ledger.getAll(...ids.map((id) => teamDocument(ledger, id))))
          : [];
      const { loaded, unreadable } = parseAll(reads, (read) => parseRecord(teamRecordSchema, read));
      return { teams: new Map(loaded.map(({ read, record }) => [read.id, record])), unreadable };
    },
    record: async (id, team) => {
      await commitWithRetry(clock, async () => {
        const read = await teamDocument(ledger, id).get();
        const known = parseAll([read], (one) => parseRecord(teamRecordSchema, one)).loaded[0]?.record;
        const at = known?.read_at ?? 0;
        if (at > (team.read_at ?? 0) && !isAhead(at, clock.now())) return;
        const batch = ledger.batch();
        putIfUnchanged(batch, read.ref, read.updateTime, team);
        await batch.commit();
      });
    },
  };
}

/** Writes what `next` makes of the record, unless that is what it was. @returns whether it wrote */
function change(
  ledger: Database,
  clock: Clock,
  build: BuildKey,
  next: (existing: BuildRecord | undefined) => BuildRecord | undefined,
  until?: number,
): Promise<boolean> {
  const attempt = async () => {
    const read = await buildDocument(ledger, build).get();
    const existing = toBuildRecord(read);
    const changed = next(existing);
    if (!changed || changed === existing) return false;
    const batch = ledger.batch();
    putIfUnchanged(batch, read.ref, read.updateTime, changed);
    await batch.commit();
    return true;
  };
  return withLedgerTimeout(clock, retryOnConflict(clock, attempt), until);
}

function buildDocument(ledger: Database, { pipeline_id, build_number }: BuildKey) {
  return ledger.collection('builds').doc(buildRecordId(pipeline_id, build_number));
}

function teamDocument(ledger: Database, id: string) {
  return ledger.collection('teams').doc(id);
}

function toBuildRecord(snapshot: DocumentSnapshot): BuildRecord | undefined {
  return parseRecord(buildRecordSchema, snapshot);
}

/** The team by its UUID; nothing for one that was never read. @throws DependencyError when the document is no team */
function toEntry(snapshot: DocumentSnapshot): (readonly [string, TeamRecord])[] {
  const record = parseRecord(teamRecordSchema, snapshot);
  return record ? [[snapshot.id, record]] : [];
}

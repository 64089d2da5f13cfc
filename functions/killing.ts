// The clients of the kill switch: those that end, and the ledger of its acts. They can neither mint nor enable an account.

import type { Settings } from '../shared/core/settings.ts';
import type { KillParts } from '../shared/kill-switch.ts';
import { createDatabaseOpener } from '../shared/ledger/firestore-client.ts';
import { createKillLedger } from '../shared/ledger/kill-ledger.ts';
import { createEnding } from './ending.ts';

export function createKilling(parts: {
  readonly settings: Settings;
  readonly emulator: boolean;
  readonly now: () => number;
}): KillParts {
  const { settings, emulator, now } = parts;
  const { GOOGLE_CLOUD_PROJECT: project, KEYDESK_DATABASE: database } = settings;
  const ledger = createDatabaseOpener(emulator)({ project, database });
  return { ...createEnding(parts), killLedger: createKillLedger(ledger, now) };
}

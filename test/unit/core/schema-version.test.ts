// A change of a stored record's schema raises SCHEMA_VERSION. `RECORD=1` writes the schemas of the version down.

import { readFileSync, writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import * as z from 'zod';
import { buildRecordSchema } from '../../../shared/core/conditions/build-record.ts';
import { teamRecordSchema } from '../../../shared/core/conditions/team-record.ts';
import { deploymentSchema } from '../../../shared/core/deployment/deployment.ts';
import { policyRecordSchema } from '../../../shared/core/deployment/policy-record.ts';
import { firebaseUserSchema } from '../../../shared/core/firebase-user.ts';
import { grantSchema } from '../../../shared/core/grant/grant.ts';
import { jobRecordSchema } from '../../../shared/core/grant/job-record.ts';
import { blocksSchema, killSwitchSchema } from '../../../shared/core/kill-switch.ts';
import { accountSchema } from '../../../shared/core/pool/account.ts';
import { SCHEMA_VERSION } from '../../../shared/core/schema-version.ts';

const FILE = new URL('./schema-version.json', import.meta.url);

it('is the version of the schemas that are on file', () => {
  const records = {
    ...{ grants: grantSchema, jobs: jobRecordSchema, service_accounts: accountSchema, blocks: blocksSchema },
    ...{ kill_switches: killSwitchSchema, firebase_users: firebaseUserSchema },
    ...{ deployments: deploymentSchema, policies: policyRecordSchema },
    ...{ builds: buildRecordSchema, teams: teamRecordSchema },
  };
  const schemas = Object.fromEntries(
    Object.entries(records).map(([name, schema]) => [
      name,
      z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }),
    ]),
  );
  if (process.env.RECORD) writeFileSync(FILE, `${JSON.stringify({ version: SCHEMA_VERSION, schemas }, null, 2)}\n`);
  const recorded = JSON.parse(readFileSync(FILE, 'utf8'));
  // A schema that differs needs the next version: functions of the release before go by it. See docs/STORAGE.md, "Versions".
  expect({ version: SCHEMA_VERSION, schemas }).toEqual(recorded);
});

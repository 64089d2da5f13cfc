// The databases that the policy opens: each exists, in native mode and Standard edition.
// Source: docs.cloud.google.com/firestore/docs/reference/rest/v1/projects.databases.

import * as z from 'zod';
import { shellCommand } from '../../shared/core/shell-quote.ts';
import type { CheckKind } from '../checks/check.ts';
import { READS } from './needed-permissions.ts';
import type { Target } from './target.ts';

const databaseShape = z.object({
  type: z.string().default(''),
  databaseEdition: z.string().default(''),
  locationId: z.string().default(''),
});
type Database = z.output<typeof databaseShape>;

type Name = 'database_missing' | 'database_in_datastore_mode' | 'database_of_enterprise_edition';

export const databases: CheckKind<Target, Name> = {
  name: 'database',
  looksAt: 'Whether each data database exists, its mode and its edition.',
  findings: {
    database_missing: {
      severity: 'error',
      what: 'The database {database} does not exist in {project}.',
      why: 'The module does not create data databases. The apply fails at their indexes.',
      fix: 'gcloud firestore databases create --project={project} --database={database} --location=LOCATION --type=firestore-native',
      undo: 'gcloud firestore databases delete --project={project} --database={database}',
    },
    database_in_datastore_mode: {
      severity: 'error',
      what: 'The database {database} of {project} is in Datastore mode.',
      why: 'It has no security rules, so a firestore credential opens nothing.',
      fix: 'Put a database in native mode into the policy. An empty database can change its mode: gcloud firestore databases update --project={project} --database={database} --type=firestore-native',
      undo: 'gcloud firestore databases update --project={project} --database={database} --type=datastore-mode',
    },
    database_of_enterprise_edition: {
      severity: 'error',
      what: 'The database {database} of {project} is of Enterprise edition.',
      why: 'Google refuses the single-field index settings of the module there, so the apply fails.',
      fix: 'Put a database of Standard edition into the policy. The edition of a database cannot change.',
      undo: 'Put the former database into the policy again.',
    },
  },
  checksOf: ({ databases: all }) =>
    all.map(({ project, database }) => ({
      subject: `${project}, ${database}`,
      look: async (google) => {
        const found = await google.find({
          api: 'firestore.googleapis.com',
          path: `v1/projects/${project}/databases/${database}`,
          shape: databaseShape,
          ...READS.database,
          on: project,
          gcloud: {
            command: shellCommand`gcloud firestore databases describe --project=${project} --database=${database}`,
          },
        });
        return judgeDatabase({ project, database }, found);
      },
    })),
};

function judgeDatabase(facts: { readonly project: string; readonly database: string }, found: Database | undefined) {
  if (!found) return { found: [{ finding: 'database_missing' as const, facts }] };
  const { type, databaseEdition, locationId } = found;
  if (type === 'DATASTORE_MODE') return { found: [{ finding: 'database_in_datastore_mode' as const, facts }] };
  if (databaseEdition === 'ENTERPRISE')
    return { found: [{ finding: 'database_of_enterprise_edition' as const, facts }] };
  return { found: [], ...(locationId === '' ? {} : { detail: locationId }) };
}

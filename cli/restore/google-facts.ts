// What Google has of a deployment whose ledger is being restored: whether anything is issued or swept, and which database the functions use.

import * as z from 'zod';
import { type Quoted, shellCommand } from '../../shared/core/shell-quote.ts';
import type { Google } from '../checks/google.ts';
import { planChecks, runChecks } from '../checks/run.ts';
import { policyShape, projectPolicyCall, WITH_CONDITIONS } from '../doctor/iam/policy.ts';
import { indexes, ledger, timeToLive } from '../doctor/ledger.ts';
import { READS } from '../doctor/reads.ts';
import { readService, serviceName, variablesOf } from '../doctor/service.ts';
import type { Restore } from './options.ts';
import { type Item, item } from './step.ts';

const FUNCTIONS = ['token', 'webhook', 'sweep', 'reader', 'admin'] as const;
const EVERYBODY = ['allUsers', 'allAuthenticatedUsers'];

/** Whether the sweep is paused. */
export async function sweepItem(google: Google, restore: Restore): Promise<Item> {
  return item(
    (await schedulerState(google, restore)) === 'PAUSED',
    {
      yes: 'The scheduler job is paused: no sweep enables an account by old records.',
      no: 'The scheduler job runs: a sweep would enable accounts by old records.',
    },
    shellCommand`gcloud scheduler jobs pause ${jobName(restore)}`,
  );
}

export async function schedulerState(google: Google, { project, region, prefix }: Restore): Promise<string> {
  const { state } = await google.read({
    api: 'cloudscheduler.googleapis.com',
    path: `v1/projects/${project}/locations/${region}/jobs/${prefix}-sweep`,
    shape: z.object({ state: z.string().default('') }),
    ...READS.schedulerJob,
    on: project,
  });
  return state;
}

/** For gcloud. */
export function jobName({ project, region, prefix }: Restore): Quoted {
  return { quoted: shellCommand`${prefix}-sweep --location=${region} --project=${project}` };
}

/** Whether nobody may call `token`. */
export async function closedItems(google: Google, restore: Restore): Promise<Item[]> {
  const { project, region } = restore;
  const name = serviceName(restore, 'token');
  const service = await readService(google, restore, 'token');
  const isChecked = service?.metadata.annotations['run.googleapis.com/invoker-iam-disabled'] !== 'true';
  const where = { quoted: shellCommand`--region=${region} --project=${project}` };
  const { bindings } = await google.read({
    api: 'run.googleapis.com',
    path: `v1/projects/${project}/locations/${region}/services/${name}:getIamPolicy`,
    query: [['options.requestedPolicyVersion', String(WITH_CONDITIONS.options.requestedPolicyVersion)]],
    shape: policyShape,
    ...READS.servicePolicy,
    on: `the service ${name}`,
  });
  const open = bindings.flatMap(({ role, members }) =>
    members.filter((member) => EVERYBODY.includes(member)).map((member) => ({ role, member })),
  );
  return [
    item(
      isChecked,
      { yes: `Cloud Run checks who calls ${name}.`, no: `Anybody may call ${name}: it issues tokens.` },
      shellCommand`gcloud run services update ${name} --invoker-iam-check ${where}`,
    ),
    item(
      open.length === 0,
      { yes: `Nobody on the network may invoke ${name}.`, no: `Everybody may invoke ${name}.` },
      ...open.map(
        ({ role, member }) =>
          shellCommand`gcloud run services remove-iam-policy-binding ${name} --member=${member} --role=${role} ${where}`,
      ),
    ),
  ];
}

/** Whether the restored database is there, with what the ledger needs, and each function's identity may use it. */
export async function databaseItems(google: Google, restore: Restore): Promise<Item[]> {
  const { project, database, restored, snapshot } = restore;
  const clone = shellCommand`gcloud firestore databases clone --source-database=projects/${project}/databases/${database} --snapshot-time=${snapshot.iso} --destination-database=${restored} --project=${project}`;
  const target = { project, ledgerDatabase: restored, databases: [] };
  const [exists] = await look(google, planChecks([ledger], target));
  if (exists?.findings.some(({ finding }) => finding === 'ledger_missing'))
    return [item(false, { yes: '', no: `The database ${restored} does not exist.` }, clone)];
  const results = [...(exists ? [exists] : []), ...(await look(google, planChecks([indexes, timeToLive], target)))];
  return [
    ...results.flatMap(({ check, findings }) =>
      findings.length === 0
        ? [item(true, { yes: `${restored}: ${check} as the ledger needs it.`, no: '' })]
        : findings.map(({ what, fix }) => item(false, { yes: '', no: what }, fix)),
    ),
    ...(await roleItems(google, restore)),
  ];
}

async function look(google: Google, planned: ReturnType<typeof planChecks>) {
  return runChecks(planned, google, { accepted: [], report: () => {} });
}

async function roleItems(google: Google, { project, prefix, restored }: Restore): Promise<Item[]> {
  const { bindings } = await google.read(projectPolicyCall(project));
  const expression = `resource.name == "projects/${project}/databases/${restored}"`;
  return FUNCTIONS.map((name) => {
    const role = `projects/${project}/roles/${prefix.replaceAll('-', '_')}_${name === 'reader' ? 'ledger_reader' : 'ledger'}`;
    const member = `serviceAccount:${prefix}-${name}@${project}.iam.gserviceaccount.com`;
    const has = bindings.some(
      (one) => one.role === role && one.condition?.expression === expression && one.members.includes(member),
    );
    return item(
      has,
      { yes: `${name} may use ${restored}.`, no: `${name} may not use ${restored}.` },
      shellCommand`gcloud projects add-iam-policy-binding ${project} --member=${member} --role=${role} --condition=${`title=keydesk ledger only,expression=${expression}`}`,
    );
  });
}

/** Whether every function uses the restored database. */
export async function switchItems(google: Google, restore: Restore): Promise<Item[]> {
  const { project, region, restored } = restore;
  return Promise.all(
    FUNCTIONS.map(async (name) => {
      const service = await readService(google, restore, name);
      const found = service && variablesOf(service).find((variable) => variable.name === 'KEYDESK_DATABASE')?.value;
      const onLatest = service?.spec.traffic.every(({ latestRevision, percent }) => latestRevision || percent === 0);
      const whole = serviceName(restore, name);
      const where = { quoted: shellCommand`--region=${region} --project=${project}` };
      return item(
        found === restored && onLatest === true,
        { yes: `${whole} uses ${restored}.`, no: `${whole} uses ${found ?? 'no database'}, or has several revisions.` },
        shellCommand`gcloud run services update ${whole} --update-env-vars=KEYDESK_DATABASE=${restored} ${where}`,
        shellCommand`gcloud run services update-traffic ${whole} --to-latest ${where}`,
      );
    }),
  );
}

// The ready-made queries in deploy/audit name only what is there to be found: fields of Keydesk's lines as a running Keydesk writes
// them, and fields of Google's audit log. What the SQL finds is in audit-sql.test.ts.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROOT } from '../../../sandbox/functions.ts';
import { EVENTS } from '../../../shared/audit/events.ts';
import { conditionBasisSchema } from '../../../shared/core/conditions/basis.ts';
import { openInProcessKeydesk } from '../../fixtures/in-process-keydesk.ts';

const FOLDER = join(ROOT, 'deploy', 'audit');
/** Without comments. */
const read = (file: string) => readFileSync(join(FOLDER, file), 'utf8').replaceAll(/^--.*$/gm, '');
const files = readdirSync(FOLDER, { recursive: true, encoding: 'utf8' })
  .filter((file) => /\.(logql|sql)$/.test(file))
  .sort();
const filters = files.filter((file) => file.endsWith('.logql'));
const sql = files.filter((file) => file.endsWith('.sql'));

const LABELS = 'logging.googleapis.com/labels';
/** In which a request of Firestore's says what it is for. */
const ASKED = ['name', 'documents', 'writes', 'structuredQuery', 'addTarget'];
/** Those of google.cloud.audit.AuditLog that the queries use, in its JSON spelling. */
const AUDIT_LOG = [
  ...['serviceName', 'methodName', 'resourceName', 'status.code', 'requestMetadata.callerIp', 'numResponseItems'],
  ...['authenticationInfo.principalEmail', 'authenticationInfo.thirdPartyPrincipal.payload.keydesk_grant'],
  ...['request', 'request.parent', ...ASKED.map((name) => `request.${name}`)],
];

/** Of the basis of a grant. No rule of this policy has conditions. */
const approval = conditionBasisSchema.shape.approval.unwrap().shape;

const fieldsIn = (text: string, pattern: RegExp) => [...text.matchAll(pattern)].map(([, field = '']) => field);
const namesOf = (values: readonly unknown[]) =>
  new Set(values.flatMap((value) => (typeof value === 'object' && value !== null ? Object.keys(value) : [])));

describe('the queries over the lines of Keydesk', () => {
  let keydesk: Awaited<ReturnType<typeof openInProcessKeydesk>>;
  beforeAll(async () => {
    keydesk = await openInProcessKeydesk();
    const { buildkite } = keydesk;
    const job = buildkite.startJob();
    for (const credential of ['staging-config', 'staging-export', 'staging-admin', 'no-such-credential'])
      await keydesk.requestByForm(await buildkite.jobToken(job), credential);
    await keydesk.notify(buildkite.event(job));
    const build = buildkite.builds.start();
    const step = buildkite.builds.addBlockStep(build, 'approve');
    buildkite.builds.unblock(step, null);
    await keydesk.notify(buildkite.builds.stepEvent(build, step));
  });
  afterAll(() => keydesk.close());

  it.each(filters.filter((file) => !file.startsWith('google-')))(
    'name fields and labels that lines have: %s',
    (file) => {
      const text = read(file);
      const labels = namesOf(keydesk.audit.map((line) => line[LABELS]));
      const payload = namesOf(keydesk.audit);
      const ofApproval = new Set(Object.keys(approval).map((name) => `conditions.approval.${name}`));
      const ofJob = namesOf(keydesk.audit.map(({ job }) => job));
      const named = fieldsIn(text, /\b(?:jsonPayload|labels)\.([a-z_0-9.]+)/g);
      expect(named.length).toBeGreaterThan(0);
      expect(fieldsIn(text, /\blabels\.([a-z_]+)/g).filter((name) => !labels.has(name))).toEqual([]);
      const unknown = fieldsIn(text, /\bjsonPayload\.([a-z_0-9.]+)/g).filter(
        (name) =>
          !(name.startsWith('job.') ? ofJob.has(name.slice('job.'.length)) : payload.has(name) || ofApproval.has(name)),
      );
      expect(unknown).toEqual([]);
    },
  );

  it.each(filters)('name events that there are: %s', (file) => {
    const events = Object.keys(EVENTS);
    for (const event of fieldsIn(read(file), /labels\.event="([^"]+)"/g)) expect(events).toContain(event);
    for (const pattern of fieldsIn(read(file), /labels\.event=~"([^"]+)"/g))
      expect(events.some((event) => new RegExp(pattern.replaceAll('\\\\', '\\')).test(event))).toBe(true);
  });

  it.each(sql)('name fields that the lines of grants have, events and kinds that there are: %s', (file) => {
    const text = read(file);
    const grants = keydesk.audit.filter(({ grant_id, kind }) => grant_id && kind);
    const fields = namesOf(grants);
    expect(fieldsIn(text, /json_payload\.([a-z_0-9]+)/g).filter((name) => !fields.has(name))).toEqual([]);
    const kinds = new Set(grants.map(({ kind }) => kind));
    expect(fieldsIn(text, /'(firestore|\w*service_account)'/g).filter((kind) => !kinds.has(kind))).toEqual([]);
    for (const event of fieldsIn(text, /'((?:grant|account)\.[a-z_]+)'/g)) expect(Object.keys(EVENTS)).toContain(event);
  });
});

describe("the queries over Google's audit log", () => {
  it.each(files)('name fields that AuditLog has: %s', (file) => {
    const text = read(file);
    const camel = (name: string) =>
      name.endsWith('keydesk_grant')
        ? name.replace('authentication_info.third_party_principal', 'authenticationInfo.thirdPartyPrincipal')
        : name.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
    const named = [
      ...fieldsIn(text, /protoPayload\.([a-zA-Z_.]+)/g),
      ...fieldsIn(text, /proto_payload\.audit_log\.([a-zA-Z_.]+)/g).map(camel),
    ];
    expect(named.filter((name) => !AUDIT_LOG.includes(name))).toEqual([]);
  });

  it('search a request in the fields where Firestore logs it', () => {
    const proto = 'node_modules/@google-cloud/firestore/build/protos/google/firestore/v1/firestore.proto';
    const messages = readFileSync(join(ROOT, proto), 'utf8').matchAll(/^message \w+Request \{$([\s\S]*?)^\}$/gm);
    const fields = new Set(
      [...messages].flatMap(([, body = '']) =>
        fieldsIn(body, / (\w+) = \d+/g).map((name) =>
          name.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()),
        ),
      ),
    );
    for (const name of ['parent', ...ASKED]) expect(fields).toContain(name);
    expect(fieldsIn(read('grant-to-touches.sql'), /audit_log\.request\.(\w+),$/gm)).toEqual(ASKED);
  });

  it('search no account by its address where IAM writes its number', () => {
    for (const file of filters) expect([file, read(file).includes('resourceName')]).toEqual([file, false]);
  });

  it('search what an account touched only within its lease', () => {
    expect(read('google-touched-by-account.logql')).toMatch(/^timestamp>="LEASED_AT"\ntimestamp<="ACCESS_ENDED_AT"$/m);
  });

  // BigQuery bills what is read, and leaves out by literals alone. A view has no days, and says so.
  it.each(sql.filter((file) => !file.startsWith('views/')))(
    'read only the requested days of the log, and a short time before them: %s',
    (file) => {
      const text = read(file);
      const day = "TIMESTAMP\\('\\d{4}-\\d{2}-\\d{2} 00:00:00\\+00'\\), INTERVAL 2 HOUR\\)";
      // Whether something is still so is known only from what has happened until now.
      const until = text.includes('CURRENT_TIMESTAMP()') ? '' : `\\s+AND timestamp < TIMESTAMP_ADD\\(${day}`;
      const bounded = `FROM \`PROJECT\\.keydesk_logs\\._AllLogs\`\\s+WHERE timestamp >= TIMESTAMP_SUB\\(${day}${until}\\n\\),`;
      expect(text.match(/_AllLogs/g)).toHaveLength(1);
      expect(text).toMatch(new RegExp(bounded));
    },
  );
});

// Sends one request to a new Keydesk and returns everything that came of it: the response, the audit lines, the calls to Google
// and the documents that it changed. What differs from run to run is replaced, so that it does not hang on the order in
// which anything is written: chance by a constant, times by times after START, tokens and ids by names.

import { Timestamp } from '@google-cloud/firestore';
import { grantId, tokenSha256 } from '../../../shared/core/grant/id.ts';
import { databaseOf, type InProcessKeydesk, openInProcessKeydesk } from '../../fixtures/in-process-keydesk.ts';
import { callRaw, type RawRequest } from '../../fixtures/raw-request.ts';
import { FORM } from '../token-request.ts';

export type Target = 'token' | 'webhook' | 'sweep';
/** A request, and what breaks while it is served. */
type Prepared = RawRequest & { readonly breaks?: () => { mockRestore(): void } };
/** What is done before the request, which is returned. Only what the request itself causes is recorded. */
export type Case = readonly [
  title: string,
  request: (keydesk: InProcessKeydesk) => Prepared | Promise<Prepared>,
  options?: Parameters<typeof openInProcessKeydesk>[0],
];

const START = Date.UTC(2026, 0, 1);
const TWO_DAYS_S = 2 * 86_400;
/** Headers that vary with the connection, or follow from the rest. */
const LEFT_OUT = ['connection', 'content-length', 'date', 'keep-alive', 'transfer-encoding'];
/** What has no name of its own. */
const NAMELESS: readonly (readonly [pattern: RegExp, name: string])[] = [
  [/eyJ[\w-]{8,}(?:\.[\w-]*){1,2}/g, '<jwt>'],
  [/\b[0-9a-f]{64}\b/g, '<sha256>'],
  // But for those that stand in the policy or in the local Buildkite.
  [/\b(?!f892efa9-103e|0184990a-)[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/g, '<id>'],
  // Made from an id.
  [/(?<=graphql_id\\?":\\?")[\w+/=]+/g, '<graphql id>'],
  [/(.)\1{99,}/g, '<long>'],
  [/(\\n {4}at [^"\\]*)+/g, '\\n<stack>'],
  // The Auth emulator has other words than the local Google.
  [/(?<=INVALID_CUSTOM_TOKEN : )[^;]+/g, '<words>'],
];

/** What came of the request, as plain JSON. */
export async function record(target: Target, [title, prepare, options]: Case): Promise<object> {
  const keydesk = await openInProcessKeydesk(options);
  try {
    keydesk.clock.reset();
    const start = keydesk.clock.now();
    const names = nameWhatVaries(keydesk);
    const raw = await prepare(keydesk);
    const before = {
      documents: await documentsOf(keydesk),
      calls: keydesk.google.calls.length,
      lines: keydesk.audit.length,
    };
    const broken = raw.breaks?.();
    // Without a response where the connection was closed.
    const response = await callRaw(keydesk, keydesk[`${target}Url`], raw).catch(() => null);
    broken?.mockRestore();
    const request_id = response?.headers.get('x-request-id');
    if (request_id) names().set(request_id, '<request id>');
    const recording = {
      title,
      request: toRequest(raw),
      response: response && {
        status: response.status,
        headers: Object.fromEntries([...response.headers].filter(([name]) => !LEFT_OUT.includes(name))),
        body: response.json ?? response.text,
      },
      // Without those of another request that is under way; some lines are of no request.
      audit: keydesk.audit
        .slice(before.lines)
        .filter((line) => !request_id || [request_id, undefined].includes(line.request_id as string)),
      google: keydesk.google.calls.slice(before.calls).map(toCall),
      ledger: byDatabase(changes(before.documents, await documentsOf(keydesk))),
    };
    return JSON.parse(withoutVarying(JSON.stringify(recording), names(), start));
  } finally {
    await keydesk.close();
  }
}

/** Makes chance fall always the same way, and returns what is to be replaced by what, as far as it is known by then. */
function nameWhatVaries(keydesk: InProcessKeydesk): () => Map<string, string> {
  const { project, buildkite, google, tokenDeps, clock } = keydesk;
  const { startJob, jobToken } = buildkite;
  const { mint } = tokenDeps;
  const { sha256 } = tokenDeps.policy;
  const names = new Map([
    [project, 'acme-project'],
    [buildkite.url, 'http://buildkite'],
    [google.url, 'http://google'],
    [sha256, '<policy sha256>'],
  ]);
  const [jobs, jobTokens, accessTokens]: [string[], string[], string[]] = [[], [], []];
  let drawn = 0;
  Object.assign(clock, {
    // Next to a half: no two ids are equal.
    random: () => {
      drawn += 1;
      return 0.5 + drawn / 2 ** 32;
    },
  });
  buildkite.startJob = (...requested) => {
    const job = startJob(...requested);
    jobs.push(job.id);
    return job;
  };
  buildkite.jobToken = async (...requested) => {
    const token = await jobToken(...requested);
    jobTokens.push(token);
    return token;
  };
  tokenDeps.mint = async (...requested) => {
    const minted = await mint(...requested);
    // Two tokens that the Auth emulator makes within a second are the same.
    const accessToken = `${minted.accessToken}${'x'.repeat(accessTokens.length)}`;
    accessTokens.push(accessToken);
    return { ...minted, accessToken };
  };
  return () => {
    const { policy } = tokenDeps;
    if (policy.sha256 !== sha256) names.set(policy.sha256, '<changed policy sha256>');
    for (const [index, token] of jobTokens.entries()) names.set(token, `<job token ${index + 1}>`);
    for (const [index, token] of accessTokens.entries())
      names.set(token, `<access token ${index + 1}>`).set(tokenSha256(token), `<sha256 of access token ${index + 1}>`);
    for (const [index, id] of jobs.entries()) {
      names.set(id, `<job ${index + 1}>`);
      for (const credential of Object.keys(policy.policy.credentials))
        names.set(grantId(id, credential), `<grant of ${credential} to job ${index + 1}>`);
    }
    return names;
  };
}

function withoutVarying(text: string, names: ReadonlyMap<string, string>, start: number): string {
  let changed = text;
  // A token may begin with another.
  for (const [value, name] of [...names].sort(([a], [b]) => b.length - a.length))
    changed = changed.replaceAll(value, name);
  for (const [pattern, name] of NAMELESS) changed = changed.replace(pattern, name);
  return changed
    .replace(/\b20\d\d-\d\d-\d\dT[\d:.]+Z/g, (time) => {
      const at = Date.parse(time);
      // Older ones do not follow the clock.
      return at < start - TWO_DAYS_S * 1000 ? time : new Date(at - start + START).toISOString();
    })
    .replace(/\b\d{10}\b/g, (digits) =>
      Math.abs(Number(digits) - start / 1000) < TWO_DAYS_S ? String(Number(digits) + (START - start) / 1000) : digits,
    );
}

function toRequest({ method = 'POST', path = '/', headers = {}, body = '', unsent }: RawRequest) {
  return { method, path, headers, ...(body.length > 0 ? { body: toBody(String(body), headers) } : {}), unsent };
}

function toBody(body: string, headers: NonNullable<RawRequest['headers']>): unknown {
  if (headers['content-type'] === FORM)
    return Object.fromEntries([...Map.groupBy(new URLSearchParams(body), ([name]) => name)].map(toParameter));
  return body.startsWith('{') ? JSON.parse(body) : body;
}

function toParameter([name, pairs]: readonly [string, readonly (readonly [string, string])[]]) {
  const [value, ...more] = pairs.map(([, value]) => value);
  return [name, more.length > 0 ? [value, ...more] : value];
}

function toCall({ method, account, body, reason }: InProcessKeydesk['google']['calls'][number]) {
  // Of signJwt: JSON as text.
  const { payload, ...rest } = body as { readonly payload?: string };
  return { method, account, body: payload === undefined ? rest : { ...rest, payload: JSON.parse(payload) }, reason };
}

interface StoredDocument {
  readonly database: string;
  readonly collection: string;
  readonly id: string;
  readonly data: unknown;
}

/** Everything that is stored, by path. */
async function documentsOf({ project }: InProcessKeydesk): Promise<ReadonlyMap<string, StoredDocument>> {
  const found = new Map<string, StoredDocument>();
  for (const database of ['ledger', '(default)'])
    for (const collection of await databaseOf(project, database).listCollections())
      for (const document of (await collection.get()).docs) {
        const { id } = document;
        const data = toPlain(document.data());
        found.set(`${database}/${collection.id}/${id}`, { database, collection: collection.id, id, data });
      }
  return found;
}

/** Times in ISO 8601, members by name. */
function toPlain(value: unknown): unknown {
  if (value instanceof Timestamp) return value.toDate().toISOString();
  if (Array.isArray(value)) return value.map(toPlain);
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).map(([name, inner]) => [name, toPlain(inner)] as const);
  return Object.fromEntries(members.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Documents as they are now, where that is not how they were; those that are gone have null for their data. */
function changes(before: ReadonlyMap<string, StoredDocument>, after: ReadonlyMap<string, StoredDocument>) {
  const gone = [...before].filter(([path]) => !after.has(path)).map(([, document]) => ({ ...document, data: null }));
  const changed = [...after].filter(([path, { data }]) => {
    return JSON.stringify(data) !== JSON.stringify(before.get(path)?.data);
  });
  return [...gone, ...changed.map(([, document]) => document)];
}

/** The documents by their database, their collection and their id. */
function byDatabase(documents: readonly StoredDocument[]): Record<string, Record<string, Record<string, unknown>>> {
  const databases: Record<string, Record<string, Record<string, unknown>>> = {};
  for (const { database, collection, id, data } of documents) {
    databases[database] ??= {};
    databases[database][collection] ??= {};
    databases[database][collection][id] = data;
  }
  return databases;
}

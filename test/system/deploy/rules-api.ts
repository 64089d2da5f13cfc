// The part of the Firebase Rules API that deploy/rules.ts uses, as its reference has it: rulesets that never change, and releases
// that name one. Any other request gets 400.
// Source: firebase.google.com/docs/reference/rules/rest/v1.

import * as z from 'zod';
import { jsonServer } from '../../../sandbox/local-server.ts';

const RELEASE = /^projects\/([a-z0-9-]+)\/releases\/(cloud\.firestore(?:\/[a-z0-9-]+)?)$/;
const ruleset = z.strictObject({
  source: z.strictObject({ files: z.array(z.strictObject({ name: z.string(), content: z.string() })).length(1) }),
});
const release = z.strictObject({ name: z.string().regex(RELEASE), rulesetName: z.string() });
const patch = z.strictObject({ release });

/** A response other than 200. */
class Problem extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export type RulesApi = Awaited<ReturnType<typeof startRulesApi>>;

export async function startRulesApi(accessToken: string) {
  const rulesets = new Map<string, z.infer<typeof ruleset>>();
  const releases = new Map<string, string>();
  /** METHOD path, in order. */
  const calls: string[] = [];

  function answer(method: string, path: string, project: unknown, json: unknown): object {
    const inProject = /^projects\/([a-z0-9-]+)\//.exec(path)?.[1];
    if (project !== inProject) throw new Problem(403, 'the quota project is another');
    if (method === 'GET' && releases.has(path)) return { name: path, rulesetName: releases.get(path) };
    if (method === 'GET' && rulesets.has(path)) return { name: path, ...rulesets.get(path) };
    if (method === 'GET' && RELEASE.test(path)) throw new Problem(404, 'Requested entity was not found.');
    if (method === 'POST' && path === `projects/${inProject}/rulesets`) {
      const made = ruleset.parse(json);
      if (/syntax error/.test(made.source.files[0]?.content ?? '')) throw new Problem(400, 'Compile error: L1.');
      const name = `${path}/ruleset-${rulesets.size + 1}`;
      rulesets.set(name, made);
      return { name, ...made };
    }
    if (method === 'POST' && path === `projects/${inProject}/releases`) {
      const made = release.parse(json);
      if (releases.has(made.name)) throw new Problem(409, 'Requested entity already exists');
      return point(made);
    }
    if (method === 'PATCH' && RELEASE.test(path)) {
      const changed = patch.parse(json).release;
      if (changed.name !== path || !releases.has(path)) throw new Problem(404, 'Requested entity was not found.');
      return point(changed);
    }
    throw new Problem(400, `not known: ${method} ${path}`);
  }

  function point(named: z.infer<typeof release>): object {
    if (!rulesets.has(named.rulesetName)) throw new Problem(400, 'no such ruleset');
    releases.set(named.name, named.rulesetName);
    return named;
  }

  const server = await jsonServer('fake Firebase Rules API', ({ method, headers, path, body }) => {
    try {
      if (headers.authorization !== `Bearer ${accessToken}`) throw new Problem(401, 'no credentials');
      const named = path.replace(/^\/v1\//, '');
      calls.push(`${method} ${named}`);
      const json: unknown = body === '' ? undefined : JSON.parse(body);
      return { status: 200, json: answer(method, named, headers['x-goog-user-project'], json) };
    } catch (error) {
      const status = error instanceof Problem ? error.status : 400;
      return { status, json: { error: { code: status, message: error instanceof Error ? error.message : 'failed' } } };
    }
  });
  return {
    url: server.url,
    calls,
    /** The rules in force. */
    live: (name: string) => rulesets.get(releases.get(name) ?? '')?.source.files[0]?.content,
    /** As if somebody had deployed them before. */
    deploy: (name: string, content: string) => {
      const rulesetName = `${name.split('/releases/')[0]}/rulesets/old-${rulesets.size}`;
      rulesets.set(rulesetName, { source: { files: [{ name: 'firestore.rules', content }] } });
      releases.set(name, rulesetName);
    },
    stop: () => server.close(),
  };
}

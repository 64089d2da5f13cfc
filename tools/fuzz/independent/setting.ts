// The time, the keys and the policy of every target: the same for each input, except that the keys are new in each process.

import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import type { Clock } from '../../../shared/runtime/clock.ts';
import type { HttpClient } from '../../../shared/runtime/http-client.ts';

export const NOW = Date.UTC(2026, 10, 24, 10);
export const SECONDS = NOW / 1000;

/** Stands still. Deadlines never fall, and pauses take no time. */
export const CLOCK: Clock = {
  now: () => NOW,
  random: () => 0.5,
  sleep: (_, signal) => (signal ? new Promise(() => {}) : Promise.resolve()),
};

export interface NamedKey {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

const newKey = (modulusLength = 2048): NamedKey => generateKeyPairSync('rsa', { modulusLength });

/** The issuer publishes all but the last. */
export const KEYS: Readonly<Record<string, NamedKey>> = { a: newKey(), b: newKey(), unlisted: newKey() };
export const PUBLISHED = ['a', 'b'];

export const KEY_SET = {
  keys: PUBLISHED.map((kid) => ({ ...KEYS[kid]?.publicKey.export({ format: 'jwk' }), kid, use: 'sig', alg: 'RS256' })),
};

export const ISSUER = 'https://agent.buildkite.com';
export const AUDIENCE = 'https://keydesk.acme.example';
export const ORGANIZATION = { slug: 'acme-inc', id: 'f892efa9-103e-4d28-97a1-3b8616a0994d' };
export const MAX_LIFETIME = 7200;

export const PAYLOAD = {
  iss: ISSUER,
  aud: AUDIENCE,
  sub: 'organization:acme-inc:pipeline:web:ref:refs/heads/main:commit:9f31820:step:deploy',
  iat: SECONDS - 10,
  nbf: SECONDS - 10,
  exp: SECONDS + 290,
  organization_slug: ORGANIZATION.slug,
  organization_id: ORGANIZATION.id,
  pipeline_slug: 'web',
  pipeline_id: '0184990a-4782-42b5-afc1-16715b10b1f0',
  build_number: 42,
  build_branch: 'main',
  build_tag: null,
  build_commit: '9f3182061f1e2cca4702c368cbc039b7dc9d4485',
  build_source: 'webhook',
  step_key: 'deploy',
  job_id: '0184990a-477b-4fa8-9968-496074483cee',
  agent_id: '0184990a-4782-42b5-afc1-16715b10b8ff',
  'agent_tag:queue': 'default',
  runner_environment: 'self-hosted',
};

/** Responds to every request in the same way. */
export function respondingWith(status: number, json: unknown, headers: Record<string, string> = {}): HttpClient {
  return async () => ({ status, headers: new Headers(headers), json });
}

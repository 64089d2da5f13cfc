// What a canary token is used against: the URL that a person gives, or for a `firestore` credential a document that its policy allows
// it to get. Pure.

import { revocationOf } from '../../shared/core/kinds/kinds.ts';
import type { Credential } from '../../shared/core/policy/credential.ts';

export interface Target {
  readonly url: string;
  readonly api: Api;
}

/** The API behind a URL, by its path: a proxy or a regional host has another name, and the same paths. */
export const APIS = ['firestore', 'storage', 'iam', 'other'] as const;
type Api = (typeof APIS)[number];

const PATHS: Readonly<Record<Exclude<Api, 'other'>, RegExp>> = {
  firestore: /^\/v1\/projects\/[^/]+\/databases\/[^/]+\/documents(\/|$)/,
  storage: /^\/storage\/v1\/b(\/|$)/,
  iam: /^\/v1\/projects\/[^/]+\/serviceAccounts(\/|$)/,
};

const GOOGLE = /(^|\.)googleapis\.com$/;
const LOOPBACK = new Set(['127.0.0.1', 'localhost', '[::1]']);
const EXAMPLE_NAME = 'keydesk-doctor-live';
const FIRESTORE_URL = 'https://firestore.googleapis.com';

/** @returns why a token may not be sent there, in a sentence; or the target */
export function parseTarget(written: string): Target | { readonly problem: string } {
  const url = URL.parse(written);
  if (!url) return { problem: `${written} is no URL.` };
  const isGoogle = url.protocol === 'https:' && GOOGLE.test(url.hostname);
  const isLocal = url.protocol === 'http:' && LOOPBACK.has(url.hostname);
  if (!isGoogle && !isLocal)
    return { problem: `${url.origin} receives no token: a target is https, and a host of googleapis.com.` };
  return { url: url.href, api: apiOf(url.pathname) };
}

function apiOf(path: string): Api {
  return APIS.find((api) => api !== 'other' && PATHS[api].test(path)) ?? 'other';
}

export function defaultTarget(name: string, credential: Credential): Target | { readonly problem: string } {
  if (credential.kind !== 'firestore')
    return {
      problem: `${name} needs a target, because its policy does not say what it may read: --target ${name}=URL.`,
    };
  const readable = credential.allow.find(({ verbs }) => verbs.includes('get'));
  if (!readable)
    return { problem: `${name} may get no document. Give it a path with the verb get, or name another credential.` };
  const { project, database } = credential;
  const path = exampleDocument(readable.path).split('/').map(encodeURIComponent).join('/');
  const url = `${FIRESTORE_URL}/v1/projects/${project}/databases/${encodeURIComponent(database)}/documents/${path}`;
  return { url, api: 'firestore' };
}

/** A document that the path matches. It need not exist. */
function exampleDocument(path: string): string {
  const names = path.split('/').map((segment) => (segment.startsWith('{') ? EXAMPLE_NAME : segment));
  // A wildcard for the rest of a path may stand for several names.
  return (names.length % 2 === 0 ? names : [...names, EXAMPLE_NAME]).join('/');
}

/** Why the end of a credential's tokens cannot be measured; undefined when it can. */
export function notMeasurable(credential: Credential): string | undefined {
  return revocationOf(credential) === 'expiry' ? ENDS_BY_EXPIRY : undefined;
}

export const ENDS_BY_EXPIRY =
  'its tokens end by expiry: a release stops renewal and nothing else, so there is no revocation to measure';

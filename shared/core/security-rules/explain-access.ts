// Why the generated rules of a database allow or deny one request with a Firestore token. Evaluates what Keydesk generates, and knows
// nothing about hand-written rules, which can only allow more.

import * as z from 'zod';
import { closestName } from '../closest-name.ts';
import type { Verb } from '../kinds/firestore.ts';
import type { FirestoreCredential } from '../policy/credential.ts';
import { documentPathProblem, GRANT_COLLECTION } from '../policy/document-path.ts';
import type { Policy } from '../policy/policy.ts';
import { ANY_DOCUMENT, coversPath, type Segment } from './covers.ts';
import { newRulesFile } from './generate.ts';
import { type GeneratedAllow, readGenerated } from './generated-lines.ts';

export const ACCESS_VERBS = ['get', 'list', 'create', 'update', 'delete'] as const satisfies readonly Verb[];

/** The response of `/introspect`, RFC 7662. Only a token that is active has more than `active`. */
export const introspectionSchema = z.looseObject({
  active: z.boolean(),
  exp: z.number().optional(),
  credential: z.string().optional(),
  environment: z.string().optional(),
  renewable: z.boolean().optional(),
});
export type Introspection = z.output<typeof introspectionSchema>;

/** How a grant came to its end, in sentences, and what gives its job access again. */
export interface EndOfGrant {
  readonly text: string;
  readonly fix: string;
}

export interface AccessRequest {
  readonly grant: Introspection;
  /** Of a grant that the ledger shows; undefined where only the response of `/introspect` is known, or it has not ended. */
  readonly end?: EndOfGrant | undefined;
  /** A document or a collection, or its resource name with project and database. */
  readonly path: string;
  readonly verb: Verb;
  readonly policy: Policy;
  /** The text of a rules file; undefined to use the rules that follow from the policy. */
  readonly rules: string | undefined;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** `unknown` is what the command cannot see. */
export interface AccessCheck {
  readonly check: 'grant' | 'credential' | 'database' | 'tenant' | 'path' | 'rules';
  readonly result: 'ok' | 'problem' | 'unknown';
  /** Sentences. */
  readonly text: string;
  /** What to do about a problem. */
  readonly fix?: string;
  /** Lines for the policy that open the path. */
  readonly yaml?: readonly string[];
}

export interface AccessExplanation {
  readonly verdict: 'denied' | 'allowed' | 'unknown';
  readonly checks: readonly AccessCheck[];
  readonly database: { readonly project: string; readonly database: string } | undefined;
  /** The statement that allows the request. */
  readonly allow: GeneratedAllow | undefined;
}

export function explainAccess(request: AccessRequest): AccessExplanation {
  const ofGrant = grantCheck(request);
  const found = credentialOf(request);
  // What ended such a grant is not why Firestore refuses its token.
  if ('check' in found) return notLooked(request.end && isOther(request) ? [found] : [ofGrant, found]);
  const { name, credential } = found;
  const target = parseTarget(request.path, request.verb);
  const { project, database } = credential;
  const ofCredential = ok('credential', `${name} is a firestore credential of ${project}, database ${database}.`);
  if ('problem' in target)
    return notLooked([ofGrant, ofCredential, problem('path', target.problem, target.fix)], credential);
  const allows = readGenerated(request.rules ?? newRulesFile(request.policy, { project, database }));
  const allow = allows?.find(
    (one) =>
      one.credentials.includes(name) && one.verbs.includes(request.verb) && coversPath(one.path, target.segments),
  );
  const ofPath = pathCheck({ ...request, name, credential, target });
  const ofRules = rulesCheck({
    ...{ allows, allow },
    ...{ opened: ofPath.result === 'ok', fromFile: request.rules !== undefined },
  });
  const checks = [
    ofGrant,
    ofCredential,
    databaseCheck(credential, target),
    tenantCheck(credential),
    ofPath,
    ...(ofRules ? [ofRules] : []),
  ];
  const isDenied = checks.some(({ result }) => result === 'problem');
  return { verdict: isDenied ? 'denied' : 'allowed', checks, database: { project, database }, allow };
}

/** Where the path was not looked at. */
function notLooked(checks: AccessCheck[], credential?: FirestoreCredential): AccessExplanation {
  const database = credential && { project: credential.project, database: credential.database };
  const verdict = checks.some(({ result }) => result === 'problem') ? 'denied' : 'unknown';
  return { verdict, checks, database, allow: undefined };
}

const ok = (check: AccessCheck['check'], text: string): AccessCheck => ({ check, result: 'ok', text });
const problem = (check: AccessCheck['check'], text: string, fix: string): AccessCheck => ({
  ...{ check, text, fix },
  result: 'problem',
});

/** Whether the credential is one that security rules do not judge. */
function isOther({ grant: { credential: name = '' }, policy }: AccessRequest): boolean {
  return Object.hasOwn(policy.credentials, name) && policy.credentials[name]?.kind !== 'firestore';
}

function grantCheck({ grant: { active, exp, renewable }, end, now }: AccessRequest): AccessCheck {
  if (end) return problem('grant', `${end.text} The rules deny every request with its tokens.`, end.fix);
  if (!active)
    return problem(
      'grant',
      'Keydesk does not accept the token: its grant has ended or expired, or Keydesk did not issue it. The rules deny every request with it.',
      'Request the credential again. If the job has ended, retry the job.',
    );
  if (exp === undefined) return { check: 'grant', result: 'unknown', text: 'The grant has no exp.' };
  const time = new Date(exp * 1000).toISOString();
  if (exp * 1000 <= now)
    return problem(
      'grant',
      `The token expired at ${time}.`,
      'Request the credential again, inside the step that uses it.',
    );
  if (renewable === false)
    return problem('grant', 'The grant has ended, and the rules deny requests with it.', 'Retry the job.');
  return ok('grant', `The token was active when the grant was read, and expires at ${time}.`);
}

function credentialOf({
  grant,
  policy,
}: AccessRequest): AccessCheck | { name: string; credential: FirestoreCredential } {
  const { credential: name } = grant;
  if (name === undefined)
    return {
      check: 'credential',
      result: 'unknown',
      text: 'The grant names no credential, so the path was not checked.',
    };
  const credential = Object.hasOwn(policy.credentials, name) ? policy.credentials[name] : undefined;
  const meant = closestName(name, Object.keys(policy.credentials));
  if (!credential)
    return problem(
      'credential',
      `The policy has no credential ${name}.${meant === undefined ? '' : ` The nearest name is ${meant}.`}`,
      'Use the policy that is deployed. GET /health has its SHA-256.',
    );
  if (credential.kind !== 'firestore' && credential.storage)
    return problem(
      'credential',
      `${name} is a storage credential. Its tokens are narrowed to the bucket ${credential.storage.bucket}, and open no Firestore.`,
      'Use a firestore credential.',
    );
  if (credential.kind !== 'firestore')
    return problem(
      'credential',
      `${name} is not a firestore credential. Security rules do not judge its tokens, and IAM does.`,
      'Give the service account a role on the database, or use a firestore credential.',
    );
  return { name, credential };
}

interface Target {
  readonly segments: readonly Segment[];
  /** For people. */
  readonly shown: string;
  readonly project: string | undefined;
  readonly database: string | undefined;
}

const RESOURCE_NAME = /^\/*(?:projects\/([^/]+)\/)?databases\/([^/]+)\/documents\/+(.*)$/;

function parseTarget(written: string, verb: Verb): Target | { problem: string; fix: string } {
  const [, project, database, below] = RESOURCE_NAME.exec(written) ?? [];
  const shown = (below ?? written).replaceAll(/^\/+|\/+$/g, '');
  const segments: string[] = shown.split('/');
  if (segments.includes(''))
    return { problem: 'The path has an empty segment.', fix: 'Give the path of a document, such as config/app.' };
  if (segments.some((segment) => /[{}*]/.test(segment)))
    return { problem: `${shown} is a pattern.`, fix: 'Give the path of the request, such as config/app.' };
  if (segments[0] === GRANT_COLLECTION)
    return { problem: `No token opens ${GRANT_COLLECTION}: it holds the grants.`, fix: 'Use another collection.' };
  const isCollection = segments.length % 2 === 1;
  if (verb !== 'list' && isCollection)
    return {
      problem: `${shown} is a collection, and ${verb} is for a document.`,
      fix:
        verb === 'get'
          ? 'Give the path of a document. To query the collection, use --verb list.'
          : 'Give the path of a document.',
    };
  const collection = isCollection ? segments : segments.slice(0, -1);
  return verb === 'list'
    ? { segments: [...collection, ANY_DOCUMENT], shown: collection.join('/'), project, database }
    : { segments, shown, project, database };
}

function databaseCheck({ project, database }: FirestoreCredential, target: Target): AccessCheck {
  const expected = `${project}, database ${database}`;
  if (target.database === undefined)
    return {
      check: 'database',
      result: 'unknown',
      text: `The request must go to ${expected}. --path does not name its database.`,
    };
  if ((target.project ?? project) === project && target.database === database)
    return ok('database', `The request goes to ${expected}.`);
  return problem(
    'database',
    `The request goes to ${target.project ?? project}, database ${target.database}, and the credential is for ${expected}.`,
    'Set the project and the database of the client, or request a credential of that database.',
  );
}

function tenantCheck({ tenant }: FirestoreCredential): AccessCheck {
  return tenant === undefined
    ? {
        check: 'tenant',
        result: 'unknown',
        text: 'The rules accept only a token without a tenant. The grant does not show the tenant of the token.',
      }
    : {
        check: 'tenant',
        result: 'unknown',
        text: `The rules accept only a token of the tenant ${tenant}. The grant does not show the tenant of the token.`,
      };
}

interface PathRequest extends AccessRequest {
  readonly name: string;
  readonly credential: FirestoreCredential;
  readonly target: Target;
}

function pathCheck(request: PathRequest): AccessCheck {
  const { credential, target, verb, name } = request;
  const covering = credential.allow.filter(({ path }) => coversPath(path, target.segments));
  const opening = covering.find(({ verbs }) => verbs.includes(verb));
  const what = describeTarget(verb, target);
  if (opening) return ok('path', `In the policy, allow of ${name} has ${opening.path} with ${verb}.`);
  return {
    ...problem(
      'path',
      `In the policy, allow of ${name} does not have ${verb} for ${what}. ${nearMiss(request, covering)}`.trim(),
      fixFor(request),
    ),
    yaml: suggestion(request, covering),
  };
}

function describeTarget(verb: Verb, { shown }: Target): string {
  return verb === 'list' ? `the collection ${shown}` : shown;
}

type Allow = FirestoreCredential['allow'];

function nearMiss({ credential: { allow }, target, verb }: PathRequest, covering: Allow): string {
  const verbs = new Set(covering.flatMap((one) => one.verbs));
  if (verbs.size > 0)
    return `${covering.map(({ path }) => path).join(', ')} has ${[...verbs].join(', ')}.${verbNote(verb, verbs)}`;
  const { segments } = target;
  const parent = segments.slice(0, -1);
  const single = allow.filter(({ path }) => {
    const parts = path.split('/');
    return verb === 'list' && parts.length === segments.length && coversPath(parts.slice(0, -1).join('/'), parent);
  });
  if (single.length > 0)
    return `It opens only certain documents of the collection (${single.map(({ path }) => path).join(', ')}). The rules allow a query only if it covers every document.`;
  const deeper = allow.filter(({ path }) => {
    const length = path.split('/').length;
    return length < segments.length && coversPath(path, segments.slice(0, length));
  });
  if (deeper.length > 0)
    return `${deeper.map(({ path }) => path).join(', ')} ends above it: {name} is one segment, and {name=**} is all below.`;
  const collections = [...new Set(allow.map(({ path }) => path.split('/')[0] ?? ''))];
  const [first] = segments;
  if (typeof first === 'string' && !collections.includes(first)) {
    const meant = closestName(first, collections);
    return meant === undefined
      ? `It opens only documents below ${collections.join(', ')}.`
      : `The nearest collection is ${meant}.`;
  }
  return `It has ${allow.map(({ path }) => path).join(', ')}.`;
}

function verbNote(verb: Verb, verbs: ReadonlySet<Verb>): string {
  if (verb === 'list' && verbs.has('get')) return ' A query needs list, and get is for one document.';
  if (verb === 'get' && verbs.has('list')) return ' A read of one document needs get, and list is for queries.';
  if (verb === 'update' && verbs.has('create')) return ' A write to a document that exists needs update.';
  if (verb === 'create' && verbs.has('update')) return ' A write to a document that does not exist needs create.';
  return '';
}

function fixFor({ policy, credential, target, verb, name }: PathRequest): string {
  const others = Object.entries(policy.credentials).flatMap(([other, one]) =>
    other !== name &&
    one.kind === 'firestore' &&
    one.project === credential.project &&
    one.database === credential.database &&
    one.allow.some(({ path, verbs }) => verbs.includes(verb) && coversPath(path, target.segments))
      ? [other]
      : [],
  );
  const use =
    others.length > 0
      ? `Use a credential that has it: ${others.join(', ')}. Or change the policy`
      : 'Change the policy';
  return `${use}, write the rules with keydesk rules write, and deploy them.`;
}

/** The smallest entry of `allow` that opens it. One that is for this path alone gets the verb. */
function suggestion({ target, verb }: PathRequest, covering: Allow): string[] {
  const path = target.segments.map((segment) => (typeof segment === 'string' ? segment : '{document}')).join('/');
  if (documentPathProblem(path) !== undefined) return [];
  const same = covering.find((entry) => entry.path === path);
  const verbs = ACCESS_VERBS.filter((one) => one === verb || same?.verbs.includes(one));
  return [`- { path: ${JSON.stringify(path)}, verbs: [${verbs.join(', ')}] }`];
}

function rulesCheck({
  allows,
  allow,
  opened,
  fromFile,
}: {
  readonly allows: readonly GeneratedAllow[] | undefined;
  readonly allow: GeneratedAllow | undefined;
  readonly opened: boolean;
  readonly fromFile: boolean;
}): AccessCheck | undefined {
  if (allows === undefined)
    return problem(
      'rules',
      'The rules file has no rules of Keydesk.',
      'Write them with keydesk rules write, and deploy them.',
    );
  if (allow) {
    const text = `match /${allow.path}: ${allow.text}`;
    if (opened)
      return ok(
        'rules',
        fromFile
          ? `Line ${allow.line} of the rules file allows it: ${text}`
          : `These rules follow from the policy: ${text}`,
      );
    return problem(
      'rules',
      `Line ${allow.line} of the rules file allows it, and the policy does not: ${text}`,
      'The file is older than the policy. Write it with keydesk rules write.',
    );
  }
  // The rules follow from the policy, about which there is a check.
  if (!opened) return undefined;
  return problem(
    'rules',
    'The policy opens the path, and no line of the rules file does. The file is older than the policy.',
    'Write it with keydesk rules write, and deploy it.',
  );
}

// A fake Google: the metadata servers that give functions their identities, IAM, IAM Credentials, the Security Token Service,
// Identity Toolkit, Cloud Storage, and `/gate`, which accepts or rejects access tokens of service accounts as Google's other
// APIs do. It checks requests as strictly as Google does, and lists those that it did not expect. It listens on loopback only.

import { type Clock, systemClock } from '../../../shared/runtime/clock.ts';
import { jsonServer, type LocalReply, type LocalRequest, type LocalResponse } from '../../local-server.ts';
import { Accounts, type Change } from './accounts.ts';
import { type Call, type IamCall, isAllowed, PERMISSIONS, readCall, targetOf } from './call.ts';
import { Credentials } from './credentials.ts';
import { googleError, permissionDenied, unauthenticated } from './error.ts';
import { type Fault, underFault } from './fault.ts';
import { type FirebaseAccount, IdentityToolkit, toolkitMethodOf } from './identity-toolkit.ts';
import { type Identity, Metadata } from './metadata.ts';
import { type IdTokenOptions, People } from './people.ts';
import { CloudStorage } from './storage.ts';
import { targetOf as storageTargetOf } from './storage-target.ts';
import { type Exchange, oauthStatus, SecurityTokens } from './sts.ts';
import { type IssuedToken, type Propagation, Tokens } from './tokens.ts';

export interface FakeGoogle {
  readonly url: string;
  /** host:port, for GCE_METADATA_HOST: the identity `anyone`, which may do everything. */
  readonly metadataHost: string;
  /** host:port of each function's own metadata server. */
  readonly metadataHosts: Readonly<Record<Exclude<Identity, 'anyone'>, string>>;
  /** Every call to IAM, IAM Credentials and the Security Token Service that was well-formed, permitted or not, oldest first. */
  readonly calls: readonly Call[];
  /** Requests the real Google would have refused as malformed or not permitted, or that no part of Keydesk should make. */
  readonly unexpected: readonly string[];
  /** The service accounts as they are, whatever the responses were. */
  readonly accounts: ReadonlyMap<string, { readonly disabled: boolean }>;
  /** Every change of an account's state that took effect, oldest first. */
  readonly changes: readonly Change[];
  /** The ID token of a person, as gcloud prints it. */
  readonly idToken: (email: string, options?: IdTokenOptions) => Promise<string>;
  /** Every access token issued for a service account, oldest first. */
  readonly minted: readonly IssuedToken[];
  /** Every well-formed exchange of an access token for a downscoped one, whatever the response, oldest first. */
  readonly exchanges: readonly Exchange[];
  /** The users of Firebase Authentication, of all projects and tenants. */
  readonly firebaseUsers: readonly FirebaseAccount[];
  /** What is in Cloud Storage, as text where it is text, by `bucket/name`. */
  readonly objects: ReadonlyMap<string, string | Buffer>;
  /** Runs before the response to each permitted call; a response that it returns is sent instead. */
  before: ((call: Call) => Promise<LocalResponse | undefined> | LocalResponse | undefined) | undefined;
  /** How a permitted call goes wrong, if it does; called after `before`, when that returned nothing. */
  fault: ((call: Call) => Fault | undefined) | undefined;
  /** How long the tokens of a disabled account are accepted all the same; undefined for not at all. */
  propagation: Propagation | undefined;
  close(): Promise<void>;
}

/**
 * @param options.accounts the service accounts that exist, enabled; all of them may do everything with objects
 * @param options.buckets the buckets that exist, empty; none when left out
 */
export async function startFakeGoogle(options: {
  readonly accounts: readonly string[];
  readonly buckets?: readonly string[];
  readonly port?: number;
  readonly clock?: Clock;
}): Promise<FakeGoogle> {
  const clock = options.clock ?? systemClock;
  const metadata = new Metadata();
  const people = new People(clock);
  const accounts = new Accounts(options.accounts, clock);
  const tokens = new Tokens(accounts, clock);
  const credentials = new Credentials(accounts, tokens, clock);
  const securityTokens = new SecurityTokens(tokens, clock);
  const calls: Call[] = [];
  const unexpected: string[] = [];
  const identityToolkit = new IdentityToolkit(credentials, clock, unexpected);
  const storage = new CloudStorage(options.buckets ?? [], tokens, clock, unexpected);

  const iam = async (request: LocalRequest): Promise<LocalReply> => {
    const target = targetOf(request);
    if (!target) {
      unexpected.push(`${request.method} ${request.path}`);
      return googleError(404, 'NOT_FOUND', 'Not here.');
    }
    const identity = metadata.identityOf(bearerOf(request));
    if (!identity) {
      unexpected.push(`${target.method} without the service's own token`);
      return unauthenticated();
    }
    const call = readCall(target, identity, request);
    if ('wrong' in call) {
      unexpected.push(call.wrong);
      return call.response;
    }
    calls.push(call);
    if (!isAllowed(call)) {
      unexpected.push(`${call.method} by ${identity}, which has no ${PERMISSIONS[call.method]}`);
      return permissionDenied(PERMISSIONS[call.method]);
    }
    return (
      (await google.before?.(call)) ?? underFault(google.fault?.(call), (changes) => perform(call, changes), { clock })
    );
  };

  const sts = async (request: LocalRequest): Promise<LocalReply> => {
    const exchange = securityTokens.read(request);
    if ('wrong' in exchange) {
      unexpected.push(exchange.wrong);
      return exchange.response;
    }
    const { call, perform } = exchange;
    calls.push(call);
    return (await google.before?.(call)) ?? underFault(google.fault?.(call), perform, { clock, failed: oauthStatus });
  };

  const perform = (call: IamCall, changes?: Promise<unknown>): LocalResponse | Promise<LocalResponse> => {
    switch (call.method) {
      case 'generateAccessToken':
        return credentials.generateAccessToken(call);
      case 'signJwt':
        return credentials.signJwt(call);
      case 'get':
        return accounts.get(call.account);
      case 'disable':
        return accounts.set(call.account, true, changes);
      case 'enable':
        return accounts.set(call.account, false, changes);
    }
  };

  const server = await jsonServer(
    'fake Google',
    async (request) => {
      const ofPeople = await people.respond(request);
      if (ofPeople) return ofPeople;
      if (request.path.startsWith('/computeMetadata/') || request.path === '/')
        return metadata.respond('anyone', request);
      if (request.path.startsWith('/gate')) return tokens.gate(bearerOf(request));
      if (request.method === 'POST' && request.path === '/v1/token') return sts(request);
      const toolkitMethod = toolkitMethodOf(request.path);
      if (toolkitMethod !== undefined) return identityToolkit.respond(toolkitMethod, request);
      const stored = storageTargetOf(request.path, (bucket) => storage.objects.hasBucket(bucket));
      return stored ? storage.respond(stored, request, bearerOf(request)) : iam(request);
    },
    options.port,
  );
  const metadataOf = (identity: Identity) =>
    jsonServer(`metadata server of ${identity}`, (request) => metadata.respond(identity, request));
  const identities = ['token', 'webhook', 'sweep', 'reader', 'admin'] as const;
  const servers = await Promise.all(
    identities.map(async (identity) => [identity, await metadataOf(identity)] as const),
  );

  const google: FakeGoogle = {
    url: server.url,
    metadataHost: hostOf(server.url),
    metadataHosts: Object.fromEntries(
      servers.map(([identity, { url }]) => [identity, hostOf(url)]),
    ) as FakeGoogle['metadataHosts'],
    idToken: (email, options) => people.idToken(email, options),
    calls,
    unexpected,
    accounts: accounts.states,
    changes: accounts.changes,
    minted: credentials.minted,
    exchanges: securityTokens.exchanges,
    firebaseUsers: identityToolkit.users,
    objects: storage.objects.contents,
    before: undefined,
    fault: undefined,
    get propagation() {
      return tokens.propagation;
    },
    set propagation(propagation) {
      tokens.propagation = propagation;
    },
    close: async () => {
      await Promise.all([server, ...servers.map(([, metadataServer]) => metadataServer)].map(({ close }) => close()));
    },
  };
  return google;
}

function bearerOf(request: LocalRequest): string {
  const { authorization } = request.headers;
  return (typeof authorization === 'string' && /^Bearer (.+)$/.exec(authorization)?.[1]) || '';
}

function hostOf(url: string): string {
  return url.replace('http://', '');
}

// What an editor shows of each key of the policy file, for its JSON Schema alone: the functions do not load this. A key's path
// has `*` in place of the names of a map and of the items of a list.

import { type ClaimSource, isMatchableClaim, sourceOfClaim } from './claims.ts';
import type { MATCH_KEYS } from './rule.ts';

const ASKED = 'Only in tokens that jobs ask for with --claim.';

const SOURCES: Readonly<Record<ClaimSource, string>> = {
  buildkite: 'Attested by Buildkite.',
  author: 'Chosen by the author of the build.',
  agent: 'Configured with agents and queues, among which a step chooses.',
};

const ACCEPTED = 'Warnings of keydesk policy check that you accept';
const BY_CODE = 'by code, each with a reason of three words or more.';

const CLAIMS: Readonly<Record<(typeof MATCH_KEYS)[number], string>> = {
  pipeline: 'Names from pipelines. Stands for pipeline_id: the job must ask for --claim pipeline_id.',
  pipeline_id: `The UUID of the pipeline. ${ASKED}`,
  pipeline_slug: 'The slug of the pipeline. A pipeline can be renamed, and another can take its slug: prefer pipeline.',
  cluster_id: `The UUID of the agent's cluster. ${ASKED}`,
  cluster_name: `The name of the agent's cluster, which can change. ${ASKED}`,
  queue_id: `The UUID of the cluster queue. ${ASKED}`,
  queue_key: `The key of the cluster queue. ${ASKED}`,
  organization_id: `The UUID of the organization. organization.id of the policy requires it already. ${ASKED}`,
  build_id: `The UUID of one build. ${ASKED}`,
  build_number: 'The number of a build in its pipeline.',
  build_branch: 'The branch. A rule that names it matches builds of a tag only if it names build_tag too.',
  build_tag: 'The tag; absent from builds without one.',
  build_commit: 'The commit; it can be HEAD.',
  build_source: 'How the build was started: ui, api, webhook, trigger_job or schedule.',
  step_key: 'The key of the step, not its label.',
  job_id: 'The UUID of one job.',
  agent_id: 'The UUID of one agent.',
  runner_environment: 'Where the agent runs: buildkite-hosted or self-hosted.',
};

const MAX_POOLED = 'Each job gets one of these to itself; it is disabled when the job ends. Use them for nothing else.';
const RETIRING =
  'Accounts that were in the pool. A job that has one renews its token until the grant ends. No other job gets them.';

export const DESCRIPTIONS: Readonly<Record<string, string>> = {
  version: 'The version of this format.',
  organization: 'The Buildkite organization whose jobs get credentials.',
  'organization.slug': "The slug: the last part of the organization's address at buildkite.com.",
  'organization.id':
    'The UUID. When it is here, every job token must have it, so jobs must ask for --claim organization_id. A slug can change hands.',
  audience:
    "The audience that jobs request their token for, compared to the letter. Not Buildkite's default, which every job's token has.",
  contact: 'Whom a developer asks about a refusal: a channel, an address, a URL. It is part of the error message.',
  limits: 'How much one grant and one pipeline can take.',
  'limits.tokensPerMinute': 'Tokens issued of one grant per minute.',
  'limits.liveGrantsPerPipeline': 'Live grants of one pipeline.',
  'limits.teamsMaxAge':
    'The oldest copy of a team by which anything is granted, from 10m to 24h. The sweep usually reads each team every 5 minutes.',
  maxJobTokenLifetime: 'The longest lifetime of a job token that is accepted, from 1m to 2h.',

  accept: `${ACCEPTED} about everything but rules and credentials, ${BY_CODE}`,

  environments:
    'Every environment. Its guards hold for all of its credentials, and for every rule that grants one of them.',
  'environments.*': 'The guards of one environment; {} for none.',
  'environments.*.maxTtl': 'The longest ttl that its credentials may have, from 1m to 1h.',
  'environments.*.revocation':
    'How its credentials may end with their job. immediate: firestore. propagating: a pool without storage. expiry: all others.',
  'environments.*.require':
    'Keys of match that must be narrowed by every rule that grants one of its credentials. pipeline is met by pipeline or pipeline_id, not by a slug. Also team, created_by, approval and agent, which every such rule must then have.',

  pipelines: 'Names for the UUIDs of pipelines, for the key pipeline of match.',
  'pipelines.*': 'The UUID of the pipeline. No UUID has two names.',

  teams: 'Names for the UUIDs of Buildkite teams, for team, created_by and approval of rules.',
  'teams.*': 'The UUID of the team. No UUID has two names.',

  identityProviders:
    'Issuers of tokens that say on which machine a job runs, for agent of rules. Keydesk trusts no other issuer, and finds nothing out about one by itself.',
  'identityProviders.*': 'An identity provider.',
  'identityProviders.*.issuer': 'The iss of its tokens, compared to the letter.',
  'identityProviders.*.keys':
    'The address of its JSON Web Key Set: jwks_uri of its discovery document. Who has the keys there can sign tokens that Keydesk accepts.',
  'identityProviders.*.audience':
    'The aud of its tokens, compared to the letter: what the machine requests its token for. One that only Keydesk uses, because who receives a token can use it here.',
  'identityProviders.*.algorithms': 'The algorithms of signatures that are accepted.',
  'identityProviders.*.maxTokenLifetime': 'The longest lifetime of a token that is accepted, from 1m to 24h.',
  'identityProviders.*.claims': 'The claims that every token must have, by the names that rules use.',
  'identityProviders.*.claims.*': 'A claim of its tokens.',
  'identityProviders.*.claims.*.at':
    'The members of the token that lead to the claim, from the outermost. Without it, the claim has its own name.',
  'identityProviders.*.claims.*.setBy':
    'Who decides its value. platform: the platform that signs the token. caller: who requests the token, so that it proves nothing about the machine.',

  databases: 'The Firestore databases that credentials open.',
  'databases.*': 'A Firestore database.',
  'databases.*.project': 'The ID of the Google Cloud project.',
  'databases.*.database': 'The ID of the database.',
  'databases.*.apiKey':
    'A web API key of the project, as terraform output api_keys prints it. Until the first apply creates it: to-be-created.',
  'databases.*.signer': "The service account that signs the custom tokens of Keydesk's users.",
  'databases.*.tenant': "The Identity Platform tenant of Keydesk's users. Without it, they are users of the project.",

  credentials: 'The credentials that jobs can request, by name.',
  'credentials.*': 'A credential: exactly one of firestore, serviceAccount and storage.',
  'credentials.*.environment': 'A name from environments.',
  'credentials.*.ttl': 'How long a token is valid, from 1m to 1h. 10m to 15m suit most steps.',
  'credentials.*.firestore':
    "A token for Firestore, judged by generated security rules. Rejected on the next request after the job's end.",
  'credentials.*.firestore.database': 'A name from databases.',
  'credentials.*.firestore.tenant': "The Identity Platform tenant of Keydesk's users, instead of the database's.",
  'credentials.*.firestore.allow': 'The documents that the token opens, and what it may do with them.',
  'credentials.*.firestore.allow.*.path':
    'A path of documents, such as config/{document=**}, which is everything below config, or releases/{release}.',
  'credentials.*.firestore.allow.*.verbs': 'read is get and list; write is create, update and delete.',
  'credentials.*.serviceAccount': 'An access token of a service account: exactly one of email and pool.',
  'credentials.*.serviceAccount.email':
    "A service account that jobs share. Its tokens are not renewed after the job's end, and remain valid until they expire.",
  'credentials.*.serviceAccount.pool': MAX_POOLED,
  'credentials.*.serviceAccount.retiring': RETIRING,
  'credentials.*.serviceAccount.scopes': 'The OAuth scopes of the token.',
  'credentials.*.storage':
    "A token for a part of a Cloud Storage bucket: exactly one of serviceAccount and pool. Not renewed after the job's end.",
  'credentials.*.storage.serviceAccount': 'A service account that jobs share.',
  'credentials.*.storage.pool': MAX_POOLED,
  'credentials.*.storage.retiring': RETIRING,
  'credentials.*.storage.bucket': 'The name of the bucket, without gs://.',
  'credentials.*.storage.prefix':
    'The folder that the token opens, such as warm/. It ends in a slash. Without it, or with null: the whole bucket.',
  'credentials.*.storage.role':
    'What the token may do there. The service account needs this role on the bucket itself.',

  'credentials.*.accept': `${ACCEPTED} about this credential, ${BY_CODE}`,

  rules: 'Which jobs get which credentials. A job gets what at least one rule grants it.',
  'rules.*': 'A rule: the jobs that it matches, and the credentials that it grants to them.',
  'rules.*.name': 'A name that no other rule has. It is on every grant and in every trace.',
  'rules.*.match':
    'Claims of the job token. All must match. A list means any of its patterns. * stays within a path segment, ** crosses segments. At least one of pipeline, pipeline_id, pipeline_slug and cluster_id must be narrowed.',
  ...Object.fromEntries(
    Object.entries(CLAIMS).map(([claim, text]) => [`rules.*.match.${claim}`, `${text} ${describeSource(claim)}`]),
  ),
  'rules.*.match.team':
    "The job's pipeline belongs to this Buildkite team. Jobs must ask for --claim pipeline_id. Keydesk decides by its last copy of the team.",
  'rules.*.match.team.name': 'A name from teams.',
  'rules.*.match.team.access':
    'The access of the team to the pipeline, at least: read_only, build_and_read or manage_build_and_read. Without it, read_only.',
  'rules.*.match.created_by':
    'A member of this team started the build in the web interface or by API. build_source must name ui, api or both and nothing else. Jobs must ask for --claim pipeline_id.',
  'rules.*.match.created_by.team': 'A name from teams.',
  'rules.*.approval':
    'A person unblocked a block step of the same build. Jobs must ask for --claim pipeline_id. Until then the request is refused with authorization_pending.',
  'rules.*.approval.step':
    "The key of the block step. Who writes the pipeline's steps decides what the step says and when it comes: the key alone is no guard.",
  'rules.*.approval.by': 'A name from teams. A member of the team must have unblocked the step.',
  'rules.*.approval.within':
    'How long ago the step may have been unblocked, from 1m to 24h. Each renewal of a token is judged again.',
  'rules.*.approval.use':
    'break-glass: for access in an emergency. The build must state a reason in its metadata break-glass-reason, and each use raises an alert.',
  'rules.*.approval.not':
    'creator: the person who started the build cannot approve it. Of builds from webhooks, trigger steps and schedules the creator is not verified.',
  'rules.*.agent':
    'The request carries a token of an identity provider, with these claims: it comes from a certain machine.',
  'rules.*.agent.provider': 'A name from identityProviders.',
  'rules.*.agent.claims':
    'Claims of the token by their names in identityProviders. All must be met. A list means any of its values, compared to the letter, without wildcards.',
  'rules.*.agent.claims.*': 'The value, or a list of values.',
  'rules.*.grants': 'Names from credentials.',
  'rules.*.accept': `${ACCEPTED} about this rule, ${BY_CODE}`,
};

function describeSource(claim: string): string {
  return SOURCES[isMatchableClaim(claim) ? sourceOfClaim(claim) : 'buildkite'];
}

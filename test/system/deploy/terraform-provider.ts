// Fakes of Terraform's providers of Google and of time, which can only be had from Terraform's registry. The first serves the schema that the real
// provider printed (google-provider-7.46.schema.json), so that the real terraform validates, plans and applies the module
// against it. It creates nothing, invents what Google would return, and knows none of the checks that the provider or Google
// make of values.

import { readFileSync } from 'node:fs';
import { loadPackageDefinition, Server, ServerCredentials, type ServiceClientConstructor } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import * as z from 'zod';
import { createLag } from './terraform-lag.ts';
import { decodeMsgpack, encodeMsgpack, UNKNOWN } from './terraform-msgpack.ts';
import { createRefusals } from './terraform-refusals.ts';
import { replacedBy } from './terraform-replacements.ts';

const SCHEMA_FILE = 'test/system/deploy/google-provider-7.46.schema.json';

const flag = z.literal(true).optional();
const attribute = z.strictObject({
  /** A type of Terraform's as JSON: `"string"`, `["list", "string"]`, `["object", {...}]`. */
  type: z.unknown(),
  required: flag,
  optional: flag,
  /** The provider sets it, or, if it is optional too, sets it where the configuration does not. */
  computed: flag,
  sensitive: flag,
  write_only: flag,
  deprecated: flag,
});
type Attribute = z.output<typeof attribute>;
const NESTINGS = { single: 'SINGLE', list: 'LIST', set: 'SET' } as const;

export interface Block {
  readonly attributes: Record<string, Attribute>;
  readonly block_types: Readonly<Record<string, NestedBlock>>;
}
interface NestedBlock {
  readonly nesting_mode: keyof typeof NESTINGS;
  readonly min_items: number;
  readonly max_items: number;
  readonly block: Block;
}

const block: z.ZodType<Block> = z.lazy(() =>
  z.strictObject({
    attributes: z.record(z.string(), attribute).default({}),
    block_types: z.record(z.string(), nestedBlock).default({}),
  }),
);
const nestedBlock = z.strictObject({
  nesting_mode: z.enum(['single', 'list', 'set']),
  min_items: z.int().default(0),
  max_items: z.int().default(0),
  block,
});
const schemas = z.record(z.string(), z.strictObject({ block }));
const schemaFile = z.strictObject({
  source: z.string(),
  provider: z.strictObject({ block }),
  resource_schemas: schemas,
  data_source_schemas: schemas,
});
const values = z.record(z.string(), z.unknown());

/**
 * Attributes that the module sets and the printed schema lacks: when its descriptions were removed, every key called
 * `description` or `version` was, and attributes of these names with them. Each was read in the provider's source at the
 * commit that the schema was printed from (e03b7622, google/services and google/tpgiamresource).
 */
const REMOVED: Readonly<Record<string, Omit<Attribute, 'type'>>> = {
  'google_artifact_registry_repository.description': { optional: true },
  'google_cloud_scheduler_job.description': { optional: true },
  'google_cloud_run_v2_service.description': { optional: true },
  'google_cloud_run_v2_service.template.containers.env.value_source.secret_key_ref.version': { optional: true },
  'google_logging_linked_dataset.description': { optional: true },
  'google_logging_metric.description': { optional: true },
  'google_logging_metric.metric_descriptor.labels.description': { optional: true },
  'google_logging_project_bucket_config.description': { optional: true, computed: true },
  'google_logging_project_sink.description': { optional: true },
  'google_project_iam_member.condition.description': { optional: true },
};

export const PROVIDER_SCHEMA = readSchema();

const TEXT = { type: 'string', optional: true } as const;
/** Source: github.com/hashicorp/terraform-provider-time, docs/resources/sleep.md. */
const TIME_SLEEP: Block = {
  attributes: {
    create_duration: TEXT,
    destroy_duration: TEXT,
    triggers: { type: ['map', 'string'], optional: true },
    id: { type: 'string', computed: true },
  },
  block_types: {},
};
const EMPTY: Block = { attributes: {}, block_types: {} };

/** Attributes that the provider writes in full after an apply. Its plans take the short form for the same. */
const WRITTEN_IN_FULL: Readonly<Record<string, (own: Record<string, unknown>) => string>> = {
  'google_artifact_registry_repository_iam_member.repository': (own) =>
    `projects/${own.project}/locations/${own.location}/repositories/${own.repository}`,
  'google_cloud_run_v2_service_iam_binding.name': (own) =>
    `projects/${own.project}/locations/${own.location}/services/${own.name}`,
  'google_cloud_run_v2_service_iam_member.name': (own) =>
    `projects/${own.project}/locations/${own.location}/services/${own.name}`,
  'google_secret_manager_secret_iam_member.secret_id': (own) => `projects/${own.project}/secrets/${own.secret_id}`,
  'google_storage_bucket_iam_member.bucket': (own) => `b/${own.bucket}`,
};

/** What Google would answer, as far as something in the module depends on its form. */
const ANSWERS: Record<string, (own: Record<string, unknown>) => string> = {
  'google_service_account.email': (own) => `${own.account_id}@${own.project}.iam.gserviceaccount.com`,
  'google_service_account.name': (own) =>
    `projects/${own.project}/serviceAccounts/${own.account_id}@${own.project}.iam.gserviceaccount.com`,
  // As the example policy has them.
  'google_apikeys_key.key_string': (own) =>
    own.project === 'acme-staging' ? 'AIzaSyExampleWebKeyOfAcmeStaging' : 'AIzaSyExampleWebKeyOfAcmeProduction',
  'google_project_iam_custom_role.name': (own) => `projects/${own.project}/roles/${own.role_id}`,
  'google_cloud_run_v2_service.uri': (own) => `https://${own.name}-abc123-ew.a.run.app`,
  'google_project.number': () => '123456789012',
};

/** What an apply did, in its order: `create google_service_account ci-001@acme-ci-pool…`. */
type Verb = 'create' | 'update' | 'delete';

export interface FakeProvider {
  /** Changes that were applied, oldest first. */
  readonly applied: readonly string[];
  /** The value of TF_REATTACH_PROVIDERS by which terraform finds it. */
  readonly reattach: string;
  /** As if somebody had disabled every service account: from then on each is read as disabled. */
  readonly disableAccounts: () => void;
  readonly stop: () => void;
}

/** @param known whether the plan knows what Google will answer; really it does not */
export async function startProvider(socket: string, known: boolean): Promise<FakeProvider> {
  let disabled = false;
  const applied: string[] = [];
  const lag = createLag();
  const refusals = createRefusals();
  const google = await serve(socket, {
    GetProviderSchema: () => ({
      provider: { block: toBlock(PROVIDER_SCHEMA.provider) },
      resource_schemas: toSchemas(PROVIDER_SCHEMA.resource),
      data_source_schemas: toSchemas(PROVIDER_SCHEMA.data),
    }),
    PlanResourceChange: (request) => {
      const { type_name, prior_state, proposed_new_state } = planRequest.parse(request);
      const prior = stateSchema.parse(decodeMsgpack(prior_state.msgpack));
      const proposed = stateSchema.parse(decodeMsgpack(proposed_new_state.msgpack));
      const wanted = prior && proposed ? { ...proposed, ...sameInFull(type_name, prior, proposed) } : proposed;
      const replaced = prior && wanted ? replacedBy(type_name, prior, wanted) : [];
      return {
        planned_state: filled('resource', type_name, wanted, known || prior !== null),
        requires_replace: replaced.map((attribute_name) => ({ steps: [{ attribute_name }] })),
        legacy_type_system: true,
      };
    },
    ApplyResourceChange: (request) => {
      const { type_name, prior_state, planned_state } = applyRequest.parse(request);
      const planned = stateSchema.parse(decodeMsgpack(planned_state.msgpack));
      const prior = stateSchema.parse(decodeMsgpack(prior_state.msgpack));
      const summary =
        (planned ? lag.complaint(type_name, planned) : undefined) ?? refusals.complaint(type_name, prior, planned);
      if (summary !== undefined) return { new_state: prior_state, diagnostics: [{ severity: 'ERROR', summary }] };
      if (planned) lag.created(type_name, planned);
      applied.push(describeChange(type_name, prior, planned));
      const state = planned && { ...planned, ...inFull(type_name, planned) };
      return { new_state: filled('resource', type_name, state, true), legacy_type_system: true };
    },
    ReadResource: (request) => {
      const { type_name, current_state } = readRequest.parse(request);
      if (type_name !== 'google_service_account' || !disabled) return { new_state: current_state };
      const account = values.parse(decodeMsgpack(current_state.msgpack));
      return { new_state: { msgpack: encodeMsgpack({ ...account, disabled: true }) } };
    },
    ReadDataSource: (request) => {
      const { type_name, config } = readDataRequest.parse(request);
      return { state: filled('data', type_name, stateSchema.parse(decodeMsgpack(config.msgpack)), true) };
    },
  });
  const time = await serve(`${socket}.time`, {
    GetProviderSchema: () => ({
      provider: { block: toBlock(EMPTY) },
      resource_schemas: toSchemas({ time_sleep: TIME_SLEEP }),
      data_source_schemas: {},
    }),
    PlanResourceChange: (request) => {
      const { prior_state, proposed_new_state } = planRequest.parse(request);
      const prior = stateSchema.parse(decodeMsgpack(prior_state.msgpack));
      const proposed = stateSchema.parse(decodeMsgpack(proposed_new_state.msgpack));
      if (!proposed) return { planned_state: proposed_new_state };
      const again = prior && JSON.stringify(prior.triggers) !== JSON.stringify(proposed.triggers);
      return {
        planned_state: { msgpack: encodeMsgpack({ ...proposed, id: prior && !again ? prior.id : UNKNOWN }) },
        requires_replace: again ? [{ steps: [{ attribute_name: 'triggers' }] }] : [],
      };
    },
    ApplyResourceChange: (request) => {
      const { prior_state, planned_state } = applyRequest.parse(request);
      const planned = stateSchema.parse(decodeMsgpack(planned_state.msgpack));
      if (!planned) return { new_state: planned_state };
      if (decodeMsgpack(prior_state.msgpack) === null) lag.waited(String(planned.create_duration));
      return { new_state: { msgpack: encodeMsgpack({ ...planned, id: '2026-01-01T00:00:00Z' }) } };
    },
    ReadResource: (request) => ({ new_state: readRequest.parse(request).current_state }),
  });
  const attached = (name: string, address: string) => ({
    [`registry.terraform.io/hashicorp/${name}`]: {
      Protocol: 'grpc',
      ProtocolVersion: 6,
      Pid: process.pid,
      Test: true,
      Addr: { Network: 'unix', String: address },
    },
  });
  return {
    reattach: JSON.stringify({ ...attached('google', socket), ...attached('time', `${socket}.time`) }),
    applied,
    disableAccounts: () => {
      disabled = true;
    },
    stop: () => {
      google.forceShutdown();
      time.forceShutdown();
    },
  };
}

function describeChange(type: string, prior: State, planned: State): string {
  const verb: Verb = prior === null ? 'create' : planned === null ? 'delete' : 'update';
  const { service_account_id, account_id, project, name, preferred_member_key } = planned ?? prior ?? {};
  const account = account_id && `${account_id}@${project}.iam.gserviceaccount.com`;
  const about = type.startsWith('google_service_account_iam') ? service_account_id : (account ?? name);
  return `${verb} ${type} ${String(about ?? JSON.stringify(preferred_member_key)).replace(/^.*\//, '')}`;
}

/** A provider at a socket. What is not in `methods` succeeds and does nothing. */
async function serve(socket: string, methods: Readonly<Record<string, (request: unknown) => object>>): Promise<Server> {
  const definition = loadPackageDefinition(loadSync('test/system/deploy/tfplugin6.proto', { keepCase: true }));
  const { Provider } = definition.tfplugin6 as { Provider?: ServiceClientConstructor };
  if (!Provider) throw new Error('tfplugin6.proto describes no Provider');
  const answering =
    (response: (request: unknown) => object) =>
    ({ request }: { request: unknown }, callback: (error: Error | null, value?: object) => void) => {
      try {
        callback(null, response(request));
      } catch (error) {
        callback(error instanceof Error ? error : new Error(String(error)));
      }
    };
  const nothing = () => ({});
  const all: Record<string, (request: unknown) => object> = {
    ValidateProviderConfig: nothing,
    ValidateResourceConfig: nothing,
    ValidateDataResourceConfig: nothing,
    ConfigureProvider: nothing,
    StopProvider: nothing,
    UpgradeResourceState: (request) => ({ upgraded_state: upgradeRequest.parse(request).raw_state }),
    ReadDataSource: nothing,
    ...methods,
  };
  const server = new Server();
  server.addService(
    Provider.service,
    Object.fromEntries(Object.entries(all).map(([name, method]) => [name, answering(method)])),
  );
  await new Promise<void>((resolve, reject) =>
    server.bindAsync(`unix:${socket}`, ServerCredentials.createInsecure(), (error) =>
      error ? reject(error) : resolve(),
    ),
  );
  return server;
}

/** What the provider writes in full of these values. */
function inFull(type: string, own: Record<string, unknown>): Record<string, unknown> {
  const found = Object.entries(WRITTEN_IN_FULL).filter(([path]) => path.startsWith(`${type}.`));
  return Object.fromEntries(
    found.map(([path, full]) => {
      const name = path.slice(type.length + 1);
      return [name, /\//.test(String(own[name])) ? own[name] : full(own)];
    }),
  );
}

/** Of what is written in full, what is the same as before. */
function sameInFull(type: string, prior: Record<string, unknown>, proposed: Record<string, unknown>) {
  return Object.fromEntries(Object.entries(inFull(type, proposed)).filter(([name, full]) => full === prior[name]));
}

const dynamicValue = z.object({ msgpack: z.instanceof(Buffer) });
const planRequest = z.object({ type_name: z.string(), prior_state: dynamicValue, proposed_new_state: dynamicValue });
const applyRequest = z.object({ type_name: z.string(), prior_state: dynamicValue, planned_state: dynamicValue });
const stateSchema = values.nullable();
type State = z.output<typeof stateSchema>;
const readRequest = z.object({ type_name: z.string(), current_state: dynamicValue });
const upgradeRequest = z.object({ raw_state: z.object({ json: z.instanceof(Buffer) }) });
const readDataRequest = z.object({ type_name: z.string(), config: dynamicValue });

function readSchema() {
  const { provider, resource_schemas, data_source_schemas } = schemaFile.parse(
    JSON.parse(readFileSync(SCHEMA_FILE, 'utf8')),
  );
  for (const [path, flags] of Object.entries(REMOVED)) {
    const [type = '', ...names] = path.split('.');
    const name = names.pop() ?? '';
    const found = names.reduce((own, nested) => own?.block_types[nested]?.block, resource_schemas[type]?.block);
    if (!found) throw new Error(`${SCHEMA_FILE} has no ${path}`);
    if (name in found.attributes) throw new Error(`${SCHEMA_FILE} has ${path}: take it out of REMOVED`);
    found.attributes[name] = { type: 'string', ...flags };
  }
  const blocks = (of: z.output<typeof schemas>) =>
    Object.fromEntries(Object.entries(of).map(([type, own]) => [type, own.block]));
  return { provider: provider.block, resource: blocks(resource_schemas), data: blocks(data_source_schemas) };
}

function toSchemas(blocks: Readonly<Record<string, Block>>) {
  return Object.fromEntries(Object.entries(blocks).map(([type, own]) => [type, { block: toBlock(own) }]));
}

function toBlock({ attributes, block_types }: Block): object {
  return {
    attributes: Object.entries(attributes).map(([name, { type, ...flags }]) => ({
      name,
      type: Buffer.from(JSON.stringify(type)),
      ...flags,
    })),
    block_types: Object.entries(block_types).map(([type_name, nested]) => ({
      type_name,
      block: toBlock(nested.block),
      nesting: NESTINGS[nested.nesting_mode],
      min_items: nested.min_items,
      max_items: nested.max_items,
    })),
  };
}

/** The state with everything filled in that Google would set. */
function filled(
  kind: 'resource' | 'data',
  type: string,
  state: Record<string, unknown> | null,
  known: boolean,
): { msgpack: Buffer } {
  const own = PROVIDER_SCHEMA[kind][type];
  if (!own) throw new Error(`${type} is not in ${SCHEMA_FILE}`);
  const fill = ({ attributes, block_types }: Block, state: Record<string, unknown>): object => {
    const response = (name: string, { type: valueType, optional }: Attribute) => {
      if (!known) return UNKNOWN;
      // What a configuration may leave to Google is left empty, but for the id.
      if (valueType !== 'string' || (optional && name !== 'id')) return null;
      return ANSWERS[`${type}.${name}`]?.(state) ?? `${type}.${name}`;
    };
    const set = Object.entries(attributes)
      .filter(([name, { computed }]) => computed && (state[name] === null || state[name] === UNKNOWN))
      .map(([name, own]) => [name, response(name, own)] as const);
    const nested = Object.entries(block_types).flatMap(([name, { nesting_mode, block: inner }]) => {
      if (nesting_mode === 'single') return [];
      return [[name, nestedStates(state[name]).map((each) => fill(inner, each))] as const];
    });
    return { ...state, ...Object.fromEntries(set), ...Object.fromEntries(nested) };
  };
  return { msgpack: encodeMsgpack(state === null ? null : fill(own, state)) };
}

function nestedStates(state: unknown) {
  return z.array(values).parse(state ?? []);
}

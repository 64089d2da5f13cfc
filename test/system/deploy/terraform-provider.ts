// A fake of Terraform's Google provider, which can only be had from Terraform's registry. It serves the schema that the real
// provider printed (google-provider-7.46.schema.json), so that the real terraform validates, plans and applies the module
// against it. It creates nothing, invents what Google would return, and knows none of the checks that the provider or Google
// make of values.

import { readFileSync } from 'node:fs';
import { loadPackageDefinition, Server, ServerCredentials, type ServiceClientConstructor } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import * as z from 'zod';
import { decodeMsgpack, encodeMsgpack, UNKNOWN } from './terraform-msgpack.ts';

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
  'google_cloudfunctions2_function.description': { optional: true },
  'google_cloudfunctions2_function.service_config.secret_environment_variables.version': { required: true },
  'google_logging_linked_dataset.description': { optional: true },
  'google_logging_metric.description': { optional: true },
  'google_logging_metric.metric_descriptor.labels.description': { optional: true },
  'google_logging_project_bucket_config.description': { optional: true, computed: true },
  'google_logging_project_sink.description': { optional: true },
  'google_project_iam_member.condition.description': { optional: true },
};

export const PROVIDER_SCHEMA = readSchema();

/** What Google would answer, as far as something in the module depends on its form. */
const ANSWERS: Record<string, (own: Record<string, unknown>) => string> = {
  'google_service_account.email': (own) => `${own.account_id}@${own.project}.iam.gserviceaccount.com`,
  'google_service_account.name': (own) =>
    `projects/${own.project}/serviceAccounts/${own.account_id}@${own.project}.iam.gserviceaccount.com`,
  'google_project_iam_custom_role.name': (own) => `projects/${own.project}/roles/${own.role_id}`,
  // A function is named as its account is.
  'google_cloudfunctions2_function.uri': (own) =>
    `https://${String(own.service_account_email).split('@')[0]}-abc123-ew.a.run.app`,
  'google_project.number': () => '123456789012',
};

export interface FakeProvider {
  /** The value of TF_REATTACH_PROVIDERS by which terraform finds it. */
  readonly reattach: string;
  /** As if somebody had disabled every service account: from then on each is read as disabled. */
  readonly disableAccounts: () => void;
  readonly stop: () => void;
}

/** @param known whether the plan knows what Google will answer; really it does not */
export async function startProvider(socket: string, known: boolean): Promise<FakeProvider> {
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
  const nothing = answering(() => ({}));
  let disabled = false;
  const server = new Server();
  server.addService(Provider.service, {
    GetProviderSchema: answering(() => ({
      provider: { block: toBlock(PROVIDER_SCHEMA.provider) },
      resource_schemas: toSchemas(PROVIDER_SCHEMA.resource),
      data_source_schemas: toSchemas(PROVIDER_SCHEMA.data),
    })),
    ValidateProviderConfig: nothing,
    ValidateResourceConfig: nothing,
    ValidateDataResourceConfig: nothing,
    ConfigureProvider: nothing,
    StopProvider: nothing,
    PlanResourceChange: answering((request) => {
      const { type_name, prior_state, proposed_new_state } = planRequest.parse(request);
      const exists = decodeMsgpack(prior_state.msgpack) !== null;
      return {
        planned_state: filled('resource', type_name, proposed_new_state.msgpack, known || exists),
        legacy_type_system: true,
      };
    }),
    ApplyResourceChange: answering((request) => {
      const { type_name, planned_state } = applyRequest.parse(request);
      return { new_state: filled('resource', type_name, planned_state.msgpack, true), legacy_type_system: true };
    }),
    ReadResource: answering((request) => {
      const { type_name, current_state } = readRequest.parse(request);
      if (type_name !== 'google_service_account' || !disabled) return { new_state: current_state };
      const account = values.parse(decodeMsgpack(current_state.msgpack));
      return { new_state: { msgpack: encodeMsgpack({ ...account, disabled: true }) } };
    }),
    UpgradeResourceState: answering((request) => ({ upgraded_state: upgradeRequest.parse(request).raw_state })),
    ReadDataSource: answering((request) => {
      const { type_name, config } = readDataRequest.parse(request);
      return { state: filled('data', type_name, config.msgpack, true) };
    }),
  });
  await new Promise<void>((resolve, reject) =>
    server.bindAsync(`unix:${socket}`, ServerCredentials.createInsecure(), (error) =>
      error ? reject(error) : resolve(),
    ),
  );
  const reattach = {
    'registry.terraform.io/hashicorp/google': {
      Protocol: 'grpc',
      ProtocolVersion: 6,
      Pid: process.pid,
      Test: true,
      Addr: { Network: 'unix', String: socket },
    },
  };
  return {
    reattach: JSON.stringify(reattach),
    disableAccounts: () => {
      disabled = true;
    },
    stop: () => server.forceShutdown(),
  };
}

const dynamicValue = z.object({ msgpack: z.instanceof(Buffer) });
const planRequest = z.object({ type_name: z.string(), prior_state: dynamicValue, proposed_new_state: dynamicValue });
const applyRequest = z.object({ type_name: z.string(), planned_state: dynamicValue });
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
function filled(kind: 'resource' | 'data', type: string, msgpack: Buffer, known: boolean): { msgpack: Buffer } {
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
  const state = decodeMsgpack(msgpack);
  return { msgpack: encodeMsgpack(state === null ? null : fill(own, values.parse(state))) };
}

function nestedStates(state: unknown) {
  return z.array(values).parse(state ?? []);
}

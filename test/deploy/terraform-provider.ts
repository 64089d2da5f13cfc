// A stand-in for Terraform's Google provider, which can only be had from Terraform's registry. It has the real provider's
// schemas (google-provider.schema.json), so that the real terraform validates, plans and applies the module against them, and it
// invents what Google would answer. It creates nothing, and knows none of the checks the provider or Google make of values.

import { readFileSync } from 'node:fs';
import { loadPackageDefinition, Server, ServerCredentials, type ServiceClientConstructor } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import * as z from 'zod';
import { decodeMsgpack, encodeMsgpack, UNKNOWN } from './terraform-msgpack.ts';

export interface Block {
  readonly nesting?: string | undefined;
  readonly attributes: Readonly<Record<string, string>>;
  readonly blocks?: Readonly<Record<string, Block>> | undefined;
}

const block: z.ZodType<Block> = z.lazy(() =>
  z.strictObject({
    nesting: z.string().optional(),
    attributes: z.record(z.string(), z.string()),
    blocks: z.record(z.string(), block).optional(),
  }),
);
const schemaFile = z.strictObject({
  bindings: z.string(),
  provider: z.string(),
  resource: z.record(z.string(), block),
  data: z.record(z.string(), block),
});
const values = z.record(z.string(), z.unknown());

export const PROVIDER_SCHEMA = schemaFile.parse(
  JSON.parse(readFileSync('test/deploy/google-provider.schema.json', 'utf8')),
);
const PROVIDER_SETTINGS: Block = {
  attributes: { project: 'string', region: 'string', billing_project: 'string', user_project_override: 'boolean' },
};
const NESTINGS = { one: 'LIST', list: 'LIST', set: 'SET' } as const;
const TYPES: Record<string, unknown> = {
  string: 'string',
  number: 'number',
  boolean: 'bool',
  stringList: ['list', 'string'],
  numberList: ['list', 'number'],
  stringMap: ['map', 'string'],
};

/** What Google would answer, as far as something in the module depends on its form. */
const ANSWERS: Record<string, (own: Record<string, unknown>) => string> = {
  'google_service_account.email': (own) => `${own.account_id}@${own.project}.iam.gserviceaccount.com`,
  'google_service_account.name': (own) =>
    `projects/${own.project}/serviceAccounts/${own.account_id}@${own.project}.iam.gserviceaccount.com`,
  'google_project_iam_custom_role.name': (own) => `projects/${own.project}/roles/${own.role_id}`,
  'google_cloudfunctions2_function.uri': () => 'https://function-abc123-ew.a.run.app',
  'google_project.number': () => '123456789012',
};

/**
 * @param known whether the plan knows what Google will answer; really it does not
 * @returns the value of TF_REATTACH_PROVIDERS by which terraform finds it, and how to end it
 */
export async function startProvider(socket: string, known: boolean): Promise<{ reattach: string; stop: () => void }> {
  const definition = loadPackageDefinition(loadSync('test/deploy/tfplugin6.proto', { keepCase: true }));
  const { Provider } = definition.tfplugin6 as { Provider?: ServiceClientConstructor };
  if (!Provider) throw new Error('tfplugin6.proto describes no Provider');
  const answering =
    (answer: (request: unknown) => object) =>
    ({ request }: { request: unknown }, callback: (error: Error | null, value?: object) => void) => {
      try {
        callback(null, answer(request));
      } catch (error) {
        callback(error instanceof Error ? error : new Error(String(error)));
      }
    };
  const nothing = answering(() => ({}));
  const server = new Server();
  server.addService(Provider.service, {
    GetProviderSchema: answering(() => ({
      provider: { block: toBlock(PROVIDER_SETTINGS) },
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
    ReadResource: answering((request) => ({ new_state: readRequest.parse(request).current_state })),
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
  return { reattach: JSON.stringify(reattach), stop: () => server.forceShutdown() };
}

const dynamicValue = z.object({ msgpack: z.instanceof(Buffer) });
const planRequest = z.object({ type_name: z.string(), prior_state: dynamicValue, proposed_new_state: dynamicValue });
const applyRequest = z.object({ type_name: z.string(), planned_state: dynamicValue });
const readRequest = z.object({ current_state: dynamicValue });
const upgradeRequest = z.object({ raw_state: z.object({ json: z.instanceof(Buffer) }) });
const readDataRequest = z.object({ type_name: z.string(), config: dynamicValue });

function toSchemas(blocks: Readonly<Record<string, Block>>) {
  return Object.fromEntries(Object.entries(blocks).map(([type, own]) => [type, { block: toBlock(own) }]));
}

function toBlock({ attributes, blocks = {} }: Block): object {
  return {
    attributes: Object.entries(attributes).map(([name, description]) => {
      const [type = '', kind] = description.split(' ');
      const computed = kind === 'computed' || (kind === undefined && name === 'id');
      const flags = { required: kind === 'required', optional: kind === undefined, computed };
      return { name, type: Buffer.from(JSON.stringify(TYPES[type])), ...flags };
    }),
    block_types: Object.entries(blocks).map(([type_name, nested]) => {
      const [nesting, required] = (nested.nesting ?? '').split(' ');
      if (nesting !== 'one' && nesting !== 'list' && nesting !== 'set')
        throw new Error(`${type_name} nests ${nesting}`);
      const limits = { min_items: required ? 1 : 0, max_items: nesting === 'one' ? 1 : 0 };
      return { type_name, block: toBlock(nested), nesting: NESTINGS[nesting], ...limits };
    }),
  };
}

/** The state with everything filled in that Google would set. */
function filled(kind: 'resource' | 'data', type: string, msgpack: Buffer, known: boolean): { msgpack: Buffer } {
  const own = PROVIDER_SCHEMA[kind][type];
  if (!own) throw new Error(`${type} is not in google-provider.schema.json`);
  const fill = ({ attributes, blocks = {} }: Block, state: Record<string, unknown>): object => {
    const set = Object.entries(attributes).flatMap(([name, description]) => {
      const open = state[name] === null || state[name] === UNKNOWN;
      if (!open || !(description.endsWith(' computed') || name === 'id')) return [];
      const text = /^string( |$)/.test(description) ? (ANSWERS[`${type}.${name}`]?.(state) ?? `${type}.${name}`) : null;
      return [[name, known ? text : UNKNOWN] as const];
    });
    const nested = Object.entries(blocks).map(([name, block]) => [
      name,
      nestedStates(state[name]).map((each) => fill(block, each)),
    ]);
    return { ...state, ...Object.fromEntries(set), ...Object.fromEntries(nested) };
  };
  const state = decodeMsgpack(msgpack);
  return { msgpack: encodeMsgpack(state === null ? null : fill(own, values.parse(state))) };
}

function nestedStates(state: unknown) {
  return z.array(values).parse(state ?? []);
}

// The service of each function: its identity, settings and secrets, who gets past its invoker check, and which revision it runs.

import { shellCommand } from '../../shared/core/shell-quote.ts';
import type { CheckKind, Found } from '../checks/check.ts';
import { FUNCTION_TEXTS } from './function-texts.ts';
import { type ExpectedFunction, FUNCTIONS, heapSetting, INGRESS_ANNOTATIONS } from './functions.ts';
import { repositoryName } from './iam/places.ts';
import { readService, type Service, serviceName, type Variable, variablesOf } from './service.ts';
import { type DoctorTarget, identityOf } from './target.ts';

type Name = keyof typeof FUNCTION_TEXTS;
type FoundHere = Found<Name>;

const OVERRIDE = /^KEYDESK_(ISSUER|[A-Z]+(_[A-Z]+)*_URL)$/;
const EMULATOR = /_EMULATOR_HOST$/;

export const functions: CheckKind<DoctorTarget, Name> = {
  name: 'functions',
  looksAt:
    'Whether the service of each function exists, with its own identity, its settings and secrets, its invoker check and ingress, one revision that serves, and one container of the image that was built for it.',
  findings: FUNCTION_TEXTS,
  checksOf: (target) =>
    FUNCTIONS.map((expected) => ({
      subject: serviceName(target, expected.name),
      look: async (google) => {
        const service = await readService(google, target, expected.name);
        const base = baseFacts(target, expected);
        if (!service) return { found: [{ finding: 'service_missing' as const, facts: base }] };
        const found = [
          ...judgeIdentity(target, expected, service),
          ...judgeVariables(target, expected, service),
          ...judgeAccess(target, expected, service),
          ...judgeRevision(service),
          ...judgeContainers(target, expected, service),
        ];
        return { found: found.map(({ facts, ...one }) => ({ ...one, facts: { ...base, ...facts } })) };
      },
    })),
};

function baseFacts(target: DoctorTarget, { name }: ExpectedFunction) {
  const { project, region } = target;
  return {
    service: serviceName(target, name),
    project,
    region,
    where: { quoted: shellCommand`--project=${project} --region=${region}` },
  };
}

function judgeIdentity(target: DoctorTarget, { name }: ExpectedFunction, { spec }: Service): FoundHere[] {
  const account = identityOf(target, name);
  const found = spec.template.spec.serviceAccountName || 'the default account of Compute Engine';
  return found === account ? [] : [{ finding: 'identity_differs', facts: { account, found } }];
}

function judgeVariables(target: DoctorTarget, expected: ExpectedFunction, service: Service): FoundHere[] {
  const variables = variablesOf(service);
  const [container] = service.spec.template.spec.containers;
  const settings: Readonly<Record<string, string>> = {
    ...expected.settings(target),
    ...heapSetting(container?.resources.limits.memory ?? ''),
  };
  const secrets = expected.secrets(target);
  const byName = new Map(variables.map((variable) => [variable.name, variable]));
  const needed = Object.entries(settings).flatMap(([variable, value]): FoundHere[] => {
    const found = byName.get(variable);
    if (found?.value === value) return [];
    const finding = found ? 'setting_differs' : 'setting_missing';
    return [{ finding, resource: resourceOf(target, expected, variable), facts: { variable, expected: value } }];
  });
  const fromSecrets = Object.entries(secrets).flatMap(([variable, secret]) => {
    const facts = { variable, secret: `${target.prefix}-${secret}` };
    const resource = resourceOf(target, expected, variable);
    return judgeSecret(byName.get(variable), facts).map((one) => ({ ...one, resource }));
  });
  const others = variables
    .filter(({ name }) => settings[name] === undefined && secrets[name] === undefined)
    .map(
      ({ name }): FoundHere => ({
        finding: OVERRIDE.test(name) ? 'override_set' : EMULATOR.test(name) ? 'emulator_set' : 'setting_not_expected',
        resource: resourceOf(target, expected, name),
        facts: { variable: name },
      }),
    );
  return [...needed, ...fromSecrets, ...others];
}

function resourceOf(target: DoctorTarget, { name }: ExpectedFunction, variable: string): string {
  return `${serviceName(target, name)} ${variable}`;
}

function judgeSecret(found: Variable | undefined, facts: { variable: string; secret: string }): FoundHere[] {
  if (!found) return [{ finding: 'secret_missing', facts }];
  const reference = found.valueFrom?.secretKeyRef;
  if (!reference) return [{ finding: 'secret_as_value', facts }];
  if (reference.name !== facts.secret)
    return [{ finding: 'secret_differs', facts: { ...facts, found: reference.name } }];
  if (/^[1-9][0-9]*$/.test(reference.key)) return [];
  return [{ finding: 'secret_version_floating', facts: { ...facts, version: reference.key } }];
}

function judgeAccess({ deployment }: DoctorTarget, expected: ExpectedFunction, { metadata }: Service): FoundHere[] {
  const { callers, name, ingress } = expected;
  const isOff = metadata.annotations['run.googleapis.com/invoker-iam-disabled'] === 'true';
  const mustBeOff = callers === 'anyone' && deployment.public_access === 'invoker_check_disabled';
  const found: FoundHere[] = [];
  if (isOff && callers !== 'anyone') found.push({ finding: 'invoker_check_off', facts: {} });
  if (!isOff && mustBeOff) found.push({ finding: 'invoker_check_on', facts: {} });
  const allowed = metadata.annotations['run.googleapis.com/ingress'] ?? 'all';
  const wanted = INGRESS_ANNOTATIONS[deployment.ingress[name] ?? ingress] ?? '';
  if (allowed !== wanted) found.push({ finding: 'ingress_differs', facts: { found: allowed, expected: wanted } });
  return found;
}

function judgeRevision({ spec }: Service): FoundHere[] {
  const elsewhere = spec.traffic.filter(
    ({ latestRevision, percent, tag }) => tag !== '' || (!latestRevision && percent > 0),
  );
  if (elsewhere.length === 0) return [];
  const revisions = elsewhere.map(({ revisionName, tag }) => revisionName || `the tag ${tag}`).join(', ');
  return [{ finding: 'traffic_not_on_latest', facts: { revisions } }];
}

function judgeContainers(target: DoctorTarget, { name }: ExpectedFunction, { spec }: Service): FoundHere[] {
  const { containers } = spec.template.spec;
  const [{ image, command, args } = { image: '', command: [], args: [] }] = containers;
  const found: FoundHere[] = [];
  if (containers.length !== 1) {
    const images = containers.map((one) => one.image || 'no image').join(', ');
    found.push({ finding: 'container_not_expected', facts: { count: String(containers.length), images } });
  }
  if (command.length + args.length > 0)
    found.push({ finding: 'command_overridden', facts: { command: [...command, ...args].join(' ') } });
  // As `images` in deploy/terraform/locals.tf: any registry can have an image with this tag.
  const { project, region, archives } = target;
  const prefix = `${region}-docker.pkg.dev/${project}/${repositoryName(target)}/${name}:`;
  const archive = archives?.[name];
  const isExpected = archive === undefined ? image.startsWith(prefix) : image === `${prefix}${archive}`;
  if (!isExpected)
    found.push({ finding: 'image_differs', facts: { found: image, expected: `${prefix}${archive ?? 'SHA256'}` } });
  return found;
}

// What `keydesk doctor` says of the code that a function runs: one container, of the image that was built for it, as it is.

import { describe, expect, it } from 'vitest';
import { ARCHIVE, at, REGION } from '../../../fixtures/deployed-addresses.ts';
import { deployedWorld } from '../../../fixtures/deployed-world.ts';
import { runDoctorOn } from '../../../fixtures/doctor-run.ts';
import { DATA, KEYDESK } from '../../../fixtures/preflight-world.ts';

interface Service {
  spec: {
    template: { spec: { containers: { image: string; command?: string[]; args?: string[] }[] } };
    traffic: object[];
  };
}

async function findingsAfter(change: (service: Service) => void, options: { hasArchives?: boolean } = {}) {
  const world = deployedWorld();
  const service = structuredClone(world.resources[at.service('token')]) as Service;
  change(service);
  world.resources[at.service('token')] = service;
  const { findings } = await runDoctorOn(world, options);
  return findings.map(({ finding, resource }) => [finding, resource]);
}

const imageIs =
  (image: string) =>
  ({ spec }: Service) => {
    for (const container of spec.template.spec.containers) container.image = image;
  };
const OWN = `${REGION}-docker.pkg.dev/${KEYDESK}/keydesk-functions/token`;
const DIFFERS = [['image_differs', 'keydesk-token']];

describe('the image of a function', () => {
  it.each([
    ['another registry, with the right tag', `${REGION}-docker.pkg.dev/acme-other/keydesk-functions/token:${ARCHIVE}`],
    ['another function, with the right tag', OWN.replace(/token$/, `webhook:${ARCHIVE}`)],
    ['another tag', `${OWN}:latest`],
    ['a digest, which says nothing about the archive', `${OWN}:${ARCHIVE}@sha256:${'0'.repeat(64)}`],
    ['nothing', ''],
  ])('is a finding when it is of %s', async (_, image) => {
    expect(await findingsAfter(imageIs(image))).toEqual(DIFFERS);
  });

  it('is of the repository of the deployment, also where the archives are not known', async () => {
    const options = { hasArchives: false };
    expect(await findingsAfter(imageIs(`${OWN}:another`), options)).toEqual([]);
    expect(await findingsAfter(imageIs(`docker.io/acme/token:${ARCHIVE}`), options)).toEqual(DIFFERS);
  });
});

describe('the container of a function', () => {
  it.each([
    ['a command', { command: ['node', '-e', 'another()'] }],
    ['arguments', { args: ['--require', './another.js'] }],
  ])('is a finding with %s of its own', async (_, own) => {
    const found = await findingsAfter(({ spec }) => Object.assign(spec.template.spec.containers[0] ?? {}, own));
    expect(found).toEqual([['command_overridden', 'keydesk-token']]);
  });

  it('is alone', async () => {
    const found = await findingsAfter(({ spec }) =>
      spec.template.spec.containers.push({ image: 'docker.io/acme/sidecar:1' }),
    );
    expect(found).toEqual([['container_not_expected', 'keydesk-token']]);
  });
});

describe('the traffic of a function', () => {
  it.each([
    ['a part to an older revision', { revisionName: 'keydesk-token-00001', percent: 1 }, true],
    ['nothing to an older revision, which has a tag', { revisionName: 'keydesk-token-00001', tag: 'old' }, true],
    ['nothing to an older revision', { revisionName: 'keydesk-token-00001', percent: 0 }, false],
  ])('that goes %s', async (_, target, isFinding) => {
    const found = await findingsAfter(({ spec }) => spec.traffic.push(target));
    expect(found).toEqual(isFinding ? [['traffic_not_on_latest', 'keydesk-token']] : []);
  });
});

describe('released rules', () => {
  it('are not known to be in force when Google does not say since when', async () => {
    const world = deployedWorld();
    const address = at.release(DATA, '(default)');
    world.resources[address] = { ...(world.resources[address] as object), updateTime: '' };
    const { findings, notLooked } = await runDoctorOn(world);
    expect([findings, notLooked]).toMatchObject([[], [{ check: 'security rules' }]]);
  });
});

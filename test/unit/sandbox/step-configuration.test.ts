// What the sandbox's command `step` replaces in the plugin's configuration, and what it leaves for the plugin to check.

import { describe, expect, it } from 'vitest';
import { configurationInSandbox } from '../../../sandbox/step-configuration.ts';

const AUDIENCE = 'https://keydesk.acme.example';
const HERE = 'http://127.0.0.1:8080';
const inSandbox = (configuration: Parameters<typeof configurationInSandbox>[0], audience = AUDIENCE) =>
  configurationInSandbox({ credentials: 'staging-config', ...configuration }, { url: HERE, audience });

describe('the configuration of a step in the sandbox', () => {
  it.each([
    ['the URL', { url: AUDIENCE }, { url: HERE, audience: AUDIENCE }],
    ['the URL with a slash', { url: `${AUDIENCE}/` }, { url: `${HERE}/`, audience: AUDIENCE }],
    ['an empty audience', { url: AUDIENCE, audience: '' }, { url: HERE, audience: AUDIENCE }],
    ['a URL with a path', { url: `${AUDIENCE}/token` }, { url: `${HERE}/token`, audience: `${AUDIENCE}/token` }],
    ['another host', { url: 'https://other.example' }, { url: HERE, audience: 'https://other.example' }],
    [
      'another audience',
      { url: AUDIENCE, audience: 'https://other.example' },
      { url: HERE, audience: 'https://other.example' },
    ],
    ['a list as audience', { url: AUDIENCE, audience: [AUDIENCE] }, { url: HERE, audience: [AUDIENCE] }],
  ])('sends requests to the sandbox and keeps the path and the audience: %s', (_case, written, expected) => {
    expect(inSandbox(written)).toEqual({ credentials: 'staging-config', ...expected });
  });

  it('replaces all of an audience that has a path', () => {
    const url = 'https://europe-west1-acme.cloudfunctions.net/keydesk';
    expect(inSandbox({ url }, url)).toMatchObject({ url: HERE, audience: url });
    expect(inSandbox({ url: `${url}-other` }, url)).toMatchObject({ url: `${HERE}/keydesk-other` });
  });

  it.each([
    ['no URL', { urls: AUDIENCE }],
    ['a URL without a scheme', { url: 'keydesk.acme.example' }],
    ['a URL without TLS', { url: 'http://keydesk.acme.example' }],
    ['a URL with a user', { url: 'https://user@keydesk.acme.example' }],
    ['a URL with a query', { url: `${AUDIENCE}?a=b` }],
    ['a list of URLs', { url: [AUDIENCE] }],
  ])('leaves to the plugin what it refuses: %s', (_case, written) => {
    expect(inSandbox(written)).toEqual({ credentials: 'staging-config', ...written });
  });
});

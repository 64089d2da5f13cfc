// The local Cloud Storage, by hand. The real clients are in test/system/clients.

import { deflateSync, gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { crc32cOf } from '../../../../../sandbox/fakes/google/object.ts';
import {
  ACCOUNT,
  BUCKET,
  BYTES,
  b,
  bounded,
  clock,
  disable,
  END,
  GRAIN,
  google,
  jsonOf,
  LISTS_OF,
  mintedToken,
  OBJECTS_OF,
  OTHER_BUCKET,
  o,
  openStorage,
  plain,
  START,
  sendRequest,
  upload,
  uploadOf,
  within,
} from '../../../../fixtures/local-storage.ts';

beforeEach(openStorage);
afterEach(() => google.close());

const ACTIONS = {
  metadata: (accessToken, name, bucket) => sendRequest(accessToken, o(name, bucket)),
  media: (accessToken, name, bucket) => sendRequest(accessToken, `${o(name, bucket)}?alt=media`),
  download: (accessToken, name, bucket) => sendRequest(accessToken, `/download${o(name, bucket)}?alt=media`),
  xml: (accessToken, name, bucket) => sendRequest(accessToken, `/${bucket}/${name}`),
  list: (accessToken, name, bucket) => sendRequest(accessToken, `${b(bucket)}/o?prefix=${name}`),
  layout: (accessToken, name, bucket) => sendRequest(accessToken, `${b(bucket)}/storageLayout?prefix=${name}`),
  create: (accessToken, name, bucket) => upload(`${name}-new`, 'new', accessToken, bucket),
  begin: (accessToken, name, bucket) =>
    sendRequest(accessToken, uploadOf('resumable', { name: `${name}-begun` }, bucket), { method: 'POST' }),
  overwrite: (accessToken, name, bucket) => upload(name, 'other', accessToken, bucket),
  delete: (accessToken, name, bucket) => sendRequest(accessToken, o(name, bucket), { method: 'DELETE' }),
  bucket: (accessToken, _, bucket) => sendRequest(accessToken, b(bucket)),
} satisfies Record<string, (accessToken: string, name: string, bucket: string) => Promise<Response>>;
type Action = keyof typeof ACTIONS;
const ALL = Object.keys(ACTIONS) as Action[];
const READING: Action[] = ['metadata', 'media', 'download', 'xml', 'list', 'layout'];
const CREATING: Action[] = ['create', 'begin'];
const EVERYTHING = ALL.filter((action) => action !== 'bucket');

/** What succeeds with an object; anything else must be refused with 403, and change nothing. */
async function allowed(accessToken: string, name: string, bucket = BUCKET): Promise<Action[]> {
  const may: Action[] = [];
  for (const action of ALL) {
    await upload(name, 'content', plain, bucket);
    const before = new Map(google.objects);
    const { ok, status } = await ACTIONS[action](accessToken, name, bucket);
    if (ok) may.push(action);
    else {
      expect([action, status]).toEqual([action, 403]);
      expect(google.objects).toEqual(before);
    }
  }
  return may;
}

describe('a token that is downscoped to a prefix', () => {
  const ROLES: Record<string, Action[]> = {
    'roles/storage.objectViewer': READING,
    'roles/storage.objectCreator': CREATING,
    'roles/storage.objectUser': EVERYTHING,
    'roles/storage.objectAdmin': EVERYTHING,
    'roles/storage.admin': [],
    'projects/acme/roles/storage.objectViewer': [],
  };
  it.each(Object.entries(ROLES))('allows inside the prefix what %s allows, and nothing outside', async (role, may) => {
    const accessToken = await bounded({ roles: [role], expression: within('warm/') });
    expect(await allowed(accessToken, 'warm/x')).toEqual(may);
    for (const name of ['warmer/x', 'warm', 'cold/warm/x', 'Warm/x'])
      expect(await allowed(accessToken, name)).toEqual([]);
    expect(await allowed(accessToken, 'warm/x', OTHER_BUCKET)).toEqual([]);
    expect(google.unexpected).toEqual([]);
  });

  it.each([
    ['', 403],
    ['?prefix=', 403],
    ['?prefix=w', 403],
    ['?prefix=warm', 403],
    ['?prefix=warmer/', 403],
    ['?prefix=/warm/', 403],
    ['?prefix=warm/', 200],
    ['?prefix=warm%2Fdeep', 200],
  ])('a request for a list with "%s" gets %i', async (query, status) => {
    const accessToken = await bounded({ expression: within('warm/') });
    for (const path of ['o', 'storageLayout'])
      expect([path, (await sendRequest(accessToken, `${b()}/${path}${query}`)).status]).toEqual([path, status]);
  });

  it('opens every name that begins with the prefix, when the prefix does not end in a slash', async () => {
    const accessToken = await bounded({ expression: within('warm') });
    expect(await allowed(accessToken, 'warmer/x')).toEqual(EVERYTHING);
    expect(await allowed(accessToken, 'war/x')).toEqual([]);
  });

  it('lists nothing when its condition is only about objects', async () => {
    const accessToken = await bounded({ expression: OBJECTS_OF('warm/') });
    expect(await allowed(accessToken, 'warm/x')).toEqual(EVERYTHING.filter((one) => !['list', 'layout'].includes(one)));
  });

  it('can only list when its condition is only about lists', async () => {
    const accessToken = await bounded({ expression: LISTS_OF('warm/') });
    expect(await allowed(accessToken, 'warm/x')).toEqual(['list', 'layout']);
  });

  it('gets an error that names the account and the permission', async () => {
    await upload('cold/x');
    const accessToken = await bounded({ expression: within('warm/') });
    const denied = async (path: string, permission: string, what: string) => {
      const message = `${ACCOUNT} does not have ${permission} access to the Google Cloud Storage ${what}. Permission '${permission}' denied on resource (or it may not exist).`;
      const response = await sendRequest(accessToken, path);
      expect([response.status, await response.json()]).toEqual([
        403,
        { error: { code: 403, message, errors: [{ message, domain: 'global', reason: 'forbidden' }] } },
      ]);
    };
    await denied(o('cold/x'), 'storage.objects.get', 'object');
    await denied(o('cold/nothing'), 'storage.objects.get', 'object');
    await denied(`${b()}/o`, 'storage.objects.list', 'bucket');
    await denied(b(), 'storage.buckets.get', 'bucket');
    await denied(`${b('acme-missing')}/o`, 'storage.objects.list', 'bucket');
    const xml = await sendRequest(accessToken, `/${BUCKET}/cold/x`);
    expect([xml.status, await xml.text()]).toEqual([403, expect.stringContaining('<Code>AccessDenied</Code>')]);
  });

  it('still opens it when its account is disabled, until it ends', async () => {
    await upload('warm/x');
    const accessToken = await bounded({ expression: within('warm/') });
    await disable();
    expect((await sendRequest(plain, o('warm/x'))).status).toBe(401);
    clock.set(END - 1);
    expect((await sendRequest(accessToken, o('warm/x'))).status).toBe(200);
    expect((await upload('warm/x', 'again', accessToken)).status).toBe(200);
    clock.set(END);
    for (const action of EVERYTHING)
      expect([action, (await ACTIONS[action](accessToken, 'warm/x', BUCKET)).status]).toEqual([action, 401]);
    expect(google.objects.get(`${BUCKET}/warm/x`)).toBe('again');
  });
});

describe('a boundary', () => {
  it('without a condition opens the whole bucket, and no other', async () => {
    const accessToken = await bounded({});
    expect(await allowed(accessToken, 'any/x')).toEqual(EVERYTHING);
    expect((await sendRequest(accessToken, `${b()}/o`)).status).toBe(200);
    expect(await allowed(accessToken, 'any/x', OTHER_BUCKET)).toEqual([]);
  });

  it('of several rules opens what any of them opens', async () => {
    const viewer = { roles: ['roles/storage.objectViewer'], expression: within('warm/') };
    const accessToken = await bounded(viewer, { bucket: OTHER_BUCKET }, { expression: within('mine/') });
    expect(await allowed(accessToken, 'warm/x')).toEqual(READING);
    expect(await allowed(accessToken, 'mine/x')).toEqual(EVERYTHING);
    expect(await allowed(accessToken, 'cold/x')).toEqual([]);
    expect(await allowed(accessToken, 'cold/x', OTHER_BUCKET)).toEqual(EVERYTHING);
  });

  it('of several roles in a rule opens what any of them opens', async () => {
    const roles = ['roles/storage.objectViewer', 'roles/unheard.of', 'roles/storage.objectCreator'];
    const may = EVERYTHING.filter((action) => READING.includes(action) || CREATING.includes(action));
    expect(await allowed(await bounded({ roles, expression: within('warm/') }), 'warm/x')).toEqual(may);
    expect(google.unexpected).toEqual([]);
  });

  it.each([
    `${OBJECTS_OF('warm/')}||${LISTS_OF('warm/')}`,
    `${LISTS_OF('warm/')}\n  || ${OBJECTS_OF('warm/')}`,
    within('warm/').replace(', ', ','),
    `${within('cold/')} || ${within('warm/')}`,
  ])('is read with a condition that only looks different: %j', async (expression) => {
    const accessToken = await bounded({ expression });
    expect(await allowed(accessToken, 'warm/x')).toEqual(EVERYTHING);
    expect([await allowed(accessToken, 'warmer/x'), google.unexpected]).toEqual([[], []]);
  });

  it.each([
    'true',
    `${OBJECTS_OF('warm/')} ||`,
    `|| ${OBJECTS_OF('warm/')}`,
    `${OBJECTS_OF('warm/')} && ${LISTS_OF('warm/')}`,
    `${OBJECTS_OF('warm/')} | ${LISTS_OF('warm/')}`,
    `!${OBJECTS_OF('warm/')}`,
    `(${within('warm/')})`,
    `${within('warm/')} // and so on`,
    ` ${within('warm/')}`,
    OBJECTS_OF("it\\'s"),
    "resource.name.startsWith('')'",
    'resource.name.startsWith("projects/_/buckets/acme-cache/objects/warm/")',
    "resource.name.endsWith('x')",
    "resource.type.startsWith('')",
    "api.getAttribute('storage.googleapis.com/objectListPrefix', 'warm/').startsWith('warm/')",
    "api.getAttribute('storage.googleapis.com/other', '').startsWith('')",
  ])('opens nothing with a condition that cannot be read, which is remembered: %j', async (expression) => {
    const accessToken = await bounded({ expression });
    expect(await allowed(accessToken, 'warm/x')).toEqual([]);
    expect(new Set(google.unexpected)).toEqual(new Set([`a condition that cannot be read: ${expression}`]));
  });

  it('needs no condition that can be read where the bucket or the role differs', async () => {
    const roles = ['roles/storage.objectViewer'];
    const accessToken = await bounded({ roles, expression: 'true' });
    await sendRequest(accessToken, o('warm/x'), { method: 'DELETE' });
    await sendRequest(accessToken, o('warm/x', OTHER_BUCKET));
    expect(google.unexpected).toEqual([]);
  });
});

describe('a token that is not downscoped', () => {
  it.each([
    ['cloud-platform', EVERYTHING],
    ['devstorage.full_control', EVERYTHING],
    ['devstorage.read_write', EVERYTHING],
    ['devstorage.read_only', READING],
    ['datastore', []],
  ])('with the scope %s may do what its scope allows with any object', async (scope, may) => {
    const accessToken = await mintedToken(scope);
    expect(await allowed(accessToken, 'warm/x')).toEqual(may);
    expect(await allowed(accessToken, 'x', OTHER_BUCKET)).toEqual(may);
  });

  it('is refused while its account is disabled, and from its expiry on', async () => {
    await upload('warm/x');
    const refusal = async () => {
      const response = await sendRequest(plain, o('warm/x'));
      return [response.status, await response.json()];
    };
    const refused = (reason: string) => [
      401,
      { error: expect.objectContaining({ details: [expect.objectContaining({ reason })] }) },
    ];
    await disable();
    expect(await refusal()).toEqual(refused('ACCOUNT_STATE_INVALID'));
    clock.set(END);
    expect(await refusal()).toEqual(refused('ACCESS_TOKEN_EXPIRED'));
  });

  it('must be one that Google issued', async () => {
    await upload('warm/x');
    for (const action of ALL) {
      const { status } = await ACTIONS[action]('ya29.dr.invented', 'warm/x', BUCKET);
      expect([action, status]).toEqual([action, 401]);
    }
    expect((await fetch(`${google.url}${o('warm/x')}`)).status).toBe(401);
  });

  it('finds neither an object nor a bucket that does not exist', async () => {
    const names = ['metadata', 'media', 'download', 'delete'] as const;
    for (const action of names) {
      expect([action, (await ACTIONS[action](plain, 'x', BUCKET)).status]).toEqual([action, 404]);
      expect([action, (await ACTIONS[action](plain, 'x', 'acme-missing')).status]).toEqual([action, 404]);
    }
    for (const action of ['list', 'create', 'begin'] as const)
      expect([action, (await ACTIONS[action](plain, 'x', 'acme-missing')).status]).toEqual([action, 404]);
    const xml = await sendRequest(plain, `/${BUCKET}/x`);
    expect([xml.status, await xml.text()]).toEqual([404, expect.stringContaining('<Code>NoSuchKey</Code>')]);
    expect(google.objects.size).toBe(0);
  });
});

describe('an object', () => {
  const metadataOf = async (name: string) => jsonOf(o(name), { headers: { authorization: `Bearer ${plain}` } });
  const generationOf = async (name: string) =>
    z.object({ generation: z.string() }).parse(await metadataOf(name)).generation;
  const contentOf = async (answering: Promise<Response>) => Buffer.from(await (await answering).arrayBuffer());

  it('has metadata with the checksums that clients compare', async () => {
    const init = { method: 'POST', body: '123456789', headers: { 'content-type': 'text/plain' } };
    const stored = await (await sendRequest(plain, uploadOf('media', { name: 'warm/ä b?.txt' }), init)).json();
    const path = `storage/v1/b/${BUCKET}/o/warm%2F%C3%A4%20b%3F.txt`;
    const generation = String(START * 1000);
    const time = '2030-01-01T00:00:00.500Z';
    expect(stored).toEqual({
      kind: 'storage#object',
      id: `${BUCKET}/warm/ä b?.txt/${generation}`,
      name: 'warm/ä b?.txt',
      bucket: BUCKET,
      generation,
      metageneration: '1',
      size: '9',
      contentType: 'text/plain',
      // The check value of CRC-32C: 0xe3069283.
      crc32c: '4waSgw==',
      md5Hash: 'JfnnlDI7RTiF9RgfG2JNCw==',
      storageClass: 'STANDARD',
      etag: expect.any(String),
      selfLink: `${google.url}/${path}`,
      mediaLink: `${google.url}/download/${path}?generation=${generation}&alt=media`,
      timeCreated: time,
      updated: time,
      timeStorageClassUpdated: time,
      timeFinalized: time,
    });
    expect(await metadataOf('warm/ä b?.txt')).toEqual(stored);
    expect(String(await contentOf(sendRequest(plain, `${google.url}/download/${path}?alt=media`)))).toBe('123456789');
    expect(google.objects.get(`${BUCKET}/warm/ä b?.txt`)).toBe('123456789');
  });

  it('gets a higher generation each time, even when the clock does not move', async () => {
    await upload('x');
    const first = await generationOf('x');
    clock.advance(-5000);
    await upload('x');
    expect(BigInt(await generationOf('x'))).toBe(BigInt(first) + 1n);
  });

  it('with binary content is returned byte for byte, by each way of uploads and downloads', async () => {
    const description = JSON.stringify({ name: 'multipart', contentType: 'image/png', metadata: { by: 'me' } });
    const multipart = (line: string) =>
      Buffer.concat([
        Buffer.from(
          ['--=b=', 'Content-Type: application/json', '', description, '--=b=', 'Content-Type: x/y', '', ''].join(line),
        ),
        BYTES,
        Buffer.from(`${line}--=b=--${line}`),
      ]);
    for (const [line, type] of [
      ['\n', "multipart/related; boundary='=b='"],
      ['\r\n', 'multipart/related; boundary="=b="'],
    ] as const) {
      const init = { method: 'POST', body: multipart(line), headers: { 'content-type': type } };
      expect((await sendRequest(plain, uploadOf('multipart', {}), init)).status).toBe(200);
      expect(google.objects.get(`${BUCKET}/multipart`)).toEqual(BYTES);
    }
    expect(await metadataOf('multipart')).toMatchObject({ contentType: 'image/png', metadata: { by: 'me' } });
    await upload('media', BYTES);
    for (const name of ['media', 'multipart'])
      for (const action of ['media', 'download', 'xml'] as const)
        expect(await contentOf(ACTIONS[action](plain, name, BUCKET))).toEqual(BYTES);
  });

  it.each([
    ['bytes=0-3', 206, '0123', 'bytes 0-3/10'],
    ['bytes=4-', 206, '456789', 'bytes 4-9/10'],
    ['bytes=-2', 206, '89', 'bytes 8-9/10'],
    ['bytes=8-99', 206, '89', 'bytes 8-9/10'],
    ['lines=1-2', 200, '0123456789', null],
  ])('is returned in part for %s', async (range, status, text, contentRange) => {
    await upload('x', '0123456789');
    const response = await sendRequest(plain, `${o('x')}?alt=media`, { headers: { range } });
    expect([response.status, await response.text(), response.headers.get('content-range')]).toEqual([
      status,
      text,
      contentRange,
    ]);
  });

  it('is not returned from a position after its end', async () => {
    await upload('x', '0123456789');
    expect((await sendRequest(plain, `${o('x')}?alt=media`, { headers: { range: 'bytes=10-' } })).status).toBe(416);
  });

  it('is returned with its checksums and generation in headers', async () => {
    await upload('x', '123456789');
    const { headers } = await sendRequest(plain, `/${BUCKET}/x`, { method: 'HEAD' });
    expect(headers.get('content-length')).toBe('9');
    expect(headers.get('x-goog-hash')).toBe('crc32c=4waSgw==,md5=JfnnlDI7RTiF9RgfG2JNCw==');
    expect(headers.get('x-goog-generation')).toBe(await generationOf('x'));
  });

  it('is stored, read and deleted only in the requested generation', async () => {
    const store = (generation: string) =>
      sendRequest(plain, uploadOf('media', { name: 'x', ifGenerationMatch: generation }), {
        method: 'POST',
        body: 'x',
      });
    expect((await store('1')).status).toBe(412);
    expect((await store('0')).status).toBe(200);
    const generation = await generationOf('x');
    expect((await store('0')).status).toBe(412);
    for (const method of ['GET', 'DELETE'])
      expect((await sendRequest(plain, `${o('x')}?ifGenerationMatch=1`, { method })).status).toBe(412);
    expect((await sendRequest(plain, `${o('x')}?generation=1`)).status).toBe(404);
    expect((await store(generation)).status).toBe(200);
    const latest = await generationOf('x');
    expect((await sendRequest(plain, `${o('x')}?ifGenerationMatch=${latest}`, { method: 'DELETE' })).status).toBe(204);
    expect(google.objects.size).toBe(0);
  });

  it('is not replaced by a caller that may only create', async () => {
    await upload('warm/x');
    const accessToken = await bounded({ roles: ['roles/storage.objectCreator'] });
    const store = (more: object) =>
      sendRequest(accessToken, uploadOf('media', { name: 'warm/x', ...more }), { method: 'POST', body: 'x' });
    expect([(await store({ ifGenerationMatch: '0' })).status, (await store({})).status]).toEqual([412, 403]);
  });

  it.each([
    ['PATCH', o('x'), 404],
    ['POST', `${o('x')}/rewriteTo/b/${BUCKET}/o/y`, 404],
    ['PUT', `/${BUCKET}/x`, 404],
    ['DELETE', b(), 404],
    ['GET', `${o('x')}?ifMetagenerationMatch=1`, 400],
  ])('has no %s %s, and a request for it is listed as unexpected', async (method, path, status) => {
    expect((await sendRequest(plain, path, { method })).status).toBe(status);
    expect(google.unexpected).toEqual([expect.stringMatching(new RegExp(`^${method} ${path.split('?')[0]}`))]);
  });
});

describe('an upload in one request', () => {
  const DIGITS = '123456789';
  /** The check value of CRC-32C: 0xe3069283. */
  const DIGITS_CRC32C = '4waSgw==';
  const DIGITS_MD5 = 'JfnnlDI7RTiF9RgfG2JNCw==';
  const JSON_TYPE = 'Content-Type: application/json; charset=UTF-8';
  const RELATED = { 'content-type': 'multipart/related; boundary=b' };

  type Part = readonly [headers: string, content: string];
  const multipart = (...parts: readonly Part[]) =>
    `${parts.map(([headers, content]) => `--b\r\n${headers}\r\n\r\n${content}\r\n`).join('')}--b--\r\n`;
  const json = (value: object): Part => [JSON_TYPE, JSON.stringify(value)];
  const CONTENT: Part = ['Content-Type: text/plain', DIGITS];
  const post = async (
    path: string,
    body: string | Uint8Array<ArrayBuffer>,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<[status: number, json: unknown]> => {
    const response = await sendRequest(plain, path, { method: 'POST', body, headers });
    return [response.status, await response.json()];
  };
  const postParts = (...parts: readonly Part[]) =>
    post(uploadOf('multipart', { name: 'x' }), multipart(...parts), RELATED);
  const invalid = (...messages: readonly unknown[]) => [
    400,
    {
      error: {
        code: 400,
        message: messages[0],
        errors: messages.map((message) => ({ message, domain: 'global', reason: 'invalid' })),
      },
    },
  ];

  it("stores the default upload of Google's client for Java, whose whole body is in gzip", async () => {
    const body = multipart(
      [
        `Content-Length: 63\r\n${JSON_TYPE}\r\ncontent-transfer-encoding: binary`,
        `{"bucket":"${BUCKET}","crc32c":"${DIGITS_CRC32C}","name":"warm/java"}`,
      ],
      ['Content-Type: application/octet-stream\r\ncontent-transfer-encoding: binary', DIGITS],
    );
    const path = uploadOf('multipart', { projection: 'full' });
    const [status, stored] = await post(path, gzipSync(body), { ...RELATED, 'content-encoding': 'gzip' });
    expect([status, stored]).toEqual([200, expect.objectContaining({ size: '9', crc32c: DIGITS_CRC32C })]);
    expect(stored).not.toHaveProperty('contentEncoding');
    expect([...google.objects]).toEqual([[`${BUCKET}/warm/java`, DIGITS]]);
    expect(google.unexpected).toEqual([]);
  });

  it.each([{ crc32c: DIGITS_CRC32C }, { crc32c: DIGITS_CRC32C, md5Hash: DIGITS_MD5 }])(
    "stores the default upload of Google's client for Rust, whose checksums %j follow the content",
    async (checksums) => {
      const [status] = await postParts(
        [`Content-Disposition: form-data; name="metadata"\r\n${JSON_TYPE}`, '{}'],
        ['Content-Disposition: form-data; name="media"', DIGITS],
        [`Content-Disposition: form-data; name="checksums"\r\n${JSON_TYPE}`, JSON.stringify(checksums)],
      );
      expect([status, [...google.objects], google.unexpected]).toEqual([200, [[`${BUCKET}/x`, DIGITS]], []]);
    },
  );

  const CRC32C_DIFFERS = `Provided CRC32C "AAAAAA==" doesn't match calculated CRC32C "${DIGITS_CRC32C}".`;
  const MD5_DIFFERS = `Provided MD5 hash "AAAA" doesn't match calculated MD5 hash "${DIGITS_MD5}".`;
  const GIVEN: Record<string, (crc32c: string, md5: string) => Promise<unknown>> = {
    'in the description': (crc32c, md5Hash) => postParts(json({ crc32c, md5Hash }), CONTENT),
    'after the content': (crc32c, md5Hash) => postParts(json({}), CONTENT, json({ crc32c, md5Hash })),
    'in a header': (crc32c, md5) =>
      post(uploadOf('media', { name: 'x' }), DIGITS, { 'x-goog-hash': `crc32c=${crc32c},md5=${md5}` }),
  };
  it.each(Object.entries(GIVEN))('compares the checksums that are sent %s', async (_, given) => {
    expect(await given('AAAAAA==', 'AAAA')).toEqual(invalid(CRC32C_DIFFERS, MD5_DIFFERS));
    expect(await given(DIGITS_CRC32C, 'AAAA')).toEqual(invalid(MD5_DIFFERS));
    expect(await given('AAAAAA==', DIGITS_MD5)).toEqual(invalid(CRC32C_DIFFERS));
    expect(google.objects.size).toBe(0);
    expect(await given(DIGITS_CRC32C, DIGITS_MD5)).toEqual([200, expect.anything()]);
    expect([...google.objects.values(), ...google.unexpected]).toEqual([DIGITS]);
  });

  it('compares the checksums of each place that has some', async () => {
    const path = uploadOf('multipart', { name: 'x' });
    const store = async (header: string, crc32c: string) => {
      const headers = { ...RELATED, 'x-goog-hash': `crc32c=${header}` };
      return (await post(path, multipart(json({ crc32c }), CONTENT), headers))[0];
    };
    expect([
      await store('AAAAAA==', DIGITS_CRC32C),
      await store(DIGITS_CRC32C, 'AAAAAA=='),
      await store(DIGITS_CRC32C, DIGITS_CRC32C),
    ]).toEqual([400, 400, 200]);
  });

  const TWO = multipart(json({}), CONTENT);
  const MEDIA = uploadOf('media', { name: 'x' });
  const PARTS = uploadOf('multipart', { name: 'x' });
  it.each<[string, string, string | Uint8Array<ArrayBuffer>, Record<string, string>]>([
    ['no type of upload', `/upload${b()}/o?name=x`, DIGITS, {}],
    ['an unknown type of upload', uploadOf('other', { name: 'x' }), DIGITS, {}],
    ['no name', `/upload${b()}/o?uploadType=media`, DIGITS, {}],
    ['an empty name', uploadOf('media', { name: '' }), DIGITS, {}],
    ['a description that is no JSON', uploadOf('resumable', { name: 'x' }), DIGITS, {}],
    ['no parts', PARTS, DIGITS, RELATED],
    ['one part', PARTS, multipart(json({})), RELATED],
    ['four parts', PARTS, multipart(json({}), CONTENT, json({ crc32c: DIGITS_CRC32C }), CONTENT), RELATED],
    ['no boundary', PARTS, TWO, { 'content-type': 'multipart/related' }],
    ['another boundary', PARTS, TWO, { 'content-type': 'multipart/related; boundary=c' }],
    ['another kind of multipart', PARTS, TWO, { 'content-type': 'multipart/form-data; boundary=b' }],
    ['no last boundary', PARTS, TWO.replace('--b--', '--b'), RELATED],
    ['a part without headers', PARTS, `--b\r\n{}\r\n${multipart(CONTENT)}`, RELATED],
    ['a description of another type', PARTS, multipart(['Content-Type: text/plain', '{}'], CONTENT), RELATED],
    ['a description without a type', PARTS, multipart(['X: y', '{}'], CONTENT), RELATED],
    ['an encoded part', PARTS, multipart(json({}), ['Content-Transfer-Encoding: base64', 'eA==']), RELATED],
    ['a third part of another type', PARTS, multipart(json({}), CONTENT, ['Content-Type: text/plain', '{}']), RELATED],
    ['a third part with a name', PARTS, multipart(json({}), CONTENT, json({ name: 'y' })), RELATED],
    [
      'checksums before and after',
      PARTS,
      multipart(json({ md5Hash: DIGITS_MD5 }), CONTENT, json({ crc32c: DIGITS_CRC32C })),
      RELATED,
    ],
    ['a body that only claims to be in gzip', PARTS, TWO, { ...RELATED, 'content-encoding': 'gzip' }],
    ['half a body in gzip', PARTS, gzipSync(TWO).subarray(0, -12), { ...RELATED, 'content-encoding': 'gzip' }],
    ['another encoding', PARTS, deflateSync(TWO), { ...RELATED, 'content-encoding': 'deflate' }],
    ['content in gzip without a description', MEDIA, gzipSync(DIGITS), { 'content-encoding': 'gzip' }],
    ['a description in gzip', uploadOf('resumable', { name: 'x' }), gzipSync('{}'), { 'content-encoding': 'gzip' }],
    ['an unknown checksum', MEDIA, DIGITS, { 'x-goog-hash': 'sha256=AAAA' }],
    ['two checksums of one kind', MEDIA, DIGITS, { 'x-goog-hash': 'md5=AAAA, md5=BBBB' }],
    ['a checksum that is none', MEDIA, DIGITS, { 'x-goog-hash': 'md5' }],
  ])('is refused with %s, and listed as unexpected', async (_, path, body, headers) => {
    expect(await post(path, body, headers)).toEqual(invalid(expect.any(String)));
    expect(google.objects.size).toBe(0);
    expect(google.unexpected).toEqual([expect.stringMatching(`^POST ${path.split('?')[0]}: .+`)]);
  });

  it('is not listed as unexpected when the fake knows why it refuses it', async () => {
    await postParts(json({ crc32c: 'AAAAAA==' }), CONTENT);
    await post(uploadOf('media', { name: 'x' }, 'acme-missing'), DIGITS);
    await post(uploadOf('media', { name: 'x', ifGenerationMatch: '1' }), DIGITS);
    expect(google.unexpected).toEqual([]);
  });
});

describe('an upload in pieces', () => {
  const begin = async (accessToken = plain, name = 'warm/x', more = {}, described = {}): Promise<string> => {
    const init = {
      method: 'POST',
      body: JSON.stringify({ contentType: 'text/plain', ...described }),
      headers: { 'content-type': 'application/json' },
    };
    const response = await sendRequest(accessToken, uploadOf('resumable', { name, ...more }), init);
    expect(response.status).toBe(200);
    return response.headers.get('location') ?? '';
  };
  /** Without a token: who has the address needs none. */
  const put = async (location: string, body: string | Uint8Array<ArrayBuffer>, range?: string) => {
    const response = await fetch(location, { method: 'PUT', body, headers: range ? { 'content-range': range } : {} });
    return [response.status, response.headers.get('range')];
  };
  const PIECE = Buffer.alloc(GRAIN, 'a');

  it('can be one piece, and empty', async () => {
    expect(await put(await begin(plain, 'one'), 'content')).toEqual([200, null]);
    expect(await put(await begin(plain, 'complete'), 'content', 'bytes 0-6/7')).toEqual([200, null]);
    expect(await put(await begin(plain, 'empty'), '', 'bytes */0')).toEqual([200, null]);
    expect([...google.objects]).toEqual([
      [`${BUCKET}/one`, 'content'],
      [`${BUCKET}/complete`, 'content'],
      [`${BUCKET}/empty`, ''],
    ]);
    expect(await (await sendRequest(plain, o('one'))).json()).toMatchObject({ contentType: 'text/plain' });
  });

  it('is complete with its last piece, and reports its progress before', async () => {
    const location = await begin();
    expect(await put(location, '', 'bytes */*')).toEqual([308, null]);
    expect(await put(location, PIECE, `bytes 0-${GRAIN - 1}/*`)).toEqual([308, `bytes=0-${GRAIN - 1}`]);
    expect(await put(location, '', `bytes */${GRAIN + 4}`)).toEqual([308, `bytes=0-${GRAIN - 1}`]);
    expect(google.objects.size).toBe(0);
    const last = [location, 'last', `bytes ${GRAIN}-${GRAIN + 3}/${GRAIN + 4}`] as const;
    expect(await put(...last)).toEqual([200, null]);
    expect(await put(...last)).toEqual([200, null]);
    expect(google.objects.get(`${BUCKET}/warm/x`)).toBe(`${PIECE}last`);
  });

  it('keeps a multiple of 256 KiB of a piece that is not the last', async () => {
    const location = await begin();
    expect(await put(location, `${PIECE}more`, `bytes 0-${GRAIN + 3}/*`)).toEqual([308, `bytes=0-${GRAIN - 1}`]);
    expect(await put(location, 'few', 'bytes 0-2/*')).toEqual([308, null]);
  });

  it.each([
    ['bytes 1-7/8', 'leaves a gap'],
    ['bytes 0-5/7', 'is not as long as it says'],
    ['bytes 0-6/6', 'is longer than the whole'],
    ['0-6/7', 'is not counted in bytes'],
  ])('refuses a piece of %s, which %s', async (range) => {
    expect(await put(await begin(), 'content', range)).toEqual([400, null]);
    expect(google.objects.size).toBe(0);
    expect(google.unexpected).toEqual([expect.stringContaining(range)]);
  });

  it('compares the checksum of its last piece or of its description with the whole content', async () => {
    const hash = (crc32c: string) => ({ 'x-goog-hash': `crc32c=${crc32c}` });
    const finish = async (location: string, headers: Record<string, string>) => {
      await put(location, PIECE, `bytes 0-${GRAIN - 1}/*`);
      const range = { 'content-range': `bytes ${GRAIN}-${GRAIN}/${GRAIN + 1}` };
      return (await fetch(location, { method: 'PUT', body: 'a', headers: { ...range, ...headers } })).status;
    };
    const whole = crc32cOf(Buffer.alloc(GRAIN + 1, 'a'));
    expect(await finish(await begin(), hash(crc32cOf(Buffer.from('a'))))).toBe(400);
    expect(await finish(await begin(plain, 'described', {}, { crc32c: 'AAAAAA==' }), {})).toBe(400);
    expect(google.objects.size).toBe(0);
    expect(await finish(await begin(plain, 'described', {}, { crc32c: whole }), hash(whole))).toBe(200);
    expect(google.unexpected).toEqual([]);
    expect(await finish(await begin(), { 'x-goog-hash': 'sha256=AAAA' })).toBe(400);
    expect(google.unexpected).toEqual([expect.stringMatching(/^PUT .+sha256/)]);
  });

  it('continues without a token, even when the token that began it has ended', async () => {
    const location = await begin(await bounded({ expression: within('warm/') }));
    await disable();
    clock.set(END);
    expect(await put(location, 'content')).toEqual([200, null]);
    expect(google.objects.get(`${BUCKET}/warm/x`)).toBe('content');
  });

  it('does not replace an object stored meanwhile when its caller may only create', async () => {
    const location = await begin(await bounded({ roles: ['roles/storage.objectCreator'] }));
    const sole = await begin(plain, 'warm/x', { ifGenerationMatch: '0' });
    await upload('warm/x', 'first');
    expect(await put(location, 'second')).toEqual([403, null]);
    expect(await put(sole, 'second')).toEqual([412, null]);
    expect(google.objects.get(`${BUCKET}/warm/x`)).toBe('first');
  });

  it('is refused when it was never begun', async () => {
    expect(await put(`${google.url}${uploadOf('resumable', { upload_id: 'invented' })}`, 'x')).toEqual([404, null]);
  });
});

describe('a list', () => {
  const listed = z.object({
    kind: z.literal('storage#objects'),
    items: z.array(z.object({ name: z.string() })).default([]),
    prefixes: z.array(z.string()).default([]),
    nextPageToken: z.string().optional(),
  });
  const list = async (parameters: Record<string, string>) => {
    const { items, ...page } = listed.parse(
      await jsonOf(`${b()}/o?${new URLSearchParams(parameters)}`, { headers: { authorization: `Bearer ${plain}` } }),
    );
    return { names: items.map(({ name }) => name), ...page };
  };
  beforeEach(async () => {
    for (const name of ['warm/b', 'warm/a/2', 'warm/a/1', 'warmer', 'warm/c/3', 'Zoo', 'ä']) await upload(name);
  });

  it('is in the order of bytes, and complete without parameters', async () => {
    const { names, prefixes } = await list({});
    expect(names).toEqual(['Zoo', 'warm/a/1', 'warm/a/2', 'warm/b', 'warm/c/3', 'warmer', 'ä']);
    expect(prefixes).toEqual([]);
  });

  it('has folders by their names only when a delimiter is given', async () => {
    expect(await list({ prefix: 'warm/', delimiter: '/' })).toMatchObject({
      names: ['warm/b'],
      prefixes: ['warm/a/', 'warm/c/'],
    });
    expect(await list({ prefix: 'warm', delimiter: '/' })).toMatchObject({ names: ['warmer'], prefixes: ['warm/'] });
    expect(await list({ prefix: 'nothing' })).toMatchObject({ names: [], prefixes: [] });
  });

  it('has pages that repeat nothing and omit nothing', async () => {
    const seen: string[] = [];
    let pageToken: string | undefined = '';
    for (let page = 0; page < 10 && pageToken !== undefined; page += 1) {
      const { names, prefixes, nextPageToken } = await list({
        prefix: 'warm/',
        delimiter: '/',
        maxResults: '1',
        pageToken,
      });
      expect(names.length + prefixes.length).toBe(1);
      seen.push(...names, ...prefixes);
      pageToken = nextPageToken;
    }
    expect(seen).toEqual(['warm/a/', 'warm/b', 'warm/c/']);
    expect((await sendRequest(plain, `${b()}/o?maxResults=0`)).status).toBe(400);
  });
});

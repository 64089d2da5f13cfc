import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseWebhookEvent } from '../../../../shared/core/webhook/event.ts';
import { WebhookScan } from '../../../../shared/core/webhook/scan.ts';
import { LEVELS } from '../../../../shared/core/webhook/scan-states.ts';

type Fields = { readonly [field: string]: 'text' | 'number' | Fields };
const ID: Fields = { id: 'text' };
const FIELDS: Fields = {
  event: 'text',
  job: {
    ...{ id: 'text', type: 'text', state: 'text', finished_at: 'text', step_key: 'text', unblocked_at: 'text' },
    ...{ step: ID, unblocked_by: ID },
  },
  build: {
    ...{ id: 'text', number: 'number', source: 'text', creator: ID, meta_data: { 'break-glass-reason': 'text' } },
  },
  pipeline: ID,
};
/** Those on which the end of a job depends. */
const UNIQUE = ['event', 'job', 'pipeline', 'job.id', 'job.type', 'job.state', 'job.finished_at', 'pipeline.id'];
const NAMES = [...new Set(JSON.stringify(FIELDS).match(/(?<=")[a-z_-]+(?=":)/g) ?? [])];
const JOB = '0184990a-477b-4fa8-9968-496074483cee';
const OTHER = '0184990a-477b-4fa8-9968-496074483cef';

/** What is scanned of the body when it arrives in pieces that end at `cuts`. */
function scan(body: string | Buffer, cuts: readonly number[] = []) {
  const bytes = Buffer.from(body as string);
  const ends = [...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  const scanner = new WebhookScan();
  let start = 0;
  for (const end of ends) {
    // Node reuses no piece, but nothing may depend on one after it was taken.
    const piece = Buffer.from(bytes.subarray(start, end));
    scanner.update(piece);
    piece.fill(0);
    start = end;
  }
  return inShort(scanner.finish());
}

/** Texts of more than 128 characters are kept or not: no schema accepts them. */
function inShort(value: unknown): unknown {
  if (typeof value === 'string') return value.length > 128 ? null : value;
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, inShort(member)]));
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The same by JSON.parse, for bodies that name no field twice. */
function byJsonParse(body: string | Buffer): unknown {
  let data: unknown;
  try {
    data = JSON.parse(body.toString('utf8'));
  } catch {
    return undefined;
  }
  return isObject(data) ? inShort(fieldsOf(data, FIELDS)) : undefined;
}

function fieldsOf(object: Record<string, unknown>, fields: Fields): Record<string, unknown> {
  const named = Object.entries(fields).filter(([name]) => Object.hasOwn(object, name));
  return Object.fromEntries(named.map(([name, kept]) => [name, asKept(object[name], kept)]));
}

function asKept(value: unknown, kept: Fields[string]): unknown {
  if (typeof kept === 'object') return isObject(value) ? fieldsOf(value, kept) : null;
  return (kept === 'text' ? typeof value === 'string' : Number.isSafeInteger(value)) ? value : null;
}

/** Whether a field that is kept is named twice anywhere, as JSON.parse would not tell. */
function namesTwice(body: string): boolean {
  const names = [...body.matchAll(/"((?:[^"\\]|\\.)*)"\s*:/g)].map(([, name]) => {
    try {
      return JSON.parse(`"${name}"`);
    } catch {
      return undefined;
    }
  });
  return NAMES.some((field) => names.indexOf(field) < names.lastIndexOf(field));
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Whether every text ends, and as many lists and objects end as begin. */
function isBalanced(text: string): boolean {
  const outside = text.replace(/"(?:[^"\\]|\\[\s\S])*"/g, '');
  const count = (brackets: RegExp) => outside.match(brackets)?.length ?? 0;
  return !outside.includes('"') && count(/[[{]/g) === count(/[\]}]/g);
}

/** JSON as written, and what it says with every member, also a repeated one. */
interface Written {
  readonly text: string;
  readonly value?: unknown;
  readonly members?: readonly (readonly [name: string, value: Written])[];
}

const space = fc.constantFrom('', '', '', ' ', '\n', '\t\r ');
const escaped = (character: string) =>
  Array.from({ length: character.length }, (_, at) => character.charCodeAt(at).toString(16).padStart(4, '0'))
    .map((hex, at) => `\\u${at % 2 ? hex.toUpperCase() : hex}`)
    .join('');
const character = fc.oneof(
  fc.constantFrom('a', ' ', '/', '{', '}', '[', ']', ':', ',', '\u007f', 'é', '€', '😀'),
  fc.constantFrom('"', '\\', '\n', '\b', '\0', '\ud800', '\udfff', 'x'),
);
const writtenText = (text: fc.Arbitrary<string>): fc.Arbitrary<Written> =>
  fc.tuple(text, fc.nat()).map(([value, mask]) => {
    const characters = [...value].map((one, at) =>
      (mask >> (at % 31)) & 1 ? escaped(one) : JSON.stringify(one).slice(1, -1),
    );
    return { text: `"${characters.join('')}"`, value };
  });
const anyText = fc.oneof(
  fc.array(character, { maxLength: 8 }).map((characters) => characters.join('')),
  fc.constantFrom('ping', 'job.finished', JOB, OTHER),
  fc.nat({ max: 300 }).map((length) => 'é'.repeat(length)),
);
const name = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.constantFrom('event', 'job', 'build', 'pipeline', 'id', 'number', 'creator', 'meta_data'),
  },
  { weight: 4, arbitrary: fc.constantFrom(...NAMES) },
  { weight: 1, arbitrary: fc.constantFrom('', '__proto__', 'constructor', 'Job', 'job ', 'jo', 'even', 'eventa') },
  { weight: 1, arbitrary: fc.constantFrom('ste', 'step_', 'step_keys', 'unblocked_', 'unblocked_bye', 'numbe', 'ids') },
  { weight: 1, arbitrary: anyText },
);
const { written, object } = fc.letrec<{ written: Written; list: Written; object: Written }>((tie) => ({
  written: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    writtenText(anyText),
    fc.constantFrom('0', '-0', '12.50', '1e9', '-1.5E+10', '3e-2', 'true', 'false', 'null').map((text) => ({ text })),
    fc.constantFrom('7', '4294967296', '-12', '9007199254740993', '1'.repeat(900)).map((text) => ({ text })),
    tie('object'),
    tie('list'),
  ),
  list: fc
    .tuple(space, fc.array(fc.tuple(tie('written'), space), { maxLength: 4 }))
    .map(([first, items]) => ({ text: `[${first}${items.map(([{ text }, after]) => text + after).join(',')}]` })),
  object: fc
    .tuple(space, fc.array(fc.tuple(writtenText(name), space, tie('written'), space), { maxLength: 6 }))
    .map(([first, members]) => ({
      text: `{${first}${members.map(([key, before, value, after]) => `${key.text}${before}:${before}${value.text}${after}`).join(',')}}`,
      members: members.map(([key, , value]) => [String(key.value), value] as const),
    })),
}));

/** What is to be found in it; undefined when a field comes twice on which the end of a job depends. */
function expected({ members }: Written): unknown {
  const found = members && membersOf(members, FIELDS, '');
  return found && inShort(found);
}

function membersOf(
  members: NonNullable<Written['members']>,
  fields: Fields,
  path: string,
): Record<string, unknown> | undefined {
  const found: Record<string, unknown> = {};
  for (const [name, kept] of Object.entries(fields)) {
    const [first, ...more] = members.filter(([written]) => written === name).map(([, value]) => value);
    if (!first) continue;
    if (more.length > 0 && UNIQUE.includes(path + name)) return undefined;
    if (more.length > 0) found[name] = null;
    else if (typeof kept !== 'object') found[name] = asKept(first.value ?? numberIn(first), kept);
    else if (!first.members) found[name] = null;
    else {
      const inner = membersOf(first.members, kept, `${path}${name}.`);
      if (!inner) return undefined;
      found[name] = inner;
    }
  }
  return found;
}

const numberIn = ({ text }: Written) => (/^[-0-9]/.test(text) ? JSON.parse(text) : undefined);

const body = fc.oneof({ weight: 9, arbitrary: object }, { weight: 1, arbitrary: written });
const cuts = fc.array(fc.nat(), { maxLength: 6 });

describe('the scan of a body finds', () => {
  it('what JSON.parse finds, however the JSON is written and wherever it is cut', () => {
    fc.assert(
      fc.property(body, space, cuts, (json, around, at) => {
        const text = around + json.text + around;
        const found = expected(json);
        expect(scan(text, at)).toEqual(found);
        expect(scan(text, Array.from(Buffer.from(text).keys()))).toEqual(found);
        if (found !== undefined && !namesTwice(text)) expect(found).toEqual(byJsonParse(text));
      }),
      { numRuns: 500 },
    );
  });

  it('the same as JSON.parse in what it takes, and nothing where brackets are left open, when any bytes were changed', () => {
    const change = fc.record({
      at: fc.nat(),
      remove: fc.nat({ max: 3 }),
      insert: fc.oneof(
        fc.constantFrom(...'{}[],:"\\', '\\u', '\\u00', 'tru', '-', '1.', 'e', 'null', '\0', ' ', '"job":', '\ufeff'),
        fc.constantFrom('ff', 'c3', 'e282', 'f09f98').map((hex) => Buffer.from(hex, 'hex')),
        fc.uint8Array({ maxLength: 3 }),
        fc.constant(''),
      ),
    });
    fc.assert(
      fc.property(body, fc.array(change, { minLength: 1, maxLength: 3 }), cuts, (json, changes, at) => {
        let bytes = Buffer.from(json.text);
        for (const { at, remove, insert } of changes) {
          const start = at % (bytes.length + 1);
          bytes = Buffer.concat([
            bytes.subarray(0, start),
            Buffer.from(insert as string),
            bytes.subarray(start + remove),
          ]);
        }
        fc.pre(!namesTwice(bytes.toString('utf8')));
        const found = scan(bytes, at);
        const parsed = byJsonParse(bytes);
        if (parsed !== undefined || isJson(bytes.toString('utf8'))) expect(found).toEqual(parsed);
        else if (!isBalanced(bytes.toString('utf8'))) expect(found).toBeUndefined();
      }),
      { numRuns: 2_000 },
    );
  });

  it('the same when a value that is skipped has a number or a word that JSON.parse rejects', () => {
    const wrong = fc.stringMatching(/^[-+.0-9a-zA-Z \n\0]{1,8}$/);
    fc.assert(
      fc.property(wrong, cuts, (scalar, at) => {
        const own = `"event":"job.finished","job":{"id":"${JOB}","exit":x${scalar}},"x":x${scalar}`;
        const found = { event: 'job.finished', job: { id: JOB } };
        expect(scan(`{${own}}`, at)).toEqual(found);
        expect(scan(`{"y":[${scalar},{"job":${scalar},"event":"ping"}],${own}}`, at)).toEqual(found);
      }),
    );
  });

  it.each([
    ['structure', '{}[],:"1', 5],
    ['escape', '\\u0fgn"', 6],
  ])(
    'a member when JSON.parse takes it, and nothing where brackets are left open, for every %s',
    (kind, alphabet, longest) => {
      let texts = [''];
      for (let length = 1; length <= longest; length += 1) {
        texts = texts.flatMap((text) => [...new Set(alphabet)].map((next) => text + next));
        for (const text of texts) {
          const body = kind === 'escape' ? `{"":"","event":"${text}"}` : `{"":${text},"event":"x"}`;
          const found = scan(body);
          // Of a text that is kept, JSON.parse has the last word. Not a matcher for each: there are tens of thousands.
          if (kind !== 'escape' && !isJson(body) && isBalanced(body)) continue;
          if (JSON.stringify(found) !== JSON.stringify(byJsonParse(body)))
            expect(found, body).toEqual(byJsonParse(body));
        }
      }
    },
  );

  it('nothing in any part of JSON that is cut short', () => {
    fc.assert(
      fc.property(object, ({ text }) => {
        const scanner = new WebhookScan();
        for (const byte of Buffer.from(text)) {
          if (scanner.finish() !== undefined) expect(scanner.finish(), text).toBeUndefined();
          scanner.update(Uint8Array.of(byte));
        }
      }),
    );
  });

  it('nothing in any part of a body that is cut short', () => {
    const body = `{"event":"job.finished","job":{"id":"${JOB}","exit":-1.5e3,"ok":true},"x":[{"\\u00e9":null}]}`;
    for (let length = 0; length < body.length; length += 1) expect(scan(body.slice(0, length))).toBeUndefined();
    expect(scan(body)).toEqual({ event: 'job.finished', job: { id: JOB } });
  });
});

describe('a field', () => {
  const finished = (members: string) => scan(`{${members}}`);

  it.each(['job', '\\u006aob', 'j\\u006Fb', '\\u006a\\u006f\\u0062'])(
    'is known by its name when written %s',
    (name) => {
      expect(finished(`"event":"job.finished","${name}":{"\\u0069d":"${JOB}"}`)).toEqual({
        event: 'job.finished',
        job: { id: JOB },
      });
    },
  );

  it.each<[string, string]>([
    [
      'the metadata',
      `"build":{"meta_data":{"job":{"id":"${OTHER}"},"\\u006aob":"${OTHER}","event":"ping","id":"${OTHER}"}}`,
    ],
    ['a text', `"build":"\\",\\"job\\":{\\"id\\":\\"${OTHER}\\"},\\""`],
    ['a list', `"builds":[{"job":{"id":"${OTHER}"}},"job","event"]`],
    ['the job’s own step', `"step":{"id":"${OTHER}","job":{"id":"${OTHER}"}}`],
    ['what is deep', `"deep":${'['.repeat(2_000)}{"job":{"id":"${OTHER}"},"x":"}]"}${']'.repeat(2_000)}`],
    ...Array.from({ length: LEVELS + 3 }, (_, depth): [string, string] => [
      `objects that are ${depth + 1} deep`,
      `"deep":${'{"x":"}","job":'.repeat(depth)}{"id":"${OTHER}","x":[[],{}]}${'}'.repeat(depth)}`,
    ]),
  ])('means nothing inside %s', (_, other) => {
    const own = `"event":"job.finished","job":{"id":"${JOB}"}`;
    const found = { event: 'job.finished', job: { id: JOB } };
    expect(finished(`${other},${own}`)).toMatchObject(found);
    expect(finished(`${own},${other}`)).toMatchObject(found);
    expect(finished(`"event":"job.finished","job":{${other},"id":"${JOB}"}`)).toMatchObject(found);
    expect(finished(`"event":"job.finished","job":{"id":"${JOB}",${other}}`)).toMatchObject(found);
  });

  it.each([
    ['an event', `"event":"ping","event":"ping"`],
    ['an event, once with an escape', `"event":"ping","\\u0065vent":"ping"`],
    ['a job', `"event":"ping","job":{"id":"${JOB}"},"job":{"id":"${JOB}"}`],
    ['a job that is no object', `"event":"ping","job":1,"job":{"id":"${JOB}"}`],
    ['an id', `"event":"ping","job":{"id":"${JOB}","id":"${OTHER}"}`],
    ['an id that is no text', `"event":"ping","job":{"id":"${JOB}","id":null}`],
    ['a pipeline’s id', `"event":"ping","pipeline":{"id":"${JOB}","id":"${OTHER}"}`],
  ])('that comes twice makes the body malformed: %s', (_, members) => {
    expect(finished(members)).toBeUndefined();
  });

  it.each<[string, string, object]>([
    ['a build', `"build":{"number":7},"build":{"number":8}`, { build: null }],
    ['a build, once with an escape', `"build":{"number":7},"b\\u0075ild":{"number":8}`, { build: null }],
    ['a build’s number', `"build":{"number":7,"number":8}`, { build: { number: null } }],
    [
      'a reason',
      `"build":{"meta_data":{"break-glass-reason":"a","break-glass\\u002Dreason":"b"}}`,
      { build: { meta_data: { 'break-glass-reason': null } } },
    ],
    ['a creator', `"build":{"creator":{"id":"${JOB}"},"creator":{"id":"${OTHER}"}}`, { build: { creator: null } }],
    [
      'a person',
      `"job":{"unblocked_by":{"id":"${JOB}"},"unblocked_by":{"id":"${OTHER}"}}`,
      { job: { unblocked_by: null } },
    ],
  ])('that comes twice is null, and keeps no job from ending: %s', (_, members, found) => {
    expect(finished(`"event":"job.finished",${members}`)).toEqual({ event: 'job.finished', ...found });
  });

  it('of a person, a build or its metadata is found at its place alone, with names as Buildkite or an escape writes them', () => {
    const unblocked = `"unblocked_by":{"name":"x","\\u0069d":"${OTHER}","teams":[{"id":"${JOB}"}]}`;
    const job = `"job":{"step":{"signature":{"id":"${OTHER}"},"id":"${JOB}"},"ste\\u0070_key":"approve",${unblocked}}`;
    const metadata = `"meta_data":{"job":"x","break-glass-reaso":"1","\\u0062reak-glass-reason":"why","break-glass-reasons":"2"}`;
    const build = `"build":{"n\\u0075mber":42,"creator":{"email":"id","id":"${JOB}"},${metadata},"env":{"number":"1"}}`;
    expect(finished(`${job},${build}`)).toEqual({
      job: { step: { id: JOB }, step_key: 'approve', unblocked_by: { id: OTHER } },
      build: { number: 42, creator: { id: JOB }, meta_data: { 'break-glass-reason': 'why' } },
    });
  });

  it.each([
    ['7', 7],
    ['7 ', 7],
    ['-7', -7],
    ['0', 0],
    ['1e2', 100],
    ['1.5', null],
    ['9007199254740992', null],
    ['1'.repeat(769), null],
    ['1'.repeat(100_000), null],
    ['"7"', null],
    ['[7]', null],
    ['{"number":7}', null],
    ['null', null],
  ])('that is a number is kept when it is a whole one: case %#', (written, number) => {
    expect(finished(`"build":{"number":${written}}`)).toEqual({ build: { number } });
    expect(scan(`{"build":{"number":${written}},"event":"x"}`, [19, 20, 21])).toEqual({
      build: { number },
      event: 'x',
    });
  });

  it.each(['01', '-', '1-2', '1e', '+1'])('that is a number is not taken when JSON.parse rejects it: %s', (written) => {
    const found = finished(`"build":{"number":${written}}`);
    // Of what begins no number, the words alone are skipped.
    expect(found).toEqual(written === '+1' ? { build: { number: null } } : undefined);
  });

  it.each([128, 129, 767, 768, 769, 100_000])('of %d bytes is kept when a schema could accept it', (length) => {
    const found = finished(`"event":"${'x'.repeat(length)}"`);
    expect(found).toEqual({ event: length > 128 ? null : 'x'.repeat(length) });
    expect(parseWebhookEvent(found)?.kind).toBe(length > 128 ? undefined : 'ignored');
    expect(finished(`"event":"${'\\u0078'.repeat(length)}"`)).toEqual(found);
  });

  it.each<[string, string, string]>([
    ['plain characters', 'x', 'x'],
    ['characters of two bytes', 'é', 'é'],
    ['characters of three bytes', '€', '€'],
    ['pairs of surrogates', '😀', '😀'],
    ['escapes', '\\u20ac', '€'],
    ['short escapes', '\\n', '\n'],
    ['escaped pairs of surrogates', '\\ud83d\\ude00', '😀'],
  ])('that is a reason is kept up to 500 characters of %s, wherever it is cut', (_, written, character) => {
    for (const before of ['', 'a', 'ab', 'abc', 'abcd', 'abcde'])
      for (const length of [1, 249, 499, 500, 501, 600, 5_000]) {
        const body = `{"event":"build.scheduled","build":{"number":1,"meta_data":{"break-glass-reason":"${before}${written.repeat(length)}"}},"pipeline":{"id":"${JOB}"}}`;
        const scanner = new WebhookScan();
        scanner.update(Buffer.from(body));
        const event = parseWebhookEvent(scanner.finish());
        const reason = `${before}${character.repeat(length)}`.slice(0, 500).toWellFormed().trim();
        expect(event).toMatchObject({ kind: 'build_news', news: { reason: reason === '' ? undefined : reason } });
      }
  });

  it.each(['a\nb', '\\x', '\\u12g4', '\u0000'])('that is a long reason is malformed with %j in it', (wrong) => {
    const body = (reason: string) => `{"event":"x","build":{"meta_data":{"break-glass-reason":"${reason}"}}}`;
    expect(scan(body(`${wrong}${'x'.repeat(4_000)}`))).toBeUndefined();
    expect(scan(body(wrong))).toBeUndefined();
  });

  it('of a name that goes on beyond what is kept is another field', () => {
    const endless = `event${'\\u0000'.repeat(200)}`;
    expect(finished(`"${endless}":"ping"`)).toEqual({});
  });
});

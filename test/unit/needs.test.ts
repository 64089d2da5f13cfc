import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { needs } from '../fixtures/needs.ts';

describe('needs', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'needs-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  /** A tool that prints a text for the arguments it expects, and fails for others. */
  function write(tool: string, { text = '', args = '--version', mode = 0o755, stream = 1 } = {}): string {
    const path = join(folder, tool);
    writeFileSync(path, `#!/bin/sh\n[ "$*" = '${args}' ] || exit 1\ncat <<'TEXT' >&${stream}\n${text}\nTEXT\n`, {
      mode,
    });
    return path;
  }
  const onPath = (more: NodeJS.ProcessEnv = {}) => ({
    environment: { PATH: [join(folder, 'none'), '', folder].join(delimiter), ...more },
  });

  it('finds an executable file on the PATH, and leaves the title as it is', () => {
    const path = write('a-tool');
    const found = needs('a-tool', onPath());
    expect([found.missing, found.path, found.title('the plan')]).toEqual([false, path, 'the plan']);
  });

  it('skips what is not on the PATH, naming the tool and what to install', () => {
    const found = needs('no-such-tool', onPath());
    expect([found.missing, found.path]).toEqual([true, undefined]);
    expect(found.title('the plan')).toBe(
      'the plan (skipped: no-such-tool is not installed; install the package no-such-tool)',
    );
    expect(needs('terraform', { environment: { PATH: '' } }).title('the plan')).toBe(
      'the plan (skipped: terraform is not installed; install Terraform)',
    );
    expect(needs('no-such-tool', { ...onPath(), install: 'it by hand' }).title('x')).toContain('; install it by hand)');
  });

  it('takes neither a folder nor a file that may not be run for the tool', () => {
    mkdirSync(join(folder, 'a-folder'));
    write('a-text', { mode: 0o644 });
    expect(needs('a-folder', onPath()).missing).toBe(true);
    expect(needs('a-text', onPath()).missing).toBe(true);
  });

  it('looks in the given folders', () => {
    const path = write('elsewhere');
    expect(needs('python3 of gcloud', { ...onPath(), find: () => path })).toMatchObject({ missing: false, path });
    expect(needs('a-tool', { ...onPath(), find: () => undefined }).missing).toBe(true);
  });

  it('throws on CI when the tool is missing, and only there', () => {
    const message = 'CI runs every test, but no-such-tool is not installed; install the package no-such-tool';
    expect(() => needs('no-such-tool', onPath({ CI: 'true' }))).toThrow(message);
    expect(needs('no-such-tool', onPath({ CI: 'false' })).missing).toBe(true);
    write('a-tool');
    expect(needs('a-tool', onPath({ CI: 'true' })).missing).toBe(false);
  });

  it.each([
    ['bash', 'GNU bash, version 5.2.15(1)-release (x86_64-pc-linux-gnu)', '--version', '5.2', '5.3'],
    ['go', 'go version go1.26.8 linux/amd64', 'version', '1.9', '1.27'],
    ['java', 'openjdk version "17.0.15" 2025-04-15', '-version', '17', '21'],
    ['java', 'openjdk version "21" 2023-09-19 LTS', '-version', '21.0', '21.0.1'],
    ['openssl', 'OpenSSL 3.0.19 27 Jan 2026 (Library: OpenSSL 3.0.19 27 Jan 2026)', 'version', '3.0.19', '3.1'],
    ['terraform', 'Terraform v1.11.4\non linux_amd64', 'version', '1.9', '1.12'],
  ])('compares the version of %s part by part: %s', (tool, text, args, enough, tooMuch) => {
    write(tool, { text, args, stream: tool === 'java' ? 2 : 1 });
    expect(needs(tool, { ...onPath(), atLeast: enough }).title('x')).toBe('x');
    const old = needs(tool, { ...onPath(), atLeast: tooMuch });
    expect(old.missing).toBe(true);
    expect(old.title('x')).toMatch(new RegExp(`^x \\(skipped: ${tool} is [0-9.]+; install .* ${tooMuch} or later\\)$`));
    expect(() => needs(tool, { ...onPath({ CI: 'true' }), atLeast: tooMuch })).toThrow(`${tooMuch} or later`);
  });

  it('requires no version where none is needed', () => {
    write('a-tool', { args: 'never this' });
    expect(needs('a-tool', onPath()).missing).toBe(false);
  });

  it('does not take a tool that prints no version for one that is new enough', () => {
    write('a-tool', { text: 'unable to locate a runtime' });
    expect(needs('a-tool', { ...onPath(), atLeast: '1' }).title('x')).toBe(
      'x (skipped: a-tool prints no version; install the package a-tool 1 or later)',
    );
  });
});

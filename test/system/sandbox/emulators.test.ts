// The sandbox checks what the emulators need before it starts them, and names what is missing.

import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { CannotStart, chooseFirestore, startAuth } from '../../../sandbox/emulators.ts';
import { script, watch } from './processes.ts';

describe('the choice of an emulator', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'keydesk-java-'));
    vi.stubEnv('FIRESTORE_EMULATOR_HOST', '');
    vi.stubEnv('CLOUDSDK_ROOT_DIR', '');
    vi.stubEnv('PATH', folder);
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    rmSync(folder, { recursive: true, force: true });
  });

  const java = (commands: string) => {
    writeFileSync(join(folder, 'java'), `#!/bin/sh\n${commands}\n`);
    chmodSync(join(folder, 'java'), 0o755);
  };
  const says = (version: string) => java(`echo 'openjdk version "${version}" 2025-04-15' >&2`);
  const gcloud = () => {
    const jar = join(folder, 'platform/cloud-firestore-emulator');
    mkdirSync(jar, { recursive: true });
    writeFileSync(join(jar, 'cloud-firestore-emulator.jar'), '');
    vi.stubEnv('CLOUDSDK_ROOT_DIR', folder);
  };

  it('fails without Java', async () => {
    await expect(chooseFirestore()).rejects.toBeInstanceOf(CannotStart);
    await expect(chooseFirestore()).rejects.toThrow(/Java 21 .* none\b.*FIRESTORE_EMULATOR_HOST/);
  });

  it('fails when the command java is not Java', async () => {
    java('echo "Unable to locate a Java Runtime." >&2; exit 1');
    await expect(chooseFirestore()).rejects.toThrow(/Java 21 .* none\b/);
  });

  it.each(['17.0.15', '1.8.0_442', '20'])(
    'fails for firebase-tools with Java %s, which is too old',
    async (version) => {
      says(version);
      const major = version.replace(/^1\./, '').split('.')[0];
      await expect(chooseFirestore()).rejects.toThrow(new RegExp(`Java 21 .* ${major}\\b`));
    },
  );

  it.each(['21', '21.0.2', '25-ea'])('accepts Java %s', async (version) => {
    says(version);
    await expect(chooseFirestore()).resolves.toBeTypeOf('function');
  });

  it("accepts older Java for gcloud's emulator", async () => {
    gcloud();
    says('1.8.0_442');
    await expect(chooseFirestore()).rejects.toThrow(/Java 11 .* 8\b/);
    says('11.0.2');
    await expect(chooseFirestore()).resolves.toBeTypeOf('function');
  });

  it('fails when nothing responds at FIRESTORE_EMULATOR_HOST', async () => {
    vi.stubEnv('FIRESTORE_EMULATOR_HOST', '127.0.0.1:1');
    await expect(chooseFirestore()).rejects.toBeInstanceOf(CannotStart);
    await expect(chooseFirestore()).rejects.toThrow('FIRESTORE_EMULATOR_HOST is 127.0.0.1:1');
  });

  it('fails when nothing responds at FIREBASE_AUTH_EMULATOR_HOST', async () => {
    vi.stubEnv('FIREBASE_AUTH_EMULATOR_HOST', '127.0.0.1:1');
    await expect(startAuth()).rejects.toBeInstanceOf(CannotStart);
    await expect(startAuth()).rejects.toThrow('FIREBASE_AUTH_EMULATOR_HOST is 127.0.0.1:1');
  });

  it('stops the sandbox with the message and nothing else', async () => {
    const live = script(
      "const { runSandbox } = await import(sandbox + 'run.ts'); process.exit(await runSandbox({ once: true }));",
    );
    const watched = watch(process.execPath, live, { PATH: folder });
    expect(await watched.ended).toBe(1);
    expect(watched.err()).toMatch(/^The Firestore emulator needs Java 21 .*\n$/);
    expect(watched.out()).not.toContain('ready');
  });
});

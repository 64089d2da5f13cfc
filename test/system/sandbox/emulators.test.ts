// What the Firestore emulator needs is looked for before anything is started, and asked for in one sentence.

import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { CannotStart, chooseFirestore } from '../../../sandbox/emulators.ts';
import { script, watch } from './processes.ts';

describe('the choice of a Firestore emulator', () => {
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
  const OTHERWISE = ': install one, or set FIRESTORE_EMULATOR_HOST to an emulator that runs.';

  it('finds that there is no Java', async () => {
    const sentence = `The Firestore emulator needs Java 21 or newer, and "java -version" finds none${OTHERWISE}`;
    await expect(chooseFirestore()).rejects.toEqual(new CannotStart(sentence));
  });

  it('finds that what is called java is none', async () => {
    java('echo "Unable to locate a Java Runtime." >&2; exit 1');
    await expect(chooseFirestore()).rejects.toThrow(/"java -version" finds none/);
  });

  it.each(['17.0.15', '1.8.0_442', '20'])('finds Java %s too old for firebase-tools', async (version) => {
    says(version);
    const major = version.replace(/^1\./, '').split('.')[0];
    await expect(chooseFirestore()).rejects.toThrow(
      `needs Java 21 or newer, and "java -version" says ${major}${OTHERWISE}`,
    );
  });

  it.each(['21', '21.0.2', '25-ea'])('is content with Java %s', async (version) => {
    says(version);
    await expect(chooseFirestore()).resolves.toBeTypeOf('function');
  });

  it("asks less of Java for gcloud's emulator", async () => {
    gcloud();
    says('1.8.0_442');
    await expect(chooseFirestore()).rejects.toThrow('needs Java 11 or newer, and "java -version" says 8');
    says('11.0.2');
    await expect(chooseFirestore()).resolves.toBeTypeOf('function');
  });

  it('says so when nothing answers at FIRESTORE_EMULATOR_HOST', async () => {
    vi.stubEnv('FIRESTORE_EMULATOR_HOST', '127.0.0.1:1');
    await expect(chooseFirestore()).rejects.toEqual(
      new CannotStart(
        'FIRESTORE_EMULATOR_HOST is 127.0.0.1:1, but nothing answers there: start it, or unset the variable.',
      ),
    );
  });

  it('stops the sandbox with that sentence and nothing else', async () => {
    const live = script(
      "const { runSandbox } = await import(sandbox + 'run.ts'); process.exit(await runSandbox({ once: true }));",
    );
    const watched = watch(process.execPath, live, { PATH: folder });
    expect(await watched.ended).toBe(1);
    expect(watched.err()).toMatch(/^The Firestore emulator needs Java 21 .*\n$/);
    expect(watched.out()).not.toContain('ready');
  });
});

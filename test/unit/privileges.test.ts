// The separation of duties in deploy/terraform/privileges.json, and that the fake of Google keeps to it. What Terraform makes of the file is
// judged in test/system/deploy/terraform-privileges.test.ts.

import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { allPrivileges, permissionsOf } from '../../deploy/privileges.ts';
import { type IamCall, isAllowed, PERMISSIONS } from '../../sandbox/fakes/google/call.ts';

const GOOGLE = new URL('../../shared/google/', import.meta.url);
const FUNCTIONS = ['token', 'webhook', 'sweep', 'reader', 'admin'] as const;
const PEOPLE = ['reading person', 'admin person'];
const MINTING = ['iam.serviceAccounts.getAccessToken', 'iam.serviceAccounts.signJwt'];
const ENABLING = ['iam.serviceAccounts.enable', 'iam.serviceAccounts.update', 'iam.serviceAccounts.undelete'];

describe('privileges', () => {
  it('let token mint and not enable, and the others not mint', () => {
    expect(MINTING.filter((permission) => permissionsOf('token').has(permission))).toEqual(MINTING);
    expect(ENABLING.filter((permission) => permissionsOf('token').has(permission))).toEqual([]);
    for (const identity of ['webhook', 'sweep', 'reader', 'admin'])
      expect(MINTING.filter((permission) => permissionsOf(identity).has(permission))).toEqual([]);
  });

  it('let the sweep alone enable', () => {
    expect(FUNCTIONS.filter((identity) => permissionsOf(identity).has('iam.serviceAccounts.enable'))).toEqual([
      'sweep',
    ]);
  });

  it('let the reader read the ledger, and nothing else', () => {
    expect([...permissionsOf('reader')].sort()).toEqual(['datastore.entities.get', 'datastore.entities.list']);
    expect(allPrivileges().filter(({ identity }) => identity === 'reader')).toHaveLength(1);
  });

  it('let a person call one function, and nothing else', () => {
    const held = allPrivileges().filter(({ identity }) => PEOPLE.includes(identity));
    expect(held.map(({ identity, role, on }) => [identity, role, on])).toEqual([
      ['reading person', 'roles/run.invoker', 'the function `reader`'],
      ['admin person', 'roles/run.invoker', 'the function `admin`'],
    ]);
  });

  it('let nobody delete', () => {
    expect(allPrivileges().filter(({ permissions = [] }) => permissions.some((each) => /delete/i.test(each)))).toEqual(
      [],
    );
  });

  it('hold each permission that a call of the product names, and the fake of Google knows each', () => {
    const sources = readdirSync(GOOGLE)
      .filter((name) => name.endsWith('.ts'))
      .map((name) => readFileSync(new URL(name, GOOGLE), 'utf8'));
    const named = new Set(
      sources.flatMap((source) => [...source.matchAll(/permission: '([\w.]+)'/g)].map(([, name]) => name)),
    );
    expect(named.size).toBeGreaterThan(4);
    const held = new Set(FUNCTIONS.flatMap((identity) => [...permissionsOf(identity)]));
    expect([...named].filter((permission) => !held.has(permission ?? ''))).toEqual([]);
    expect([...held].filter((permission) => permission.startsWith('iam.')).sort()).toEqual(
      Object.values(PERMISSIONS).sort(),
    );
  });

  it.each(FUNCTIONS)('of %s are what the fake of Google allows', (identity) => {
    for (const [method, permission] of Object.entries(PERMISSIONS)) {
      const call = { identity, method, account: '', body: {}, reason: undefined } as IamCall;
      expect([method, isAllowed(call)]).toEqual([method, permissionsOf(identity).has(permission)]);
    }
  });
});

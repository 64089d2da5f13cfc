// The pure functions of the product that decide every step of the search, as one table. A search with another function in a place of
// this table shows that the place is guarded.

import { activate, refusalIfLate } from '../../../shared/core/grant/activate.ts';
import { basisOf, sameBasis } from '../../../shared/core/grant/basis.ts';
import {
  abandonLease,
  confirmRevoked,
  endGrant,
  expire,
  grantEndMark,
  NOT_ENDING,
} from '../../../shared/core/grant/end.ts';
import { addGrant, endMark, endTimeOf, toTombstone, withoutEndMark } from '../../../shared/core/grant/job-record.ts';
import { blockedNow, reserve } from '../../../shared/core/grant/reserve.ts';
import { assertGrantTransition } from '../../../shared/core/grant/transitions.ts';
import { selects } from '../../../shared/core/kill-switch.ts';
import { revocableAccess } from '../../../shared/core/kinds/kinds.ts';
import {
  afterGrantChange,
  claimForDisable,
  claimForEnable,
  confirmEnabled,
  lease,
  markChecked,
  mayLease,
  quarantine,
  reusableAfter,
} from '../../../shared/core/pool/lifecycle.ts';
import { assertAccountTransition } from '../../../shared/core/pool/transitions.ts';

export const PRODUCT = {
  abandonLease,
  activate,
  addGrant,
  afterGrantChange,
  assertAccountTransition,
  assertGrantTransition,
  basisOf,
  blockedNow,
  claimForDisable,
  claimForEnable,
  confirmEnabled,
  confirmRevoked,
  endGrant,
  endMark,
  endTimeOf,
  expire,
  grantEndMark,
  lease,
  markChecked,
  mayLease,
  notEnding: NOT_ENDING,
  quarantine,
  refusalIfLate,
  reserve,
  reusableAfter,
  revocableAccess,
  sameBasis,
  selects,
  toTombstone,
  withoutEndMark,
  /** The steps whose order is a guarantee, in the operations and in the ledger. */
  order: {
    /** The token is recorded before it is returned. */
    recordBeforeReturn: true,
    /** Access is removed before that is recorded. */
    removeBeforeRecord: true,
    /** A commit fails where a document was written since it was read. */
    checkVersions: true,
    /** No request to disable an account is sent once its time is up. */
    sendBeforeUntil: true,
    /** A sweep records that it disables an account again before it does. */
    claimBeforeDisable: true,
    /** Blocks are read again once the reservation is recorded. */
    checkBlocksAgain: true,
  },
};

export type Transitions = typeof PRODUCT;

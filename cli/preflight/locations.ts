// Locations: the region has Cloud Run and Cloud Scheduler, Firestore has the ledger's location, and an organization policy on
// locations allows them.
// Sources: docs.cloud.google.com/run/docs/reference/rest/v1/projects.locations/list, and the same method of Cloud Scheduler and Firestore;
// docs.cloud.google.com/resource-manager/docs/organization-policy/defining-locations (value groups).

import * as z from 'zod';
import { type CheckKind, quotedWords } from '../checks/check.ts';
import { allowedValues, deniedValues, effectiveRules, type Rules } from './effective-policy.ts';
import { READS } from './needed-permissions.ts';
import type { Target } from './target.ts';

const CONSTRAINT = 'gcp.resourceLocations';

const locationsShape = z.object({
  locations: z.array(z.object({ locationId: z.string() })).default([]),
  nextPageToken: z.string().optional(),
});

type Name = 'location_unknown';

export const locations: CheckKind<Target, Name> = {
  name: 'location',
  looksAt: "Whether Cloud Run and Cloud Scheduler are offered in their region, and Firestore in the ledger's location.",
  findings: {
    location_unknown: {
      severity: 'error',
      what: '{service} is not offered to {project} in {location}.',
      why: 'The apply fails at the first resource there.',
      fix: 'Set {variable} to one of: {known}',
    },
  },
  checksOf: (target) =>
    servicesOf(target).map(({ service, api, version, read, location, variable }) => ({
      subject: `${service}, ${location}`,
      look: async (google) => {
        const pages = await google.readAll({
          api,
          path: `${version}/projects/${target.project}/locations`,
          query: [['pageSize', '300']],
          shape: locationsShape,
          ...read,
          on: target.project,
        });
        const known = pages.flatMap((page) => page.locations.map(({ locationId }) => locationId)).sort();
        if (known.includes(location)) return { found: [] };
        const facts = { service, project: target.project, location, variable, known: quotedWords(known) };
        return { found: [{ finding: 'location_unknown' as const, facts }] };
      },
    })),
};

function servicesOf({ region, schedulerRegion, ledgerLocation }: Target) {
  return [
    {
      service: 'Cloud Run',
      api: 'run.googleapis.com',
      version: 'v1',
      read: READS.runLocations,
      location: region,
      variable: 'region',
    },
    {
      service: 'Cloud Scheduler',
      api: 'cloudscheduler.googleapis.com',
      version: 'v1',
      read: READS.schedulerLocations,
      location: schedulerRegion,
      variable: 'scheduler_region',
    },
    {
      service: 'Firestore',
      api: 'firestore.googleapis.com',
      version: 'v1',
      read: READS.firestoreLocations,
      location: ledgerLocation,
      variable: 'ledger_location',
    },
  ];
}

type PolicyName = 'location_forbidden' | 'locations_restricted';

export const locationPolicy: CheckKind<Target, PolicyName> = {
  name: 'location policy',
  looksAt: `Whether an organization policy allows the locations (\`${CONSTRAINT}\`).`,
  findings: {
    location_forbidden: {
      severity: 'error',
      what: `${CONSTRAINT} on {project} forbids {locations}. It allows: {allowed}. It denies: {denied}.`,
      why: 'The apply fails at the first resource there.',
      fix: 'Choose other locations, or ask for an exception for {project}.',
    },
    locations_restricted: {
      severity: 'warning',
      what: `${CONSTRAINT} on {project} names groups of locations, and this command does not know their members. It allows: {allowed}. It denies: {denied}.`,
      why: 'If {locations} are not allowed, the apply fails at the first resource there.',
      fix: 'Look the groups up: https://docs.cloud.google.com/resource-manager/docs/organization-policy/defining-locations',
    },
  },
  checksOf: (target) => [
    {
      subject: target.project,
      look: async (google) => {
        const rules = await effectiveRules(google, target.project, CONSTRAINT);
        const wanted = [...new Set([target.region, target.schedulerRegion, target.ledgerLocation])];
        return { found: judgeLocations(target.project, wanted, rules) };
      },
    },
  ],
};

function judgeLocations(project: string, wanted: readonly string[], rules: Rules) {
  const allowed = allowedValues(rules);
  const denied = deniedValues(rules);
  const verdicts = wanted.map((location) => ({ location, verdict: verdictOn(location, allowed, denied) }));
  return (['forbidden', 'unknown'] as const).flatMap((kind) => {
    const of = verdicts.flatMap(({ location, verdict }) => (verdict === kind ? [location] : []));
    if (of.length === 0) return [];
    const facts = {
      project,
      locations: of.join(', '),
      allowed: allowed?.join(', ') ?? 'all others',
      denied: denied.join(', ') || 'none',
    };
    return [
      { finding: kind === 'forbidden' ? ('location_forbidden' as const) : ('locations_restricted' as const), facts },
    ];
  });
}

function verdictOn(
  location: string,
  allowed: readonly string[] | undefined,
  denied: readonly string[],
): 'allowed' | 'forbidden' | 'unknown' {
  if (denied.some((value) => names(value, location))) return 'forbidden';
  if (denied.some(isForeignGroup)) return 'unknown';
  if (allowed === undefined || allowed.some((value) => names(value, location))) return 'allowed';
  return allowed.some(isForeignGroup) ? 'unknown' : 'forbidden';
}

/** The location itself, or the group of a region with its zones. */
function names(value: string, location: string): boolean {
  return [location, `is:${location}`, `in:${location}-locations`].includes(value.toLowerCase());
}

/** A group whose members are not written in its name, such as `in:eu-locations`. */
function isForeignGroup(value: string): boolean {
  return /^in:/.test(value) && !/^in:[a-z]+-[a-z]+[0-9]+-locations$/.test(value);
}

// The parts of Google's Logging, Monitoring and Resource Manager APIs that deploy/monitoring/apply.ts uses, on loopback.
// Takes bodies of Google's types and no others, a mask with every patch of v3, nothing that is output only; answers as
// Google does (zeros left out, defaults filled in, numbers for ids, short pages). What is not known is answered 400;
// there is no delete.
// Sources: googleapis 188 (google-api.schema.json), github.com/googleapis/googleapis google/monitoring/v3/uptime*.proto,
// and the recordings of real answers in GoogleCloudPlatform/k8s-config-connector,
// pkg/test/resourcefixture/testdata/basic.

import schema from './google-api.schema.json' with { type: 'json' };
import { problemsOf, type Types } from './google-api-types.ts';
import { Problem, startGoogleStandIn } from './google-stand-in.ts';

export type Body = Record<string, unknown>;
interface Kind {
  readonly version: string;
  readonly type: string;
  readonly types: Types;
  /** The parameter that names a new one; else the body does, or Google. */
  readonly idIn?: string;
  readonly lists?: true;
}
const V3 = { version: 'v3', types: schema.types['monitoring/v3'] };
const KINDS: Readonly<Record<string, Kind>> = {
  metrics: { version: 'v2', type: 'LogMetric', types: schema.types['logging/v2'], lists: true },
  dashboards: { version: 'v1', type: 'Dashboard', types: schema.types['monitoring/v1'] },
  services: { ...V3, type: 'Service', idIn: 'serviceId' },
  serviceLevelObjectives: { ...V3, type: 'ServiceLevelObjective', idIn: 'serviceLevelObjectiveId', lists: true },
  uptimeCheckConfigs: { ...V3, type: 'UptimeCheckConfig', lists: true },
  alertPolicies: { ...V3, type: 'AlertPolicy', lists: true },
};
/** What nobody may send; and what no mask may name, for it is fixed. */
const OUTPUT_ONLY: Readonly<Record<string, readonly string[]>> = {
  LogMetric: ['resourceName', 'createTime', 'updateTime', 'version'],
  MetricDescriptor: ['name', 'type', 'description'],
  UptimeCheckConfig: ['name', 'checkerType'],
  AlertPolicy: ['name', 'creationRecord', 'mutationRecord', 'validity'],
};
const FIXED = ['name', 'monitoredResource'];
const PAGE = 3;

export type MonitoringApi = Awaited<ReturnType<typeof startMonitoringApi>>;

export async function startMonitoringApi(desk: { accessToken: string; project: string; number: string }) {
  const parent = `projects/${desk.project}`;
  /** By name, with the project's id, as it was sent. */
  const stored = new Map<string, Body>();
  const calls: { readonly call: string; readonly json: Body }[] = [];
  const state = {
    ids: 100,
    unknownFor: {} as Record<string, number>,
    failing: undefined as { call: RegExp; status: number } | undefined,
  };

  function answer(call: string, query: Body, json: Body): Body {
    if (call === `GET v3/${parent}`) return { name: `projects/${desk.number}`, projectId: desk.project };
    const shape = new RegExp(`^(\\w+) (v\\d)/(${parent}/(?:services/\\w+/(?=s))?(\\w+))(?:/([^/]+))?$`);
    const [, method, version, all = '', field = '', id] = shape.exec(call) ?? [];
    const kind = KINDS[field];
    if (!kind || kind.version !== version) throw new Problem(400, `not known: ${call}`);
    if (field === 'serviceLevelObjectives') existing(all.replace(/\/\w+$/, ''));
    const name = id && `${all}/${decodeURIComponent(id)}`;
    if (method === 'GET' && name) return only(query) && toAnswer(name);
    if (method === 'GET' && kind.lists) return only(query, 'pageSize', 'pageToken') && page(all, field, query);
    const problems = problemsOf(json, kind.type, kind.types, ({ type, key }) =>
      OUTPUT_ONLY[type]?.includes(key) ? 'is not to be sent' : undefined,
    );
    if (problems.length > 0) throw new Problem(400, problems.join(', '));
    if (method === 'POST' && !name) {
      only(query, ...(kind.idIn ? [kind.idIn] : []));
      const own = { metrics: `${all}/${json.name}`, dashboards: String(json.name) }[field];
      const made = own ?? `${all}/${kind.idIn ? query[kind.idIn] : state.ids++}`;
      if (stored.has(made) || 'etag' in json) throw new Problem(409, 'Requested entity already exists');
      return put(made, judged(field, json, {}));
    }
    const former = existing(name ?? '');
    if (method === 'PATCH' && version === 'v3') {
      only(query, 'updateMask');
      const mask = String(query.updateMask).split(',');
      const wrong = mask.find((each) => !kind.types[kind.type]?.[each] || FIXED.includes(each));
      if (wrong !== undefined) throw new Problem(400, `the mask has ${wrong}`);
      const next = judged(field, json, former);
      return put(name ?? '', { ...former, ...Object.fromEntries(mask.map((each) => [each, next[each]])) });
    }
    only(query);
    const [verb, expected] = version === 'v2' ? ['PUT', `${all}/${json.name}`] : ['PATCH', json.name];
    if (method !== verb || name !== expected) throw new Problem(400, `not known: ${call} of ${json.name}`);
    if (json.etag !== former.etag) throw new Problem(409, 'the etag is of another version');
    return put(name ?? '', judged(field, json, former));
  }

  function put(name: string, json: Body): Body {
    stored.set(name, json);
    return toAnswer(name);
  }

  function existing(name: string): Body {
    const found = stored.get(name);
    if (!found) throw new Problem(404, 'Requested entity was not found.');
    return found;
  }

  function page(all: string, field: string, { pageToken = 0 }: Body): Body {
    const names = [...stored.keys()].filter((name) => name.startsWith(`${all}/`));
    const end = Number(pageToken) + PAGE;
    const next = end < names.length ? { nextPageToken: String(end) } : {};
    return whole({ [field]: names.slice(end - PAGE, end).map(toAnswer), ...next });
  }

  /** What Google would keep, if it takes it. */
  function judged(field: string, json: Body, former: Body): Body {
    const text = JSON.stringify(json);
    if (/PROJECT_ID|PLAYBOOKS_URL|[A-Z]_HOST/.test(text)) throw new Problem(400, 'not replaced');
    for (const [, slo = ''] of text.matchAll(/select_slo_burn_rate\(\\"([^"\\]+)/g)) existing(slo);
    const read = [...text.matchAll(/logging\.googleapis\.com\/user\/([\w/]+)/g)].map(([, metric]) => metric);
    const left = state.unknownFor[field] ?? 0;
    const unknown = read.find((metric) => !stored.has(`${parent}/metrics/${metric}`) || left > 0);
    if (unknown && /^(alert|serviceL)/.test(field)) {
      state.unknownFor[field] = left - 1;
      if (field !== 'alertPolicies')
        throw new Problem(400, 'Invalid SLO definition: The metric referenced by the provided filter is unknown.');
      const type = `Cannot find metric(s) that match type = "logging.googleapis.com/user/${unknown}".`;
      throw new Problem(404, `${type} If a metric was created recently, it could take up to 10 minutes`);
    }
    if (field === 'dashboards') return { ...json, etag: `etag-${state.ids++}` };
    return field === 'alertPolicies' ? judgedAlert(json, former) : json;
  }

  /** Its conditions get names, and keep them; what it is told by is there. */
  function judgedAlert(json: Body, former: Body): Body {
    const channels = (json.notificationChannels ?? []) as string[];
    const { notificationChannelStrategy: reminders = [] } = (json.alertStrategy ?? {}) as Record<string, Body[]>;
    for (const { notificationChannelNames: names } of reminders)
      if (!Array.isArray(names) || !names.every((each) => channels.includes(each))) throw new Problem(400, 'reminders');
    for (const channel of channels)
      if (!new RegExp(`^${parent}/notificationChannels/[12]$`).test(channel)) throw new Problem(404, 'no such channel');
    const known = [undefined, ...((former.conditions ?? []) as Body[]).map(({ name }) => name)];
    const conditions = json.conditions as Body[];
    if (!conditions.every(({ name }) => known.includes(name as string))) throw new Problem(400, 'no such condition');
    return { ...json, conditions: conditions.map((each) => ({ name: `conditions/${state.ids++}`, ...each })) };
  }

  function toAnswer(name: string): Body {
    const own = existing(name);
    const withNumber = name.replace(parent, `projects/${desk.number}`);
    const again = (from: RegExp, to: string) => JSON.parse(JSON.stringify(own).replaceAll(from, to)) as Body;
    switch (/^[^/]+\/[^/]+\/(?:services\/\w+\/(?=s))?(\w+)/.exec(name)?.[1]) {
      case 'metrics': {
        const descriptor = own.metricDescriptor as Body;
        const filled = { type: 'x', name: 'x', description: own.description, unit: '1', ...descriptor };
        const labels = [...((descriptor.labels ?? []) as Body[])].reverse();
        return whole({ ...own, createTime: 'x', updateTime: 'x', metricDescriptor: { ...filled, labels } });
      }
      case 'serviceLevelObjectives':
        return whole({ ...again(/(Filter":")/g, `$1project = ${desk.project}\\n `), name: withNumber });
      case 'dashboards':
        return whole({ ...again(/("plotType":)/g, '"targetAxis":"Y1",$1'), name: withNumber });
      case 'uptimeCheckConfigs':
        return whole({ ...own, name, checkerType: 'STATIC_IP_CHECKERS' });
      case 'alertPolicies':
        return whole({ ...own, name, creationRecord: { mutateTime: 'x' }, mutationRecord: { mutateTime: 'x' } });
      default:
        return whole({ ...own, name: withNumber });
    }
  }

  const { accessToken } = desk;
  const server = await startGoogleStandIn(
    { accessToken, unexpected: 500 },
    ({ method, path, query, headers, json }) => {
      const call = `${method} ${path}`;
      const body = (json ?? {}) as Body;
      calls.push({ call: query.size > 0 ? `${call}?${decodeURIComponent(String(query))}` : call, json: body });
      if (headers['x-goog-user-project'] !== desk.project) throw new Problem(403, 'another quota project');
      if (state.failing?.call.test(call)) throw new Problem(state.failing.status, 'the test broke it');
      return answer(call, Object.fromEntries(query), body);
    },
  );
  return {
    url: server.url,
    calls,
    stored,
    state,
    stop: () => server.close(),
  };
}

function only(query: Body, ...known: string[]): true {
  const wrong = Object.keys(query).find((key) => !known.includes(key)) ?? known.find((key) => query[key] === '');
  if (wrong !== undefined) throw new Problem(400, `the parameter ${wrong}`);
  return true;
}

/** As messages of Google's are written: without zeros, and a label's STRING is one. */
function whole<T>(value: T): T {
  if (Array.isArray(value)) return value.map(whole) as T;
  if (typeof value !== 'object' || value === null) return value;
  const kept = Object.entries(value).filter(
    ([, item]) => ![undefined, false, 0, '', 'STRING'].includes(item) && !(Array.isArray(item) && item.length === 0),
  );
  return Object.fromEntries(kept.map(([key, item]) => [key, whole(item)])) as T;
}

import { describe, expect, it } from '@jest/globals';
import { Ajv, type ValidateFunction } from 'ajv';
import { existsSync, readFileSync } from 'node:fs';
import { BlockList, isIPv6 } from 'node:net';
import { join, posix } from 'node:path';
import { parseConfig, repositoryRoot } from '#libs/platform';
import { build, withComponent, type Manifest } from './manifests.js';

const read = (...path: string[]) => readFileSync(join(repositoryRoot, ...path), 'utf8');

const manifests = build('example');
const named = (kind: string, name: string) => {
  const found = manifests.find((manifest) => manifest.kind === kind && manifest.metadata.name === name);
  if (!found) throw new Error(`There is no ${kind} ${name}`);
  return found;
};
const ofKind = (kind: string) => manifests.filter((manifest) => manifest.kind === kind);
const programs = ['server', 'worker'] as const;
// What is in a manifest is checked against the schemas.
// oxlint-disable-next-line typescript/no-explicit-any
const podOf = (program: string): any => named('Deployment', `galley-${program}`)['spec'].template.spec;
// oxlint-disable-next-line typescript/no-explicit-any
const containerOf = (program: string): any => podOf(program).containers[0];
const ownEnvironment = (program: string): Record<string, string> =>
  Object.fromEntries(
    containerOf(program).env.map(({ name, value }: Record<string, string>) => [name, value]),
  );
const settings: Record<string, string> = named('ConfigMap', 'galley')['data'];
const secrets: Record<string, string> = named('Secret', 'galley')['stringData'];

describe('the manifests for Kubernetes', () => {
  const validators = schemas();
  const problemsOf = (manifest: Manifest) => {
    const kind = `${manifest.apiVersion} ${manifest.kind}`;
    const validate = validators.get(kind);
    if (!validate) return [`no schema of ${kind}`];
    validate(manifest);
    return (validate.errors ?? []).map(({ instancePath, message, params }) =>
      [manifest.metadata.name, instancePath, message, JSON.stringify(params)].join(' '),
    );
  };

  it('are what Kubernetes and KEDA take, with no field that they do not know', () => {
    expect(manifests.length).toBeGreaterThan(10);
    expect(manifests.flatMap(problemsOf)).toEqual([]);
    expect(withComponent(manifests, 'components/own-users').flatMap(problemsOf)).toEqual([]);
    expect(withComponent(manifests, 'components/seccomp').flatMap(problemsOf)).toEqual([]);
  });

  it('may have a profile of system calls, which leaves what makes the jails of functions', () => {
    const folder = 'components/seccomp';
    const pods = withComponent(manifests, folder).filter(({ kind }) => kind === 'Deployment');
    const profiles = pods.map((pod) => pod['spec'].template.spec.securityContext.seccompProfile);
    const profile = { type: 'Localhost', localhostProfile: 'galley.json' };
    expect(profiles).toEqual([profile, profile]);
    const { defaultAction, syscalls } = JSON.parse(read(`deploy/kubernetes/${folder}/galley.json`)) as {
      defaultAction: string;
      syscalls: { names: string[]; action: string }[];
    };
    expect(defaultAction).toBe('SCMP_ACT_ALLOW');
    const refused = syscalls.flatMap(({ names, action }) => (action === 'SCMP_ACT_ERRNO' ? names : []));
    expect(refused).toEqual(expect.arrayContaining(['bpf', 'init_module', 'kexec_load', 'ptrace']));
    for (const needed of [
      'clone',
      'clone3',
      'unshare',
      'setns',
      'mount',
      'umount2',
      'pivot_root',
      'seccomp',
      'prctl',
    ])
      expect(refused).not.toContain(needed);
  });

  it.each([
    ['Deployment', 'galley-server', ['template', 'spec', 'hostUser'], false],
    ['Deployment', 'galley-server', ['template', 'spec', 'containers', 0, 'ports', 0, 'containerPort'], '1'],
    ['ScaledObject', 'galley-worker', ['pollInterval'], 5],
    ['ScaledObject', 'galley-worker', ['fallback', 'behavior'], 'none'],
  ])('would be refused with a mistake in them: %s %s %j', (kind, name, path, value) => {
    const spoilt = structuredClone(named(kind, name));
    const last = path.pop()!;
    path.reduce((at, key) => at[key], spoilt['spec'])[last] = value;
    expect(problemsOf(spoilt)).not.toEqual([]);
  });

  it('name settings that there are, and hold a configuration that Galley takes', () => {
    const known = [...read('libs/platform/src/config/config.ts').matchAll(/^ {2}([A-Z][A-Z0-9_]+):/gm)].map(
      ([, name]) => name,
    );
    const given = {
      DATABASE_URL: 'postgresql://postgres:secret@postgres.datastores/postgres',
      REDIS_URL: 'redis://redis.datastores',
      S3_ACCESS_KEY_ID: 'key',
      S3_SECRET_ACCESS_KEY: 'secret',
      GALLEY_MASTER_KEY: Buffer.alloc(32).toString('base64'),
      GALLEY_METRICS_TOKEN: 'a'.repeat(64),
      SUPABASE_PUBLISHABLE_KEY: 'sb_publishable_1',
      SUPABASE_SECRET_KEY: 'sb_secret_1',
    };
    expect(Object.keys(given)).toEqual(Object.keys(secrets));
    for (const program of programs) {
      const environment = { ...settings, ...given, ...ownEnvironment(program) };
      expect(Object.keys(environment).filter((name) => !known.includes(name))).toEqual([]);
      expect(parseConfig(environment).unused).toEqual([]);
    }
  });

  it('hold no secret', () => {
    expect(Object.values(secrets).filter((value) => value !== '')).toEqual([]);
    expect(
      Object.keys(settings).filter((name) => /SECRET|KEY|TOKEN|PASSWORD|DATABASE_URL|REDIS/.test(name)),
    ).toEqual([]);
  });

  it('start the image as the Dockerfile makes it, with a place for all that is written', () => {
    const dockerfile = read('Dockerfile');
    expect(dockerfile).toMatch(/^USER node$/m);
    expect(dockerfile).toMatch(/^ENTRYPOINT \["node"\]$/m);
    for (const program of programs) {
      const { args, command, volumeMounts, securityContext } = containerOf(program);
      expect(command).toBeUndefined();
      expect(args).toEqual([`dist/apps/${program}/src/main.js`]);
      expect(existsSync(join(repositoryRoot, `apps/${program}/src/main.ts`))).toBe(true);
      // The user `node` of Node's images.
      expect(podOf(program).securityContext).toMatchObject({ runAsNonRoot: true, runAsUser: 1000 });
      expect(securityContext.readOnlyRootFilesystem).toBe(true);
      const places = volumeMounts.map(({ mountPath }: { mountPath: string }) => mountPath);
      expect(places).toEqual([posix.dirname(settings['GALLEY_DATA_DIR']!), '/tmp']);
    }
  });

  it('speak of one port, and of names that there are', () => {
    const port = Number(/^EXPOSE (\d+)$/m.exec(read('Dockerfile'))![1]);
    const service = named('Service', 'galley-server');
    expect(service['spec'].ports).toEqual([{ name: 'http', port, targetPort: 'http' }]);
    for (const program of programs) {
      const { ports, startupProbe, readinessProbe, livenessProbe } = containerOf(program);
      expect(ports).toEqual([{ name: 'http', containerPort: port }]);
      for (const probe of [startupProbe, readinessProbe, livenessProbe])
        expect(probe.httpGet.port).toBe('http');
    }
    expect(ownEnvironment('worker')['GALLEY_INTERNAL_URL']).toBe(`http://galley-server:${port}`);
    const [{ http }] = named('Ingress', 'galley')['spec'].rules;
    expect(http.paths[0].backend.service).toEqual({ name: 'galley-server', port: { name: 'http' } });
    const policies = ofKind('NetworkPolicy')
      .map(({ spec }) => JSON.stringify(spec))
      .join('\n');
    // Into servers, and out of functions to the API.
    expect(policies.match(/"port":54321\b/g)).toHaveLength(2);
    for (const { spec } of [...ofKind('HorizontalPodAutoscaler'), ...ofKind('ScaledObject')])
      expect(named('Deployment', spec.scaleTargetRef.name)).toBeDefined();
  });

  it('select the pods that they mean', () => {
    const pods = programs.map((program) => named('Deployment', `galley-${program}`)['spec']);
    const selected = (labels: Record<string, string>) =>
      pods.filter(({ template }) =>
        Object.entries(labels).every(([name, value]) => template.metadata.labels[name] === value),
      ).length;
    for (const { selector, template } of pods) expect(template.metadata.labels).toEqual(selector.matchLabels);
    expect(selected(named('Service', 'galley-server')['spec'].selector)).toBe(1);
    for (const { spec } of ofKind('PodDisruptionBudget')) expect(selected(spec.selector.matchLabels)).toBe(1);
    expect(selected(named('NetworkPolicy', 'galley-deny')['spec'].podSelector.matchLabels)).toBe(2);
    for (const { spec } of ofKind('NetworkPolicy'))
      expect(selected(spec.podSelector.matchLabels)).toBeGreaterThan(0);
  });

  it('give a pod the time that its program takes to end what is under way', () => {
    // As long as libs/platform/src/process/run-program.ts waits for a stop that hangs.
    const hangingSeconds = 5;
    for (const program of programs) {
      const { preStop } = containerOf(program).lifecycle ?? {};
      const graceSeconds = Number(ownEnvironment(program)['GALLEY_SHUTDOWN_GRACE_MS']) / 1000;
      expect(podOf(program).terminationGracePeriodSeconds).toBeGreaterThanOrEqual(
        (preStop?.sleep.seconds ?? 0) + graceSeconds + hangingSeconds,
      );
    }
  });

  it('let Galley to the internet, and neither to private addresses nor to the metadata of the cloud', () => {
    const rules: { ipBlock?: { cidr: string; except?: string[] } }[] = named(
      'NetworkPolicy',
      'galley-egress',
    )['spec'].egress.flatMap(({ to }: { to: unknown[] }) => to);
    const blocks = rules.flatMap(({ ipBlock }) => ipBlock ?? []);
    const reaches = (address: string) =>
      blocks.some(({ cidr, except = [] }) => isWithin(address, [cidr]) && !isWithin(address, except));
    for (const address of ['1.1.1.1', '172.15.0.1', '203.0.114.1', '2606:4700::1111'])
      expect(reaches(address)).toBe(true);
    const inside = [
      '10.1.2.3',
      '100.64.0.1',
      '127.0.0.1',
      '169.254.169.254',
      '172.31.0.1',
      '192.168.0.1',
      '239.1.1.1',
    ];
    for (const address of [
      ...inside,
      '::1',
      'fd00:ec2::254',
      'fe80::1',
      '64:ff9b::a9fe:a9fe',
      '::ffff:10.0.0.1',
    ])
      expect([address, reaches(address)]).toEqual([address, false]);
  });

  it('scale workers by what servers tell, for which KEDA has the token and nothing more', () => {
    const { advanced, triggers, minReplicaCount } = named('ScaledObject', 'galley-worker')['spec'];
    expect(minReplicaCount).toBe(0);
    const { formula } = advanced.scalingModifiers;
    const names: string[] = triggers.map(({ name }: { name: string }) => name);
    expect(new Set(formula.match(/[a-z]+/g))).toEqual(new Set(names));
    for (const { metadata, authenticationRef } of triggers) {
      expect(new URL(metadata.url).host).toBe('galley-server.galley:54321');
      const { secretTargetRef } = named('TriggerAuthentication', authenticationRef.name)['spec'];
      expect(secretTargetRef).toEqual([{ parameter: 'token', name: 'galley', key: 'GALLEY_METRICS_TOKEN' }]);
    }
    // An instance for each event that has waited for long.
    expect(formula).toContain(`events / ${ownEnvironment('worker')['GALLEY_MAX_INSTANCES']} `);
    expect(
      0.75 * 1024 * Number.parseInt(containerOf('worker').resources.limits.memory),
    ).toBeGreaterThanOrEqual(Number(ownEnvironment('worker')['GALLEY_MAX_INSTANCES']) * 256);
  });

  it('ask for capabilities only inside of user namespaces, and only where users are to be separated', () => {
    for (const program of programs) {
      expect(podOf(program).hostUsers).toBe(false);
      expect(containerOf(program).securityContext).toEqual({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      });
    }
    for (const { kind, spec } of withComponent(manifests, 'components/own-users')) {
      if (kind !== 'Deployment') continue;
      const { hostUsers, securityContext, containers } = spec.template.spec;
      expect({ hostUsers, user: securityContext.runAsUser }).toEqual({ hostUsers: false, user: 0 });
      expect(containers[0].securityContext.capabilities).toMatchObject({
        drop: ['ALL'],
        add: expect.arrayContaining(['SYS_ADMIN']),
      });
    }
  });
});

/** By `apiVersion kind`. Unlike the API, which drops what it does not know, they refuse it. */
function schemas(): Map<string, ValidateFunction> {
  const validators = new Map<string, ValidateFunction>();
  for (const file of ['kubernetes.json', 'keda.json']) {
    const { kinds, $defs } = JSON.parse(read('test/deploy/schemas', file)) as {
      kinds: Record<string, string>;
      $defs: Record<string, Schema>;
    };
    Object.values($defs).forEach(forbidUnknown);
    const ajv = new Ajv({ strict: false, validateFormats: false }).addSchema({ $id: file, $defs });
    for (const [kind, reference] of Object.entries(kinds))
      validators.set(kind, ajv.compile({ $ref: `${file}${reference}` }));
  }
  return validators;
}

interface Schema {
  properties?: Record<string, Schema>;
  additionalProperties?: boolean | Schema;
  items?: Schema;
  type?: string;
}

function forbidUnknown(schema: Schema): void {
  const { properties, additionalProperties, items } = schema;
  // An embedded object's `metadata` is described as an object and no more.
  if (properties) schema.additionalProperties ??= false;
  Object.values(properties ?? {}).forEach(forbidUnknown);
  if (items) forbidUnknown(items);
  if (typeof additionalProperties === 'object') forbidUnknown(additionalProperties);
}

function isWithin(address: string, blocks: readonly string[]): boolean {
  const family = (text: string) => (isIPv6(text) ? 'ipv6' : 'ipv4');
  return blocks.some((block) => {
    const [network, prefix] = block.split('/') as [string, string];
    const list = new BlockList();
    list.addSubnet(network, Number(prefix), family(network));
    // Node.js would find an IPv4 address that is written as one of IPv6.
    return family(network) === family(address) && list.check(address, family(address));
  });
}

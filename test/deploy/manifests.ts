import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments, parse } from 'yaml';
import { repositoryRoot } from '#libs/platform';

const deployDirectory = join(repositoryRoot, 'deploy', 'kubernetes');

/** A Kubernetes object as the manifests have it; the tests say what they expect in it. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly labels?: Record<string, string> };
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly [field: string]: any;
}

interface Kustomization {
  readonly resources?: readonly string[];
  readonly configMapGenerator?: readonly { name: string; envs: readonly string[] }[];
  readonly secretGenerator?: readonly { name: string; envs: readonly string[] }[];
  readonly patches?: readonly { target: { kind: string; labelSelector: string }; patch: string }[];
}

interface PatchOperation {
  readonly op: 'add' | 'replace';
  readonly path: string;
  readonly value: unknown;
}

/**
 * What of `kubectl kustomize` the manifests use, but for names: those of generated objects stay without their hash, and
 * images stay as the base names them.
 */
export function build(folder: string): Manifest[] {
  const { resources = [], configMapGenerator = [], secretGenerator = [] } = kustomizationOf(folder);
  return [
    ...resources.flatMap((path) =>
      path.endsWith('.yaml') ? documentsIn(join(folder, path)) : build(join(folder, path)),
    ),
    ...configMapGenerator.map(({ name, envs }) =>
      generated('ConfigMap', name, { data: readEnv(folder, envs) }),
    ),
    ...secretGenerator.map(({ name, envs }) =>
      generated('Secret', name, { stringData: readEnv(folder, envs) }),
    ),
  ];
}

/** `manifests` as the component in `folder` changes them. */
export function withComponent(manifests: readonly Manifest[], folder: string): Manifest[] {
  const changed = structuredClone(manifests) as Manifest[];
  for (const { target, patch } of kustomizationOf(folder).patches ?? []) {
    const [label, value] = target.labelSelector.split('=') as [string, string];
    const targets = changed.filter(
      ({ kind, metadata }) => kind === target.kind && metadata.labels?.[label] === value,
    );
    for (const manifest of targets) for (const operation of parse(patch)) apply(manifest, operation);
  }
  return changed;
}

function kustomizationOf(folder: string): Kustomization {
  return parse(readFileSync(join(deployDirectory, folder, 'kustomization.yaml'), 'utf8'));
}

function documentsIn(path: string): Manifest[] {
  const text = readFileSync(join(deployDirectory, path), 'utf8');
  return parseAllDocuments(text, { merge: true }).map((document) => {
    if (document.errors.length > 0) throw document.errors[0];
    return document.toJS();
  });
}

function generated(kind: string, name: string, content: object): Manifest {
  return { apiVersion: 'v1', kind, metadata: { name }, ...content };
}

/** A file that is each installation's own stands beside an example of it. */
function readEnv(folder: string, files: readonly string[]): Record<string, string> {
  const lines = files.flatMap((file) => {
    const name = file === 'secrets.env' ? 'secrets.env.example' : file;
    return readFileSync(join(deployDirectory, folder, name), 'utf8').split('\n');
  });
  return Object.fromEntries(lines.filter((line) => /^\w+=/.test(line)).map((line) => line.split(/=(.*)/s)));
}

/** RFC 6902; a replaced value must be there. */
function apply(manifest: Manifest, { op, path, value }: PatchOperation): void {
  const keys = path.slice(1).split('/');
  const last = keys.pop()!;
  // oxlint-disable-next-line typescript/no-explicit-any
  const parent = keys.reduce<any>((at, key) => at[key], manifest);
  if (op === 'replace' && !(last in parent)) throw new Error(`${path} is not there to be replaced`);
  parent[last] = value;
}

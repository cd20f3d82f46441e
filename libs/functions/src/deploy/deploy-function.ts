import { Inject, Injectable } from '@nestjs/common';
import { lockActivations } from '#libs/events';
import {
  CONFIG,
  LOGGER,
  PlatformDatabase,
  sqlStateOf,
  type Config,
  type Logger,
  type Project,
  type Sql,
} from '#libs/platform';
import { bundleFunction } from '../bundle/bundle-function.js';
import { storageFull } from '../bundle/deno-tool.js';
import { chosenStaticFiles } from '../bundle/static-files.js';
import { parseManifest, type Manifest } from '../manifest/manifest.js';
import { checkSlug } from '../manifest/slug.js';
import { Activations, notFound } from './activations.js';
import { Builds, type Build, type BuildObserver } from './builds.js';
import {
  listFunctions,
  readDeployment,
  type DeploymentSummary,
  type FunctionSummary,
  type Source,
} from './deployments.sql.js';
import { recordDeployment, type Content, type Recorded } from './record-deployment.js';
import { ungrantedNames } from './ungranted-names.js';

/** What a function is deployed from. */
export interface DeployRequest {
  readonly slug: string;
  /** Source files by path, relative and with `/`. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** Path of the module that serves. */
  readonly entrypoint: string;
  /** Path of the import map or `deno.json` among `files`. */
  readonly importMap?: string | undefined;
  /** Which of `files` the function reads when it runs: paths in which `*`, `**` and `?` stand for others. */
  readonly staticPatterns?: readonly string[] | undefined;
  readonly manifest: Manifest;
  /** The name that people see, where it is not the slug. */
  readonly name?: string | undefined;
  /** False: it is recorded, and can be previewed, but what answers stays. */
  readonly activate?: boolean | undefined;
}

export interface Deployed {
  readonly deployment: DeploymentSummary;
  /** The function with what answers for it; undefined when it is not in service. */
  readonly function: FunctionSummary | undefined;
  /** False: what was active already is the same. */
  readonly created: boolean;
  readonly buildId: string;
}

/**
 * Makes deployments of functions.
 *
 * bundle → widen permissions → commit the platform's rows → settle permissions. Before the commit the old deployment is
 * untouched, save that the function's role may hold more than it needs; after it the new one answers. A settling
 * that was cut short is done by the first process that runs the deployment.
 */
@Injectable()
export class DeployFunction {
  constructor(
    private readonly database: PlatformDatabase,
    private readonly builds: Builds,
    private readonly activations: Activations,
    @Inject(CONFIG) private readonly config: Config,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /**
   * Bundles, records and activates, which ends a split of traffic, and tells `observer` about it. What is identical to
   * the active deployment makes no new one.
   * @throws AppError `invalid_slug`, `invalid_manifest`, `BUNDLE_ERROR` (400), and what {@link bundleFunction} throws
   */
  async deploy(project: Project, request: DeployRequest, observer: BuildObserver = {}): Promise<Deployed> {
    const { slug, manifest } = request;
    checkSlug(slug);
    // Again when it is activated: this one only spares a build in vain.
    await this.activations.checkHost(this.database, project, slug, [manifest]);
    return this.builds.run(project.ref, slug, observer, (build) => this.#deploy(project, request, build));
  }

  /**
   * Changes what is no code: makes a new deployment of the active one's code. Deployments do not change, so that the
   * way back leads to what really was.
   * @throws AppError `not_found` (404), `invalid_manifest` (400)
   */
  async change(
    project: Project,
    slug: string,
    changes: { name?: string | undefined; verifyJwt?: boolean | undefined },
  ): Promise<FunctionSummary> {
    checkSlug(slug);
    await this.#record(project, true, async (tx) => {
      const [current] = await listFunctions(tx, project.ref, slug);
      if (!current) throw notFound(`There is no function ${slug}`);
      const manifest = parseManifest(slug, {
        ...(current.active.manifest as object),
        ...(changes.verifyJwt !== undefined && { verify_jwt: changes.verifyJwt }),
      });
      const name = changes.name ?? current.active.name;
      const content = (await readDeployment(tx, current.active.id))!;
      return { ...content, slug, manifest, name: name === slug ? null : name };
    });
    return this.activations.settle(project, slug);
  }

  async #deploy(project: Project, request: DeployRequest, build: Build): Promise<Deployed> {
    const { slug, manifest, name = null, activate = true } = request;
    const source = sourceOf(request);
    if (!manifest.check) build.log('Types are not checked');
    const { code, sourceMap, durationMs } = await bundleFunction({
      ...request,
      check: manifest.check,
      dataDir: this.config.dataDir,
      privateHosts: this.config.functions.privateHosts,
      packageHosts: this.config.functions.packageHosts,
      log: (line) => {
        this.logger.debug({ function: slug, build: build.id }, line);
        build.log(line);
      },
    });
    build.log(`Bundled ${code.byteLength} bytes in ${Math.round(durationMs)} ms`);
    for (const line of await ungrantedNames(this.database, project.ref, manifest, code)) {
      this.logger.warn({ function: slug, build: build.id }, line);
      build.log(line);
    }
    const content = { slug, manifest, name, source, code, sourceMap };
    const recorded = await this.#record(project, activate, async () => content, build);
    build.log(outcome(recorded, activate));
    const answers = activate || !recorded.created;
    const found = answers
      ? await this.activations.settle(project, slug)
      : (await listFunctions(this.database, project.ref, slug))[0];
    return { ...recorded, function: found, buildId: build.id };
  }

  /**
   * @param contentOf is asked while nobody else can change which deployment is active
   * @throws AppError `insufficient_storage` (507)
   */
  async #record(
    project: Project,
    activates: boolean,
    contentOf: (tx: Sql) => Promise<Content>,
    build?: Build,
  ): Promise<Recorded> {
    const recording = this.database.transaction(async (tx) => {
      await lockActivations(tx, project.ref);
      const content = await contentOf(tx);
      const recorded = await recordDeployment(tx, project.ref, content, build);
      if (recorded.created && activates) {
        const { id, slug } = recorded.deployment;
        await this.activations.activateIn(tx, project, [{ id, slug, manifest: content.manifest }]);
      }
      return recorded;
    });
    return recording.catch((error: unknown) => {
      throw sqlStateOf(error) === diskFull ? storageFull(error) : error;
    });
  }
}

function sourceOf({ entrypoint, importMap, files, staticPatterns = [] }: DeployRequest): Source {
  return {
    entrypoint,
    importMap: importMap ?? null,
    files: Object.fromEntries(
      [...files].map(([path, bytes]) => [path, Buffer.from(bytes).toString('base64')]),
    ),
    staticFiles: chosenStaticFiles({ files, entrypoint, patterns: staticPatterns }),
  };
}

/** SQLSTATE of PostgreSQL. */
const diskFull = '53100';

/** What the build's log says at its end. */
function outcome({ deployment: { number }, created }: Recorded, activates: boolean): string {
  if (!created) return `Deployment ${number}, which is active, is the same`;
  return `Deployment ${number} is ${activates ? 'active' : 'recorded, and not active yet'}`;
}

import { Inject, Injectable } from '@nestjs/common';
import { TraceMap } from '@jridgewell/trace-mapping';
import { LOGGER, PlatformDatabase, type Logger } from '#libs/platform';
import { limits } from '../limits.js';
import { namesBundle, withOriginalPositions } from './original-positions.js';

interface KeptMap {
  /** Null: the deployment has none. */
  readonly map: TraceMap | null;
  readonly sizeBytes: number;
}

/**
 * Leads from places in deployments' bundles to their sources. A map is read when a text first names a place, and kept
 * parsed while there are such texts: parsed it takes some 25 times its size.
 */
@Injectable()
export class SourceMaps {
  /** The longest unused first. */
  readonly #kept = new Map<string, KeptMap>();
  readonly #loading = new Map<string, Promise<TraceMap | null>>();
  #keptBytes = 0;
  #forget: NodeJS.Timeout | undefined;

  constructor(
    private readonly database: PlatformDatabase,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /** The text with the lines that the function's author wrote; never rejects. A promise only while a map is read. */
  translate(deploymentId: string, text: string): string | Promise<string> {
    if (!namesBundle(text)) return text;
    const kept = this.#kept.get(deploymentId);
    if (!kept) return this.#load(deploymentId).then((map) => (map ? withOriginalPositions(text, map) : text));
    this.#keep(deploymentId, kept);
    return kept.map ? withOriginalPositions(text, kept.map) : text;
  }

  #load(deploymentId: string): Promise<TraceMap | null> {
    let loading = this.#loading.get(deploymentId);
    if (!loading) {
      loading = this.#read(deploymentId)
        .catch((error: unknown) => {
          this.logger.warn({ err: error, deploymentId }, 'A source map could not be read');
          return null;
        })
        .finally(() => this.#loading.delete(deploymentId));
      this.#loading.set(deploymentId, loading);
    }
    return loading;
  }

  async #read(deploymentId: string): Promise<TraceMap | null> {
    const {
      rows: [row],
    } = await this.database.query<{ sourceMap: Buffer | null }>(
      'select source_map as "sourceMap" from deployments where id = $1',
      [deploymentId],
    );
    const written = row?.sourceMap ?? null;
    const map = written && new TraceMap(written.toString('utf8'));
    this.#keep(deploymentId, { map, sizeBytes: written?.byteLength ?? 0 });
    return map;
  }

  #keep(deploymentId: string, kept: KeptMap): void {
    this.#drop(deploymentId);
    this.#kept.set(deploymentId, kept);
    this.#keptBytes += kept.sizeBytes;
    for (const longestUnused of this.#kept.keys()) {
      if (this.#keptBytes <= limits.parsedSourceMapBytes && this.#kept.size <= limits.parsedSourceMaps) break;
      this.#drop(longestUnused);
    }
    if (this.#forget) this.#forget.refresh();
    else this.#forget = setTimeout(() => this.#forgetAll(), limits.parsedSourceMapMs).unref();
  }

  #drop(deploymentId: string): void {
    this.#keptBytes -= this.#kept.get(deploymentId)?.sizeBytes ?? 0;
    this.#kept.delete(deploymentId);
  }

  #forgetAll(): void {
    this.#forget = undefined;
    this.#kept.clear();
    this.#keptBytes = 0;
  }
}

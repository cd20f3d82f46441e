import type { Logger, Project, Sql } from '#libs/platform';
import { pgrstError } from '../errors.js';
import { withRoleGuards } from '../guards/role-guards.js';
import { databaseSettingNames, readSetting } from './read-setting.js';
import { reloadChannel } from './reload-channel.js';
import type { RestSettings } from './rest-settings.js';
import { authenticatorSettings, preConfigSettings, roleSettings } from './settings.sql.js';

/** Keeps the settings of one project's data API. */
export class ProjectSettings {
  #current: RestSettings | undefined;
  #loading: Promise<RestSettings> | undefined;
  /** A change was announced after the load under way had begun. */
  #again = false;

  constructor(
    private readonly project: Project,
    /** What the environment says. */
    private readonly base: RestSettings,
    private readonly logger: Logger,
  ) {
    reloadChannel(project).on('config', () => this.#reload());
  }

  /**
   * The settings in use; the first caller waits until they have been read.
   * @throws AppError PGRST002 when the database cannot be asked for them
   */
  current(): RestSettings | Promise<RestSettings> {
    return this.#current ?? this.#load();
  }

  /** The settings in use, or what the environment says as long as they have not been read. */
  get known(): RestSettings {
    return this.#current ?? this.base;
  }

  #reload(): void {
    this.#again = true;
    // Requests go on with what there is; it is announced again when the connection comes back.
    this.#load().catch((err: unknown) => this.logger.warn({ err }, 'Settings of the data API were not read'));
  }

  #load(): Promise<RestSettings> {
    this.#loading ??= this.#loadUntilQuiet().finally(() => {
      this.#loading = undefined;
    });
    return this.#loading;
  }

  async #loadUntilQuiet(): Promise<RestSettings> {
    try {
      await reloadChannel(this.project).listen();
      do {
        this.#again = false;
        this.#current = await this.#read();
      } while (this.#again);
      return this.#current;
    } catch (cause) {
      throw pgrstError('PGRST002', {
        message: 'Could not query the database for the schema cache. Retrying.',
        cause,
      });
    }
  }

  async #read(): Promise<RestSettings> {
    return this.project.database.asSystem(async (tx) => {
      await tx.query('set transaction isolation level repeatable read');
      const values = this.base.dbConfig ? await this.#valuesInDatabase(tx) : [];
      const ofRoles = { roles: await roleSettings(tx) };
      const settings = Object.assign({}, this.base, ...values, ofRoles) as RestSettings;
      return withRoleGuards(tx, settings, (...wrong) => this.#guardIsWrong(...wrong));
    });
  }

  async #valuesInDatabase(tx: Sql): Promise<Partial<RestSettings>[]> {
    const { preConfig } = this.base;
    const set = preConfig ? await preConfigSettings(tx, preConfig, databaseSettingNames) : [];
    const given = new Map([...set, ...(await authenticatorSettings(tx))]);
    return [...given].map(([name, text]) => this.#valueOf(name, text));
  }

  #guardIsWrong(role: string, name: string, problem: string): void {
    const { ref: project } = this.project;
    this.logger.error(
      { project },
      `The setting ${name} of the role ${role} is wrong and has no effect: ${problem}`,
    );
  }

  /** What is wrong is told, and the value of before stays. */
  #valueOf(name: string, text: string): Partial<RestSettings> {
    const reading = databaseSettingNames.includes(name) ? readSetting(name, text) : undefined;
    if (reading && 'value' in reading) return reading.value;
    const { ref: project } = this.project;
    if (!reading) {
      this.logger.warn({ project }, `The setting pgrst.${name} has no effect here`);
      return {};
    }
    const { key, problem } = reading;
    this.logger.error({ project }, `The setting pgrst.${name} is wrong and stays as it was: ${problem}`);
    return this.#current ? { [key]: this.#current[key] } : {};
  }
}

import type { Logger, Project, Sql } from '#libs/platform';
import { withRoleGuards } from '../guards/role-guards.js';
import { databaseSettingNames, readSetting } from './read-setting.js';
import { ReloadedValue } from './reloaded-value.js';
import type { RestSettings } from './rest-settings.js';
import { authenticatorSettings, preConfigSettings, roleSettings } from './settings.sql.js';

/** Keeps the settings of one project's data API. */
export class ProjectSettings {
  readonly #settings: ReloadedValue<RestSettings>;

  constructor(
    private readonly project: Project,
    /** What the environment says. */
    private readonly base: RestSettings,
    private readonly logger: Logger,
  ) {
    this.#settings = new ReloadedValue(
      project,
      'config',
      () => this.#read(),
      (err) => logger.warn({ err }, 'Settings of the data API were not read'),
    );
  }

  /**
   * The settings in use; the first caller waits until they have been read.
   * @throws AppError PGRST002 when the database cannot be asked for them
   */
  current(): RestSettings | Promise<RestSettings> {
    return this.#settings.newest ?? this.#settings.load();
  }

  /** The settings in use, or what the environment says as long as they have not been read. */
  get known(): RestSettings {
    return this.#settings.newest ?? this.base;
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
    const before = this.#settings.newest;
    return before ? { [key]: before[key] } : {};
  }
}

import { Inject, Injectable } from '@nestjs/common';
import {
  CONFIG,
  LOGGER,
  OperatorError,
  projectResource,
  type Config,
  type Logger,
  type Project,
} from '#libs/platform';
import { ProjectSettings } from './project-settings.js';
import { readSetting } from './read-setting.js';
import { defaultSettings, type RestSettings } from './rest-settings.js';

/** The settings of each project's data API: what the environment says, and above it what the project's database says. */
@Injectable()
export class RestConfiguration {
  /** Those of one project. */
  readonly of: (project: Project) => ProjectSettings;

  /** @throws OperatorError naming each variable that is wrong */
  constructor(@Inject(CONFIG) { rest }: Config, @Inject(LOGGER) logger: Logger) {
    const { settings, unused } = environmentSettings(rest);
    for (const name of unused) logger.warn(`${variableOf(name)} is set, but has no effect here`);
    this.of = projectResource('data.settings', (project) => new ProjectSettings(project, settings, logger));
  }
}

/** @param given by their names in the environment, lower-case and without `PGRST_` */
export function environmentSettings(given: Readonly<Record<string, string>>): {
  settings: RestSettings;
  /** Names that mean nothing here. */
  unused: readonly string[];
} {
  const values: Partial<RestSettings>[] = [];
  const appSettings: Record<string, string> = {};
  const problems: string[] = [];
  const unused: string[] = [];
  for (const [name, text] of Object.entries(given)) {
    const reading = readSetting(name, text);
    if (name.startsWith('app_settings_')) appSettings[`app.settings.${name.slice(13)}`] = text;
    else if (!reading) unused.push(name);
    else if ('value' in reading) values.push(reading.value);
    else problems.push(`${variableOf(name)}: ${reading.problem}`);
  }
  if (problems.length > 0) {
    throw new OperatorError(
      `The configuration is wrong. ${problems.join('; ')}. Mend the environment and start again.`,
    );
  }
  return { settings: Object.assign({}, defaultSettings, ...values, { appSettings }) as RestSettings, unused };
}

function variableOf(name: string): string {
  return `PGRST_${name.toUpperCase()}`;
}

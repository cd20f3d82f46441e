import type { Sql } from '#libs/platform';
import { readSetting, type Reading } from '../settings/read-setting.js';
import type { CostGuards, RestSettings } from '../settings/rest-settings.js';

/** What bounds the statements of one role, as `alter role … set` names it, and the setting that bounds those of all. */
const settingOfAll = new Map([
  ['galley.max_rows', 'db_max_rows'],
  ['galley.max_embed_depth', 'galley_max_embed_depth'],
  ['galley.max_plan_cost', 'galley_max_plan_cost'],
]);

/** The settings as they hold for `role`, whose own guards stand in place of those of all roles. */
export function settingsOfRole(settings: RestSettings, role: string): RestSettings {
  const { guardsOfAll, guardsOfRoles } = settings;
  return guardsOfRoles.size === 0 ? settings : { ...settings, ...(guardsOfRoles.get(role) ?? guardsOfAll) };
}

/** `settings` with the guards that the database has for roles that callers take. */
export async function withRoleGuards(
  tx: Sql,
  settings: RestSettings,
  onWrong: (role: string, name: string, problem: string) => void,
): Promise<RestSettings> {
  const { maxRows, maxReturnedRows, maxEmbedDepth, maxPlanCost } = settings;
  const guardsOfAll: CostGuards = { maxRows, maxReturnedRows, maxEmbedDepth, maxPlanCost };
  const guardsOfRoles = new Map<string, CostGuards>();
  for (const { role, name, value } of await givenGuards(tx)) {
    const reading = readGuard(name, value);
    if ('value' in reading) {
      guardsOfRoles.set(role, { ...guardsOfAll, ...guardsOfRoles.get(role), ...reading.value });
    } else onWrong(role, name, reading.problem);
  }
  return { ...settings, guardsOfAll, guardsOfRoles };
}

/** What a role's own bound says of rows also holds for those that its changes give back; PostgREST's setting does not. */
function readGuard(name: string, value: string): Reading {
  const reading = readSetting(settingOfAll.get(name)!, value)!;
  if (name !== 'galley.max_rows' || !('value' in reading)) return reading;
  return { value: { ...reading.value, maxReturnedRows: reading.value.maxRows } };
}

/** What is said `in database` comes last. */
async function givenGuards(tx: Sql): Promise<{ role: string; name: string; value: string }[]> {
  const { rows } = await tx.query<{ role: string; name: string; value: string }>(
    `select r.rolname as role, split_part(entry, '=', 1) as name, substr(entry, strpos(entry, '=') + 1) as value
     from pg_catalog.pg_auth_members m
     join pg_catalog.pg_roles r on r.oid = m.roleid
     join pg_catalog.pg_db_role_setting s on s.setrole = r.oid, unnest(s.setconfig) as entry
     where m.member = 'authenticator'::regrole
       and s.setdatabase in (0, (select oid from pg_catalog.pg_database where datname = current_database()))
       and split_part(entry, '=', 1) = any ($1)
     order by s.setdatabase = 0 desc`,
    [[...settingOfAll.keys()]],
  );
  return rows;
}

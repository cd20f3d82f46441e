import { Body, Controller, Delete, Get, HttpCode, Param, Patch, Post, UseGuards } from '@nestjs/common';
import {
  AppError,
  CurrentProject,
  isId,
  JsonBodyGuard,
  parseInput,
  PlatformDatabase,
  ProjectRefGuard,
  ServiceOnlyGuard,
  systemClock,
  type Project,
  type Sql,
} from '#libs/platform';
import { z } from 'zod';
import { nextRun, scheduleId, type NewSchedule } from './schedule.js';
import { scheduleOf, scheduleProblems, scheduleShape, type ScheduleInput } from './schedule-input.js';
import { scheduleLimits } from './schedule-limits.js';
import {
  deleteOldestSpent,
  deleteSchedule,
  listSchedules,
  putSchedule,
  setPaused,
  tellSchedulers,
  type ListedSchedule,
} from './schedules.sql.js';

const newSchedule = z.strictObject({
  ...scheduleShape,
  function: z.string().regex(/^[^\0]+$/, { error: 'expected the name of a function' }),
});
/** Without defaults: what is absent stays. Null is for what the other kind of schedule has. */
const change = z.strictObject({
  paused: z.boolean(),
  cron: scheduleShape.cron.nullable(),
  time_zone: scheduleShape.time_zone.nullable(),
  at: scheduleShape.at.nullable(),
  overlap: scheduleShape.overlap.unwrap(),
  missed: scheduleShape.missed.unwrap(),
  payload: scheduleShape.payload.unwrap(),
});
const partialChange = change.partial();

/** When functions are woken by the clock: what their manifests declare, and more. For holders of the secret key. */
@Controller('v1/projects/:ref/schedules')
@UseGuards(ServiceOnlyGuard, ProjectRefGuard, JsonBodyGuard)
export class SchedulesController {
  constructor(private readonly database: PlatformDatabase) {}

  @Get()
  list(@CurrentProject() { ref }: Project): Promise<ListedSchedule[]> {
    return listSchedules(this.database, ref);
  }

  @Post()
  async create(@CurrentProject() { ref }: Project, @Body() body: unknown): Promise<ListedSchedule> {
    const { function: slug, ...input } = parseInput(newSchedule, body);
    const schedule = checkedSchedule(input);
    const id = scheduleId(ref, slug, schedule.name);
    return this.database.transaction(async (tx) => {
      // One after another, so that the bound holds.
      await tx.query('select pg_advisory_xact_lock(hashtextextended($1, 0))', [`galley schedules ${ref}`]);
      await checkFunction(tx, ref, slug);
      const present = await listSchedules(tx, ref);
      if (present.some((one) => one.id === id))
        throw conflict(`The function ${slug} has a schedule "${schedule.name}" already`);
      // One-off times that are over would fill it for good.
      if (present.length >= scheduleLimits.perProject && !(await deleteOldestSpent(tx, ref)))
        throw conflict(`A project may have ${scheduleLimits.perProject} schedules`);
      await putSchedule(tx, ref, slug, schedule, 'api', systemClock.now());
      await tellSchedulers(tx);
      return found(await listSchedules(tx, ref, id), id);
    });
  }

  /** A schedule of a manifest can only be paused and resumed, which lasts over deployments. */
  @Patch(':id')
  async change(
    @CurrentProject() { ref }: Project,
    @Param('id') id: string,
    @Body() body: unknown,
  ): Promise<ListedSchedule> {
    const { paused, ...changes } = parseInput(partialChange, body);
    return this.#changeOne(ref, id, async (tx, schedule) => {
      if (Object.keys(changes).length > 0) {
        refuseManifest(schedule);
        const changed = checkedSchedule(changedInput(schedule, changes));
        await putSchedule(tx, ref, schedule.function, changed, 'api', systemClock.now());
      }
      if (paused !== undefined && paused !== schedule.paused) {
        const [current] = await listSchedules(tx, ref, id);
        await setPaused(tx, current!, paused, systemClock.now());
      }
      return found(await listSchedules(tx, ref, id), id);
    });
  }

  @Delete(':id')
  @HttpCode(200)
  remove(@CurrentProject() { ref }: Project, @Param('id') id: string): Promise<ListedSchedule> {
    return this.#changeOne(ref, id, async (tx, schedule) => {
      refuseManifest(schedule);
      await deleteSchedule(tx, id);
      return schedule;
    });
  }

  async #changeOne<T>(
    ref: string,
    id: string,
    work: (tx: Sql, schedule: ListedSchedule) => Promise<T>,
  ): Promise<T> {
    return this.database.transaction(async (tx) => {
      const canBe = isId(id);
      if (canBe) await tx.query('select from schedules where id = $1 for update', [id]);
      const result = await work(tx, found(canBe ? await listSchedules(tx, ref, id) : [], id));
      await tellSchedulers(tx);
      return result;
    });
  }
}

/** @throws AppError `invalid_request` (400) naming what does not fit together */
function checkedSchedule(input: ScheduleInput): NewSchedule {
  const problems = scheduleProblems(input).map(([setting, problem]) => `${setting}: ${problem}`);
  if (
    problems.length === 0 &&
    input.at !== undefined &&
    nextRun(scheduleOf(input).timing, systemClock.now()) === null
  )
    problems.push('at: expected a moment that is still to come');
  if (problems.length === 0) return scheduleOf(input);
  throw new AppError({ code: 'invalid_request', status: 400, message: problems.join('; ') });
}

function changedInput(schedule: ListedSchedule, changes: Partial<z.output<typeof change>>): ScheduleInput {
  const before = {
    name: schedule.name,
    cron: schedule.cron,
    time_zone: schedule.cron === null ? null : schedule.time_zone,
    at: schedule.at?.toISOString() ?? null,
    overlap: schedule.overlap,
    missed: schedule.missed,
    payload: schedule.payload,
  };
  const present = Object.entries({ ...before, ...changes }).filter(
    ([key, value]) => value !== null || key === 'payload',
  );
  return Object.fromEntries(present) as ScheduleInput;
}

async function checkFunction(tx: Sql, projectRef: string, slug: string): Promise<void> {
  const { rowCount } = await tx.query('select from functions where project_ref = $1 and slug = $2', [
    projectRef,
    slug,
  ]);
  if (rowCount === 0) throw notFound(`There is no function ${slug}`);
}

function refuseManifest({ name, function: slug, source }: ListedSchedule): void {
  if (source === 'api') return;
  throw conflict(
    `The schedule "${name}" is declared in galley.toml, under functions.${slug}: change it there`,
  );
}

function found([schedule]: readonly ListedSchedule[], id: string): ListedSchedule {
  if (!schedule) throw notFound(`There is no schedule ${id}`);
  return schedule;
}

function notFound(message: string): AppError {
  return new AppError({ code: 'not_found', status: 404, message });
}

function conflict(message: string): AppError {
  return new AppError({ code: 'conflict', status: 409, message });
}

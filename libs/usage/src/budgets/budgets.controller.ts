import { Body, Controller, Get, Put, UseGuards } from '@nestjs/common';
import {
  AppError,
  CurrentProject,
  JsonBodyGuard,
  parseInput,
  PlatformDatabase,
  ProjectRefGuard,
  ServiceOnlyGuard,
  type Project,
} from '#libs/platform';
import { z } from 'zod';
import { periodOf } from '../hours.js';
import { PriceBooks } from '../prices/price-books.js';
import { UsageLedger } from '../usage-ledger.js';
import { budgetKey, budgetList, hasCost } from './budget.js';
import { Budgets } from './budgets.js';
import { readNotices, replaceBudgets } from './budgets.sql.js';

/** What a project and its functions may use. */
@Controller('v1/projects/:ref/budgets')
@UseGuards(ServiceOnlyGuard, ProjectRefGuard, JsonBodyGuard)
export class BudgetsController {
  constructor(
    private readonly database: PlatformDatabase,
    private readonly ledger: UsageLedger,
    private readonly budgets: Budgets,
    private readonly books: PriceBooks,
  ) {}

  /** Each with what of it is used in this period, whether that was warned of, and when the next period begins. */
  @Get()
  async read(@CurrentProject() { ref }: Project) {
    await this.ledger.flush();
    const states = await this.budgets.states(ref);
    const now = new Date();
    const starts = { day: periodOf('day', now).from, month: periodOf('month', now).from };
    const notices = await readNotices(this.database, ref, starts);
    return states.map(({ budget, used, resetsAt }) => {
      const told = (kind: string) =>
        notices.find((notice) => notice.key === budgetKey(budget) && notice.kind === kind)?.at ?? null;
      return {
        ...budget,
        used,
        share: used / budget.most,
        resets_at: resetsAt,
        warned_at: told('warned'),
        exceeded_at: told('exceeded'),
      };
    });
  }

  /**
   * Takes the place of all budgets. Holds at once here, and within `limits.budgetRefreshMs` in other processes.
   * @throws AppError `invalid_request` (400), also for a budget of money where functions cost none
   */
  @Put()
  async replace(@CurrentProject() project: Project, @Body() body: unknown) {
    const { budgets } = parseInput(z.object({ budgets: budgetList }), { budgets: body });
    const isOfMoney = budgets.some(({ measure }) => measure === 'cost');
    if (isOfMoney && !hasCost(await this.books.own(project.ref))) throw costsNothing(project.ref);
    await this.database.transaction((tx) => replaceBudgets(tx, project.ref, budgets));
    return this.read(project);
  }
}

/** It would be taken for a guard, and never stop anything. */
function costsNothing(projectRef: string): AppError {
  return new AppError({
    code: 'invalid_request',
    status: 400,
    message: 'A budget of cost needs a price of something that functions use, and there is none',
    hint: `Set prices first: PUT /v1/projects/${projectRef}/prices`,
  });
}

import { Inject, Injectable } from '@nestjs/common';
import { LOGGER, PlatformDatabase, type Logger } from '#libs/platform';
import { periodOf } from '../hours.js';
import type { InvocationRecord } from '../invocation-record.js';
import { usageLimits as limits } from '../limits.js';
import { PriceBooks } from '../prices/price-books.js';
import { BudgetExceeded } from './budget.js';
import { insertNotice, readBudgets, usedByFunctions } from './budgets.sql.js';
import { ProjectBudgets, stateKey, type BudgetState } from './project-budgets.js';

/** What this process knows of a project's budgets. */
interface Known {
  current: ProjectBudgets | undefined;
  askedAt: number;
  asking: Promise<void> | undefined;
  /** Invocations under way here, by function. */
  readonly running: Map<string, number>;
  /** Those that ended here and were not in the database's sums yet when these were last read. */
  readonly unseen: Map<string, { record: InvocationRecord; endedAt: number }>;
  readonly told: Set<string>;
}

/**
 * Lets invocations begin only while the budgets have room for them.
 *
 * No call waits for a query: sums are read again in the background, at most every `limits.budgetRefreshMs` and only while
 * there are calls, and what ends here in between is added to them. So a budget may be overshot by what is under way when
 * it is reached (a number of invocations is not: those under way here count), and by what other processes have under way
 * or ended within `budgetRefreshMs + flushMs`.
 */
@Injectable()
export class Budgets {
  readonly #projects = new Map<string, Known>();

  constructor(
    private readonly database: PlatformDatabase,
    private readonly books: PriceBooks,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /**
   * To be asked before an invocation begins, which then must be told to have ended. Returns a promise only where the sums
   * have to be read first.
   * @throws BudgetExceeded
   */
  admit(projectRef: string, slug: string): Promise<void> | undefined {
    const known = this.#known(projectRef);
    if (!this.#isFresh(known))
      return this.refresh(projectRef).then(() => this.#begin(projectRef, known, slug));
    this.#refreshSoon(projectRef, known);
    this.#begin(projectRef, known, slug);
    return undefined;
  }

  /** @param record null when it did not begin after all */
  ended(projectRef: string, slug: string, record: InvocationRecord | null): void {
    const known = this.#known(projectRef);
    const left = (known.running.get(slug) ?? 1) - 1;
    if (left > 0) known.running.set(slug, left);
    else known.running.delete(slug);
    if (!record || !known.current?.snapshot.budgets.length) return;
    known.unseen.set(record.id, { record, endedAt: Date.now() });
    known.current.add(record);
    this.#tell(projectRef, known);
  }

  /** Whether a function's events have to wait; as far as is known, which is looked up in the background. */
  holds(projectRef: string, slug: string): boolean {
    const known = this.#known(projectRef);
    this.#refreshSoon(projectRef, known);
    const { current } = known;
    return current !== undefined && !current.isOver(new Date()) && current.exceeded(slug) !== undefined;
  }

  async states(projectRef: string): Promise<BudgetState[]> {
    await this.refresh(projectRef);
    return this.#known(projectRef).current!.states();
  }

  /** Reads budgets, prices and sums anew; who asks while that is under way gets one that begins afterwards. */
  async refresh(projectRef: string): Promise<void> {
    const known = this.#known(projectRef);
    await known.asking?.catch(() => {});
    known.asking ??= this.#ask(projectRef, known).finally(() => (known.asking = undefined));
    await known.asking;
  }

  #known(projectRef: string): Known {
    let known = this.#projects.get(projectRef);
    if (!known) {
      known = {
        current: undefined,
        askedAt: 0,
        asking: undefined,
        running: new Map(),
        unseen: new Map(),
        told: new Set(),
      };
      this.#projects.set(projectRef, known);
    }
    return known;
  }

  #isFresh({ current, askedAt }: Known): boolean {
    return (
      Date.now() - askedAt < limits.budgetStaleMs && current !== undefined && !current.isOver(new Date())
    );
  }

  #refreshSoon(projectRef: string, known: Known): void {
    if (known.asking || Date.now() - known.askedAt < limits.budgetRefreshMs) return;
    this.refresh(projectRef).catch((error: unknown) => {
      this.logger.warn({ err: error, project: projectRef }, 'Budgets could not be looked up; trying again');
    });
  }

  #begin(projectRef: string, known: Known, slug: string): void {
    const budget = known.current!.exceeded(slug);
    if (budget) {
      this.#tell(projectRef, known);
      throw new BudgetExceeded(budget, projectRef, new Date());
    }
    known.running.set(slug, (known.running.get(slug) ?? 0) + 1);
  }

  async #ask(projectRef: string, known: Known): Promise<void> {
    const now = new Date();
    const budgets = await readBudgets(this.database, projectRef);
    const book = await this.books.own(projectRef);
    const starts = { day: periodOf('day', now).from, month: periodOf('month', now).from };
    const ids = [...known.unseen.keys()];
    const { used, seen } =
      budgets.length === 0
        ? { used: [], seen: ids }
        : await usedByFunctions(this.database, projectRef, starts, ids);
    for (const id of seen) known.unseen.delete(id);
    const current = new ProjectBudgets({ budgets, book, used, now }, known.running);
    for (const [id, { record, endedAt }] of known.unseen) {
      // Whatever was not written by now never will be: another worker had taken over its delivery.
      if (now.getTime() - endedAt > limits.budgetUnseenMs) known.unseen.delete(id);
      else current.add(record);
    }
    known.current = current;
    known.askedAt = now.getTime();
    this.#tell(projectRef, known);
  }

  /** Says once in each of a budget's periods that it is nearly used up, and that it is. */
  #tell(projectRef: string, known: Known): void {
    for (const state of known.current!.states()) {
      const { budget, used, startsAt, resetsAt } = state;
      const kinds = [
        ...(used >= budget.most * budget.warn_at ? ['warned' as const] : []),
        ...(used >= budget.most ? ['exceeded' as const] : []),
      ];
      for (const kind of kinds) {
        const key = `${kind} ${stateKey(state)}`;
        if (known.told.has(key)) continue;
        known.told.add(key);
        insertNotice(this.database, projectRef, { budget, kind, startsAt, used }).then(
          (isNew) => {
            const line = { project: projectRef, ...budget, used, resetsAt };
            if (!isNew) return;
            if (kind === 'warned') this.logger.warn(line, 'A budget is nearly used up');
            else this.logger.warn(line, 'A budget is used up: calls are refused, and events wait');
          },
          () => known.told.delete(key),
        );
      }
    }
  }
}

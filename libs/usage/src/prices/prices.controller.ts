import { Body, Controller, Get, Put, UseGuards } from '@nestjs/common';
import {
  CurrentProject,
  JsonBodyGuard,
  parseInput,
  ProjectRefGuard,
  ServiceOnlyGuard,
  type Project,
} from '#libs/platform';
import { z } from 'zod';
import { Budgets } from '../budgets/budgets.js';
import { presets } from './presets.js';
import { priceBook } from './price-book.js';
import { presetNamed, PriceBooks } from './price-books.js';

const presetRequest = z.strictObject({ preset: z.string() });

/** What a project's usage costs. */
@Controller('v1/projects/:ref/prices')
@UseGuards(ServiceOnlyGuard, ProjectRefGuard, JsonBodyGuard)
export class PricesController {
  constructor(
    private readonly books: PriceBooks,
    private readonly budgets: Budgets,
  ) {}

  @Get()
  async read(@CurrentProject() { ref }: Project) {
    return { prices: await this.books.own(ref), presets };
  }

  /** Takes a price book, or `{"preset": "aws-lambda"}`. */
  @Put()
  async replace(@CurrentProject() { ref }: Project, @Body() body: unknown) {
    const preset = presetRequest.safeParse(body);
    const book = preset.success ? presetNamed(preset.data.preset) : parseInput(priceBook, body);
    await this.books.replace(ref, book);
    await this.budgets.refresh(ref);
    return this.read({ ref } as Project);
  }
}

import { Injectable } from '@nestjs/common';
import { AppError, PlatformDatabase } from '#libs/platform';
import { freeBook, presets } from './presets.js';
import { priceBook, type PriceBook } from './price-book.js';

/** The prices by which a project's usage is told. */
@Injectable()
export class PriceBooks {
  constructor(private readonly database: PlatformDatabase) {}

  async own(projectRef: string): Promise<PriceBook> {
    const { rows } = await this.database.query<{ book: unknown }>(
      'select book from price_books where project_ref = $1',
      [projectRef],
    );
    return rows[0] ? priceBook.parse(rows[0].book) : freeBook;
  }

  /**
   * @param name of a preset, or `own`
   * @throws AppError `invalid_request` (400)
   */
  async named(projectRef: string, name: string): Promise<PriceBook> {
    return name === 'own' ? this.own(projectRef) : presetNamed(name);
  }

  async replace(projectRef: string, book: PriceBook): Promise<void> {
    await this.database.query(
      `insert into price_books (project_ref, book) values ($1, $2)
       on conflict (project_ref) do update set book = excluded.book, updated_at = now()`,
      [projectRef, JSON.stringify(book)],
    );
  }
}

/** @throws AppError `invalid_request` (400) */
export function presetNamed(name: string): PriceBook {
  if (Object.hasOwn(presets, name)) return presets[name]!;
  throw new AppError({
    code: 'invalid_request',
    status: 400,
    message: `There are no prices named ${name}; expected own, ${Object.keys(presets).join(' or ')}`,
  });
}

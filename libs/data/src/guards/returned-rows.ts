import { AppError } from '#libs/platform';

/** PostgreSQL's program_limit_exceeded, which no other part of the data API answers with 400. */
export function returnedRowsError(rows: number, highest: number): AppError {
  return new AppError({
    code: '54000',
    status: 400,
    message: `The change gives back ${rows} rows, and your role may be given ${highest}`,
    details: 'Rows that are changed are not cut like those that are read; this change was undone.',
    hint: 'Ask with Prefer: return=minimal, change fewer rows at once, or have galley.max_rows raised for the role.',
  });
}

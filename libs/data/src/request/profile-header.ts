/**
 * Headers that name a schema are UTF-8, as names in PostgreSQL are; Node.js reads and writes the bytes of a header as
 * Latin-1.
 */
export function schemaOfHeader(value: string): string {
  return Buffer.from(value, 'latin1').toString();
}

export function headerOfSchema(schema: string): string {
  return Buffer.from(schema).toString('latin1');
}

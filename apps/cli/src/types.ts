import type { Command } from './command.js';
import { manage } from './connection.js';

export const typesCommand: Command = {
  name: 'types',
  parameters: '',
  summary: 'TypeScript types of the database, for supabase-js; --schema public,other',
  options: { schema: { type: 'string' } },
  talksToServer: true,
  run: async ({ options, say, connect }) => {
    const schemas = typeof options['schema'] === 'string' ? options['schema'] : 'public';
    const { types } = await manage<{ types: string }>(
      await connect(),
      `/types/typescript?${new URLSearchParams({ included_schemas: schemas })}`,
    );
    say(types.trimEnd());
  },
};

import { describe, expect } from '@jest/globals';
import { withLibrary } from './library.js';

const { shows } = withLibrary();

describe('a computed field', () => {
  shows([
    [
      'is selected by name',
      { request: 'books?select=id,shouted&id=eq.1', answer: [{ id: 1, shouted: 'SOLARIS' }] },
    ],
    [
      'is not among all columns',
      { request: 'books?id=eq.1', answer: [expect.not.objectContaining({ shouted: 'SOLARIS' })] },
    ],
    [
      'stands beside all columns',
      { request: 'books?select=*,shouted&id=eq.1', answer: [{ id: 1, shouted: 'SOLARIS' }] },
    ],
    ['is filtered by', { request: 'books?select=id&shouted=eq.SOLARIS', answer: [{ id: 1 }] }],
    [
      'is searched in full text',
      { request: 'books?select=id&shouted=fts(simple).heaven', answer: [{ id: 3 }] },
    ],
    [
      'may stand in a schema of the extra search path',
      { request: 'books?select=initial&id=eq.1', answer: [{ initial: 'S' }] },
    ],
    [
      'is no function to be called',
      { request: 'POST rpc/shouted', body: {}, status: 404, answer: { code: 'PGRST202' } },
    ],
    ['is ordered by', { request: 'books?select=id&order=shouted.desc&limit=1', answer: [{ id: 3 }] }],
  ]);
});

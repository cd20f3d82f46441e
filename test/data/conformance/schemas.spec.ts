import { describe } from '@jest/globals';
import { withLibrary } from './library.js';

const { shows } = withLibrary({ PGRST_DB_SCHEMAS: 'public, archive, closed' });

describe('the schema', () => {
  shows([
    [
      'is the first by default',
      {
        request: 'authors?select=id&id=eq.1',
        answer: [{ id: 1 }],
        answerHeaders: { 'content-profile': 'public' },
      },
    ],
    [
      'is named by Accept-Profile for reading',
      {
        request: 'scrolls',
        headers: { 'accept-profile': 'archive' },
        answer: [{ id: 1, title: 'Ptolemy' }],
        answerHeaders: { 'content-profile': 'archive' },
      },
    ],
    [
      'is named by Accept-Profile for HEAD',
      {
        request: 'HEAD scrolls',
        headers: { 'accept-profile': 'archive' },
        answer: undefined,
        answerHeaders: { 'content-profile': 'archive' },
      },
    ],
    [
      'is named by Content-Profile for writing',
      {
        request: 'POST scrolls',
        headers: { 'content-profile': 'archive', prefer: 'return=representation' },
        body: { id: 2 },
        status: 201,
        answer: [{ id: 2, title: null }],
      },
    ],
    [
      'is named by Content-Profile for updating',
      {
        request: 'PATCH scrolls?id=eq.1',
        headers: { 'content-profile': 'archive' },
        body: { title: 'X' },
        status: 204,
      },
    ],
    [
      'is named by Content-Profile for deleting',
      { request: 'DELETE scrolls?id=eq.1', headers: { 'content-profile': 'archive' }, status: 204 },
    ],
    [
      'is named by Content-Profile for calling by POST',
      { request: 'POST rpc/age', headers: { 'content-profile': 'archive' }, body: {}, answer: 2000 },
    ],
    [
      'is named by Accept-Profile for calling by GET',
      { request: 'rpc/age', headers: { 'accept-profile': 'archive' }, answer: 2000 },
    ],
    [
      'wants its role to have usage of it',
      {
        request: 'ledger',
        headers: { 'accept-profile': 'closed' },
        status: 401,
        answer: { code: '42501', message: 'permission denied for schema closed' },
      },
    ],
    [
      'that is named cannot show what is in another one',
      {
        request: 'authors',
        headers: { 'accept-profile': 'archive' },
        status: 404,
        answer: { code: 'PGRST205' },
      },
    ],
    [
      'that is not exposed is refused',
      {
        request: 'authors',
        headers: { 'accept-profile': 'pg_catalog' },
        status: 406,
        answer: {
          code: 'PGRST106',
          message: 'Invalid schema: pg_catalog',
          details: null,
          hint: 'Only the following schemas are exposed: public, archive, closed',
        },
      },
    ],
  ]);
});

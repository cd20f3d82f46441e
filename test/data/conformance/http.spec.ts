import { describe, expect } from '@jest/globals';
import { withLibrary } from './library.js';

const { shows } = withLibrary();

describe('a name in the URL', () => {
  shows([
    [
      'may be in any script',
      {
        request:
          '%D0%BA%D0%BD%D0%B8%D0%B3%D0%B8?%D0%B8%D0%BC%D1%8F=eq.%D0%A1%D0%BE%D0%BB%D1%8F%D1%80%D0%B8%D1%81',
        answer: [{ имя: 'Солярис' }],
      },
    ],
    ['may have blanks', { request: 'Order%20Items?Unit%20Price=lt.200', answer: [{ id: 1 }] }],
    [
      'may have reserved characters in quotes',
      { request: 'members?select=id&%22e.mail%22=like.*example', answer: [{ id: 1 }] },
    ],
    [
      'may have reserved characters in quotes in select',
      { request: 'members?select=%22e.mail%22&id=eq.1', answer: [{ 'e.mail': 'ann@a.example' }] },
    ],
  ]);
});

describe('a value in the URL', () => {
  shows([
    [
      'may have reserved characters in quotes',
      { request: 'books?select=id&title=in.(%22Blank,%20%5C%22Book%5C%22%22)', answer: [{ id: 4 }] },
    ],
    [
      'may have backslashes in quotes',
      { request: 'books?select=id&title=in.(%22a%5C%5Cb%22,%22Solaris%22)', answer: [{ id: 1 }] },
    ],
  ]);
});

describe('OPTIONS', () => {
  const allow = (value: string) => ({ allow: value });
  shows([
    [
      'of a table',
      {
        request: 'OPTIONS authors',
        answer: undefined,
        answerHeaders: allow('OPTIONS,GET,HEAD,POST,PUT,PATCH,DELETE'),
      },
    ],
    [
      'of a table without a primary key',
      {
        request: 'OPTIONS %D0%BA%D0%BD%D0%B8%D0%B3%D0%B8',
        answerHeaders: allow('OPTIONS,GET,HEAD,POST,PATCH,DELETE'),
      },
    ],
    [
      'of a view that cannot be written',
      { request: 'OPTIONS loan_days', answerHeaders: allow('OPTIONS,GET,HEAD') },
    ],
    [
      'of a function that reads',
      { request: 'OPTIONS rpc/books_of', answerHeaders: allow('OPTIONS,GET,HEAD,POST') },
    ],
    [
      'of a function that writes',
      { request: 'OPTIONS rpc/lose_books', answerHeaders: allow('OPTIONS,POST') },
    ],
    ['of nothing', { request: 'OPTIONS nothing', status: 404, answer: { code: 'PGRST205' } }],
  ]);
});

describe('CORS', () => {
  shows([
    [
      'lets any origin ask beforehand, for an hour',
      {
        request: 'OPTIONS authors',
        headers: {
          origin: 'http://example.com',
          'access-control-request-method': 'POST',
          'access-control-request-headers': 'Content-Type',
        },
        status: expect.any(Number) as never,
        answerHeaders: {
          'access-control-allow-origin': '*',
          'access-control-allow-methods': expect.stringContaining('POST') as never,
          'access-control-max-age': '3600',
        },
      },
    ],
    [
      'lets any origin read',
      {
        request: 'authors',
        headers: { origin: 'http://example.com' },
        answerHeaders: { 'access-control-allow-origin': '*' },
      },
    ],
  ]);
});

describe('Vary', () => {
  shows([
    [
      'names what answers differ by',
      { request: 'authors', answerHeaders: { vary: 'Accept, Prefer, Range' } },
    ],
    [
      'may be set by a function instead',
      { request: 'POST rpc/vary', body: {}, status: 204, answerHeaders: { vary: 'Accept, X-Own' } },
    ],
  ]);
});

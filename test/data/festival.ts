import type { TestServer } from '../support/server.js';
import { startCinema } from './cinema.js';

/**
 * Around the films of the cinema: halls that screen them, functions that stand for relationships and columns, a
 * partitioned table, views upon views, and tables that several keys lead to.
 */
const festivalSql = `
  create type place as (lat numeric, long numeric);
  create table halls (
    id int primary key,
    name text not null,
    town text,
    facts jsonb not null default '{}',
    place place
  );
  create table screenings (
    id int primary key,
    film_id int references films (id),
    hall_id int references halls (id),
    sold int,
    takings numeric(8,2),
    facts jsonb not null default '{}'
  );
  insert into halls values
    (1, 'Rex', 'Paris', '{"seats":300}', '(48.9,2.3)'),
    (2, 'Lux', 'Caen', '{"seats":90}', '(49.2,-0.4)'),
    (3, 'Shut', null, '{}', null);
  insert into screenings values
    (1, 1, 1, 10, 80.50, '{"late":2}'),
    (2, 1, 2, 30, 200, '{"late":5}'),
    (3, 2, 1, 20, 120, '{"late":1}'),
    (4, 3, 2, null, null, '{}');

  create function maker(films) returns setof directors rows 1 language sql stable as
    $$ select * from directors where id = $1.director_id $$;
  create function single_maker(films) returns directors language sql stable as
    $$ select * from directors where id = $1.director_id $$;
  create function works(directors) returns setof films language sql stable as
    $$ select * from films where director_id = $1.id $$;
  create function posters(films) returns setof posters rows 1 language sql stable as
    $$ select $1.id, 'no poster' $$;
  create function sequel(films) returns setof films rows 1 language sql stable as
    $$ select * from films where id = $1.id + 1 $$;
  create function prequel(films) returns setof films rows 1 language sql stable as
    $$ select * from films where id = $1.id - 1 $$;
  create function works(halls) returns setof films language sql stable as
    $$ select f.* from films f where exists (select from screenings s where s.film_id = f.id and s.hall_id = $1.id) $$;
  create function headline(films) returns text language sql stable as $$ select upper($1.title) $$;
  create function age(halls) returns int language sql stable as $$ select ($1.facts->>'seats')::int $$;
  create function age(films) returns int language sql stable as $$ select 2000 - $1.year $$;

  create table visits (
    day date not null,
    hall_id int not null references halls (id),
    guests int,
    primary key (day, hall_id)
  ) partition by range (day);
  create table visits_2024 partition of visits for values from ('2024-01-01') to ('2025-01-01');
  insert into visits values ('2024-05-01', 1, 7), ('2024-05-02', 1, 8);

  create view screening_list as
    select s.id as number, f.title, s.film_id as film, s.hall_id as hall from screenings s join films f on f.id = s.film_id;
  create view short_list as select number, film, hall from screening_list;
  create materialized view fixed_list as select number, film from screening_list;
  create view both_lists as select id, film_id from screenings union all select id, film_id from screenings;
  create view repeated_list as select id, film_id as film, film_id as same_film from screenings;
  create view cast_list as select film_id as film, actor_id as actor, character from roles;

  create table prizes (id int primary key, name text);
  create table awards (
    film_id int constraint awards_film references films (id),
    runner_up_id int constraint awards_runner_up references films (id),
    prize_id int constraint awards_prize references prizes (id),
    primary key (film_id, runner_up_id, prize_id)
  );
  insert into prizes values (1, 'Gold');
  insert into awards values (3, 1, 1);
  grant all on all tables in schema public to anon, authenticated, service_role;
  revoke all on vault from anon, authenticated;
`;

/** A server with the data API, the cinema and the festival; `environment` as for the cinema. */
export async function startFestival(environment: Record<string, string> = {}): Promise<TestServer> {
  const server = await startCinema(environment);
  await server.project.database.query(festivalSql);
  return server;
}

/** Sends a request with a query string of its own; gives the answer's JSON. */
export async function getJson(
  server: TestServer,
  path: string,
  init: RequestInit & { headers?: Record<string, string> } = {},
): Promise<unknown> {
  const headers = {
    apikey: server.keys.publishableKey,
    ...(init.body ? { 'content-type': 'application/json' } : {}),
    ...init.headers,
  };
  const response = await fetch(`${server.url}/rest/v1/${path}`, { ...init, headers });
  return response.json();
}

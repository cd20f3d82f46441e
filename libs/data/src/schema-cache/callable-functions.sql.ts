/**
 * For a query of pg_proc as `p`: its parameters as `input`. Only input parameters count for a call, and the last
 * `pronargdefaults` of them may be left out.
 * @param typmod  `-1` for the types as a cast takes them, `null` for their names as people write them
 */
export const inputParameters = (typmod: '-1' | 'null') => `
  lateral (
    select count(*) as count, count(*) filter (where coalesce(arg.name, '') = '') as unnamed,
      (array_agg(arg.type))[1] as first_type,
      coalesce(json_agg(json_build_object(
        'name', coalesce(arg.name, ''),
        'type', format_type(arg.type, ${typmod}),
        'required', arg.position <= p.pronargs - p.pronargdefaults,
        'variadic', coalesce(arg.mode = 'v', false)) order by arg.position), '[]') as parameters
    from (
      select given.name, given.type, given.mode, row_number() over (order by given.position) as position
      from unnest(coalesce(p.proallargtypes, p.proargtypes::oid[]), p.proargnames, p.proargmodes)
        with ordinality as given (type, name, mode, position)
      where coalesce(given.mode, 'i') in ('i', 'b', 'v')
    ) as arg
  ) as input`;

/**
 * For the same query: whether the function can be called by name. An argument without a name can only be a whole body,
 * so it has to be the only one and of a type that a body may have.
 */
export const isCallable = `
  p.prokind = 'f'
    and p.prorettype not in ('pg_catalog.trigger'::regtype, 'pg_catalog.event_trigger'::regtype)
    and (input.unnamed = 0 or input.count = 1 and input.first_type in (
      'pg_catalog.json'::regtype, 'pg_catalog.jsonb'::regtype, 'pg_catalog.text'::regtype,
      'pg_catalog.bytea'::regtype, 'pg_catalog.xml'::regtype))`;

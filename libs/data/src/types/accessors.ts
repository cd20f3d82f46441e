/**
 * The types by which an application names one table, enum or composite type: `Tables<"films">`, or
 * `Tables<{ schema: "archive" }, "reels">`. The same for every database.
 */
export function accessors(): string {
  const rows = ['Tables', 'Views'];
  return [
    preamble,
    accessor({ name: 'Tables', option: 'DefaultSchemaTableName', key: 'TableName', of: rows, part: 'Row' }),
    accessor({ name: 'TablesInsert', option: 'DefaultSchemaTableName', key: 'TableName', part: 'Insert' }),
    accessor({ name: 'TablesUpdate', option: 'DefaultSchemaTableName', key: 'TableName', part: 'Update' }),
    accessor({ name: 'Enums', option: 'DefaultSchemaEnumName', key: 'EnumName', of: ['Enums'] }),
    accessor({
      name: 'CompositeTypes',
      option: 'PublicCompositeTypeName',
      key: 'CompositeTypeName',
      of: ['CompositeTypes'],
    }),
  ].join('\n');
}

const all = 'DatabaseWithoutInternals';

const preamble = `type ${all} = Omit<Database, "__InternalSupabase">

type DefaultSchema = ${all}[Extract<keyof Database, "public">]
`;

interface Accessor {
  readonly name: string;
  /** Name of the first type parameter, without `OrOptions`. */
  readonly option: string;
  /** Name of the second. */
  readonly key: string;
  /** Members of a schema that are looked through; by default its tables. */
  readonly of?: readonly string[];
  /** What of a table is meant: its rows, or what is written; undefined: the thing itself. */
  readonly part?: string;
}

function accessor({ name, option, key, of = ['Tables'], part }: Accessor): string {
  const options = `${option}OrOptions`;
  const inSchema = of.map((member) => `${all}[${options}["schema"]]["${member}"]`);
  const inDefault = of.map((member) => `DefaultSchema["${member}"]`);
  const isJoined = of.length > 1;
  const joined = (parts: readonly string[], margin: string) =>
    isJoined ? `(${parts.join(` &\n${margin}`)})` : parts[0]!;
  const keys = isJoined ? `(${inDefault.join(' & ')})` : inDefault[0]!;
  return `export type ${name}<
  ${options} extends
    | keyof ${keys}
    | { schema: keyof ${all} },
  ${key} extends ${options} extends {
    schema: keyof ${all}
  }
    ? keyof ${joined(inSchema, ' '.repeat(8))}
    : never = never,
> = ${options} extends {
  schema: keyof ${all}
}
  ? ${joined(inSchema, ' '.repeat(6))}[${key}]${partOf(part, '    ')}
  : ${options} extends keyof ${joined(inDefault, ' '.repeat(8))}
    ? ${joined(inDefault, ' '.repeat(8))}[${options}]${partOf(part, '      ')}
    : never
`;
}

/** Takes `part` of the type before it. */
function partOf(part: string | undefined, margin: string): string {
  if (part === undefined) return '';
  const letter = part[0]!;
  return ` extends {
${margin}  ${part}: infer ${letter}
${margin}}
${margin}? ${letter}
${margin}: never`;
}

/** Where the values of a project's secrets come from. Features know nothing of each other: a program says. */
export abstract class SecretValues {
  /** The values of those of `names` that are set. */
  abstract values(projectRef: string, names: readonly string[]): Promise<ReadonlyMap<string, string>>;
}

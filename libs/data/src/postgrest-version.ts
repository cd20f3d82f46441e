/** The PostgREST whose behaviour this is: clients choose by it what they may ask for. */
export const postgrestVersion = '14.1';

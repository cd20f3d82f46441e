/** Injection tokens of what has no class: the pino `Logger` and the `Config`. */
export const LOGGER = Symbol('logger');
export const CONFIG = Symbol('config');

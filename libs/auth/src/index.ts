export { AuthModule } from './auth.module.js';
export { AuthErrorFilter } from './auth-error.filter.js';
export { AuthLimits, type RateLimit } from './limits.js';

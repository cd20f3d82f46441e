export { AppError, OperatorError } from './errors/app-error.js';
export { matchesGlob } from './matches-glob.js';
export { expected } from './errors/expected.js';
export { parseInput, problemsInOneLine } from './errors/parse-input.js';
export { type Clock, systemClock } from './clock.js';
export { backoffMs } from './backoff.js';
export { newId, derivedId, isId } from './ids.js';
export { limits } from './limits.js';
export {
  type Caller,
  type FunctionClaims,
  callerFromClaims,
  callClaims,
  functionClaims,
  type CallClaims,
  rootOf,
  keylessCaller,
} from './caller.js';
export { callerOfCredential, callerOfToken } from './caller-of-credential.js';
export { sameSecret } from './same-secret.js';
export { AccessTokens, type AccessToken } from './access-tokens/access-tokens.js';
export { type Config, parseConfig } from './config/config.js';
export { clientFromEnvironment, configFromEnvironment, inheritedEnvironment } from './config/env.js';
export { Abandonment } from './database/abandonment.js';
export { isConnectionError, isRefusedData, sqlStateOf } from './database/database-error.js';
export { nestsDeeper, textNestsDeeper } from './json/nesting.js';
export { type Sql, quoteIdent, quoteQualified, quoteLiteral } from './database/sql.js';
export {
  ProjectDatabase,
  type CallerStatements,
  type CallerTransaction,
  type RequestSettings,
  type SystemTransaction,
} from './database/project-database.js';
export { removeInBatches } from './database/remove-in-batches.js';
export { migrate, type Migration, type MigrationLedger } from './database/migrate.js';
export { type ProjectKeys, makeProjectKeys } from './project/project-keys.js';
export { ProjectTokens } from './project/project-tokens.js';
export { Project, projectResource } from './project/project.js';
export { ProjectRegistry } from './project/project-registry.js';
export { type RequestContext, Context, CurrentProject } from './http/request-context.js';
export {
  CallerGuard,
  InvocationLiveness,
  KeyRequiredGuard,
  LeavesBadCredentials,
  OperatorGuard,
  ServiceOnlyGuard,
} from './http/caller.guard.js';
export { addressesInHosts, addressesOfName } from './network/addresses-of-name.js';
export { clientNetwork } from './network/client-network.js';
export { DeclaredHosts, defaultPorts, isHostName } from './network/declared-hosts.js';
export { isPublicAddress } from './network/public-address.js';
export { vettedAddresses } from './network/vetted-addresses.js';
export { ProjectRefGuard } from './http/project-ref.guard.js';
export { JsonBodyGuard, TextBodyGuard } from './http/body.guards.js';
export { discardBody } from './http/discard-body.js';
export { rememberUpgrade, upgradeOf, type Upgrade } from './http/upgrade.js';
export { readBody, readJson } from './http/read-body.js';
export { type Logger, createLogger, nestLogger } from './logging/logger.js';
export { Metrics } from './metrics/metrics.js';
export { EmbeddedPostgres } from './postgres/embedded-postgres.js';
export { DataDirectory } from './data-directory/data-directory.js';
export { PlatformDatabase } from './platform-database/platform-database.js';
export { planOnce } from './platform-database/plan-once.js';
export { repositoryRoot } from './repository-root.js';
export { Sealer } from './sealing.js';
export { Platform } from './platform.js';
export { PlatformModule } from './platform.module.js';
export { LOGGER, CONFIG } from './injection-tokens.js';
export { PlatformErrorFilter } from './http/platform-error.filter.js';
export { ShutdownGrace } from './process/shutdown-grace.js';
export { runProgram, type RunningProgram } from './process/run-program.js';

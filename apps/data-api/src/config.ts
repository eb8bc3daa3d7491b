import { type Config, readConfig } from '@twilight/service/config'
import {
  boolean,
  durationMs,
  type Environment,
  integer,
  oneOf,
  optional,
  secret,
  text,
  url,
} from '@twilight/service/config-fields'

/** Everything data-api takes from its environment; `about` is the manual. */
export const configFields = {
  host: text('HOST', {
    about: 'address to listen on; only a proxy or tunnel should reach it',
    default: '127.0.0.1',
  }),
  port: integer('PORT', {
    about: 'TCP port to listen on; 0 takes any free one',
    default: 8701,
    min: 0,
    max: 65_535,
  }),
  databaseUrl: secret('DATABASE_URL', {
    about: 'Postgres, logged in as the role data_api',
    url: ['postgres:', 'postgresql:'],
  }),
  natsUrl: secret('NATS_URL', {
    about: 'the NATS server; it may be away for a while',
    url: ['nats:', 'tls:'],
  }),
  logLevel: oneOf('LOG_LEVEL', ['debug', 'info', 'warn', 'error'], {
    about: 'least important lines to write; debug adds health probes',
    default: 'info',
  }),
  dataDir: text('DATA_DIR', {
    about: 'folder of the cache file and the archive of raw answers; one process alone may use it',
    default: '.twilight/data-api',
  }),
  tushareUrl: url('TUSHARE_URL', {
    about: 'base of the Tushare interfaces; plain http only on loopback',
    default: 'https://api.tushare.pro/dataapi',
  }),
  tushareToken: optional(
    secret('TUSHARE_TOKEN', {
      about: 'the Tushare token; without it only what is cached is served',
    }),
  ),
  tushareEnabled: boolean('TUSHARE_ENABLED', {
    about: 'the switch of this source: false makes no call and serves what is cached',
    default: true,
  }),
  drainDelayMs: durationMs('DRAIN_DELAY', {
    about: 'how long a stopping process says so on /healthz before it closes its port',
    default: 1000,
    max: 30_000,
  }),
}

export function readDataApiConfig(
  environment: Environment = process.env,
): Config<typeof configFields> {
  return readConfig(environment, configFields)
}

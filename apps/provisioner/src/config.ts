import { type Config, readConfig } from '@twilight/service/config'
import {
  durationMs,
  type Environment,
  integer,
  oneOf,
  secret,
  text,
} from '@twilight/service/config-fields'

/** Everything provisioner takes from its environment; `about` is the manual. */
export const configFields = {
  host: text('HOST', {
    about: 'address to listen on; only operators should reach it, never the public',
    default: '127.0.0.1',
  }),
  port: integer('PORT', {
    about: 'TCP port to listen on; 0 takes any free one',
    default: 8704,
    min: 0,
    max: 65_535,
  }),
  databaseUrl: secret('DATABASE_URL', {
    about: 'Postgres, logged in as the role provisioner',
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
  drainDelayMs: durationMs('DRAIN_DELAY', {
    about: 'how long a stopping process says so on /healthz before it closes its port',
    default: 1000,
    max: 30_000,
  }),
}

export function readProvisionerConfig(
  environment: Environment = process.env,
): Config<typeof configFields> {
  return readConfig(environment, configFields)
}

import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto'

/**
 * What Postgres stores of a password (RFC 5802, as "SCRAM-SHA-256$…"). Sent in place of the password,
 * so that the password itself never stands in a statement, and so in no server log.
 */
export function scramVerifier(password: string): string {
  // Beyond ASCII the standard first normalises the text, which we have no need for.
  if (!/^[\x21-\x7e]+$/.test(password)) {
    throw new Error('A role password must be printable ASCII without spaces: choose another.')
  }
  const salt = randomBytes(16)
  const salted = pbkdf2Sync(password, salt, iterations, 32, 'sha256')
  const storedKey = createHash('sha256').update(sign(salted, 'Client Key')).digest('base64')
  const serverKey = sign(salted, 'Server Key').toString('base64')
  return `SCRAM-SHA-256$${iterations}:${salt.toString('base64')}$${storedKey}:${serverKey}`
}

// Postgres' own default.
const iterations = 4096

function sign(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}

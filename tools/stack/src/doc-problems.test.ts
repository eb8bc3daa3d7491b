import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { findDocProblems } from './doc-problems.ts'

let root: string

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'twilight-docs-'))
  write('package.json', JSON.stringify({ scripts: { start: 'x', check: 'x', admin: 'x' } }))
  write('apps/data-api/src/main.ts', '')
  write('packages/service/src/http.ts', '')
  write('docs/flows.md', '# Flows\n\n## Publish & settle\n\n## 付款 flow\n\n## Again\n\n## Again\n')
})

afterAll(() => rmSync(root, { recursive: true }))

it.each([
  ['a path in code', '`apps/data-api/src/main.ts` and `packages/*/src` and `README.md`'],
  ['a folder', '`apps/data-api` and `packages/service/`'],
  ['a link to a page', '[flows](docs/flows.md)'],
  ['a link to a heading', '[a](docs/flows.md#publish--settle) [b](docs/flows.md#付款-flow)'],
  ['a repeated heading', '[a](docs/flows.md#again-1)'],
  ['a heading of the same page', '# Here it is\n\n[up](#here-it-is)'],
  ['a link to elsewhere', '[site](https://example.com/docs/none.md)'],
  ['scripts', '`npm start`, `npm run check -- x`, `npm run admin -- health`'],
  ['admin commands of one and of two words', '`npm run admin -- dead-letters list --json`'],
  ['what only looks like a path', '`/price`, `bots.bot.paired`, `@twilight/service`, `<app>/src`'],
  ['a picture', '```mermaid\napps/none --> docs/none.md\n```'],
])('%s that exists is fine', (_, text) => {
  expect(problemsOf(text)).toEqual([])
})

it.each([
  ['`apps/none/src/main.ts`', 'README.md:1 there is no apps/none/src/main.ts'],
  ['\n`packages/*/lib`', 'README.md:2 there is no packages/*/lib'],
  ['`CONTRIBUTING.md`', 'README.md:1 there is no CONTRIBUTING.md'],
  ['[x](docs/none.md)', 'README.md:1 the link leads nowhere: docs/none.md'],
  ['[x](docs/flows.md#gone)', 'README.md:1 no heading for the anchor: docs/flows.md#gone'],
  ['`npm run deploy`', 'README.md:1 package.json has no script "deploy"'],
  ['```sh\nnpm test\n```', 'README.md:2 package.json has no script "test"'],
  ['`npm run admin -- fly`', 'README.md:1 the admin CLI has no command "fly"'],
  [
    '`npm run admin -- dead-letters eat`',
    'README.md:1 the admin CLI has no command "dead-letters eat"',
  ],
])('%j is reported with its line', (text, problem) => {
  expect(problemsOf(text)).toEqual([problem])
})

it('admin commands are left alone when the CLI cannot list them', () => {
  write('README.md', '`npm run admin -- fly`')

  expect(findDocProblems({ root, pages: ['README.md'] })).toEqual([])
})

function problemsOf(text: string): string[] {
  write('README.md', text)
  const adminCommands = ['health', 'dead-letters list', 'dead-letters replay']
  return findDocProblems({ root, pages: ['README.md'], adminCommands })
}

function write(path: string, content: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true })
  writeFileSync(join(root, path), content)
}

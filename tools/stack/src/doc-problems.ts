import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { type Citation, findCitations } from './doc-citations.ts'

/**
 * Everything the pages cite that does not exist, as "file:line what is missing".
 * Without a list of admin commands those are not checked.
 */
export function findDocProblems(options: {
  root: string
  pages: string[]
  adminCommands?: string[] | undefined
}): string[] {
  const { root, pages, adminCommands } = options
  const { scripts = {} }: { scripts?: Record<string, string> } = JSON.parse(
    readFileSync(join(root, 'package.json'), 'utf8'),
  )
  return pages.flatMap((page) =>
    findCitations(readFileSync(join(root, page), 'utf8')).flatMap((citation) => {
      const problem = problemOf(citation, { root, page, scripts, adminCommands })
      return problem === undefined ? [] : [`${page}:${citation.line} ${problem}`]
    }),
  )
}

type Facts = {
  root: string
  page: string
  scripts: Record<string, string>
  adminCommands: string[] | undefined
}

function problemOf(citation: Citation, facts: Facts): string | undefined {
  const { kind, target } = citation
  switch (kind) {
    case 'path':
      return pathExists(facts.root, target) ? undefined : `there is no ${target}`
    case 'link':
      return linkProblem(target, facts)
    case 'script':
      return target in facts.scripts ? undefined : `package.json has no script "${target}"`
    case 'admin':
      return adminKnows(target, facts.adminCommands)
        ? undefined
        : `the admin CLI has no command "${target}"`
    default:
      return kind satisfies never
  }
}

/** `<app>`-like parts are written as * or {a,b}: then at least one must exist. */
function pathExists(root: string, path: string): boolean {
  return /[*{]/.test(path) ? globSync(path, { cwd: root }).length > 0 : existsSync(join(root, path))
}

function linkProblem(target: string, { root, page }: Facts): string | undefined {
  const [path = '', anchor] = target.split('#')
  const file = path === '' ? join(root, page) : join(root, dirname(page), decodeURI(path))
  if (!existsSync(file)) return `the link leads nowhere: ${target}`
  if (anchor === undefined || !file.endsWith('.md')) return undefined
  const anchors = headingAnchors(readFileSync(file, 'utf8'))
  return anchors.has(decodeURI(anchor)) ? undefined : `no heading for the anchor: ${target}`
}

/** As the forge makes them: lower case, punctuation dropped, spaces to hyphens, repeats numbered. */
function headingAnchors(markdown: string): Set<string> {
  const anchors = new Set<string>()
  for (const [, heading = ''] of markdown.matchAll(/^#{1,6} +(.+?) *#*$/gm)) {
    const plain = heading.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase()
    const slug = plain.replaceAll(/[^\p{L}\p{N}\p{M}_ -]/gu, '').replaceAll(' ', '-')
    let anchor = slug
    for (let repeat = 1; anchors.has(anchor); repeat += 1) anchor = `${slug}-${repeat}`
    anchors.add(anchor)
  }
  return anchors
}

/** "dead-letters list" is a command of two words; what follows a command of one are its arguments. */
function adminKnows(target: string, commands: string[] | undefined): boolean {
  if (commands === undefined) return true
  const [first = ''] = target.split(' ')
  return commands.some(
    (command) =>
      command === target ||
      command === first ||
      (target === first && command.startsWith(`${first} `)),
  )
}

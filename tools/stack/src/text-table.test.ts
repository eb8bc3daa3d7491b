import { expect, it } from 'vitest'
import { textTable } from './text-table.ts'

it('columns line up although Chinese characters are twice as wide', () => {
  expect(
    textTable([
      ['行情', 'a', '数据服务'],
      ['sandbox', 'b'],
      ['Ａ股📈', 'c'],
    ]),
  ).toBe(['行情     a  数据服务', 'sandbox  b', 'Ａ股📈   c'].join('\n'))
})

it('an empty table is empty', () => {
  expect(textTable([])).toBe('')
})

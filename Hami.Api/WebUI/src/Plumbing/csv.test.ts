import { expect, test } from 'vitest'
import { csv, everyRow } from './csv'

test('A file begins with the mark of UTF-8, and a line ends as spreadsheets want it', () => {
  expect(csv(['namespace', 'gpu_hours'], [['ml', 1.5]])).toBe('\uFEFFnamespace,gpu_hours\r\nml,1.5\r\n')
})

test('What could be taken for the end of a field or line is quoted, and a quote in it doubled', () => {
  expect(csv(['a', 'b', 'c'], [['x,y', 'say "no"', 'two\nlines']])).toBe('\uFEFFa,b,c\r\n"x,y","say ""no""","two\nlines"\r\n')
})

test('What is unknown is an empty field, and 0 is 0', () => {
  expect(csv(['a', 'b', 'c'], [[null, undefined, 0]])).toBe('\uFEFFa,b,c\r\n,,0\r\n')
})

test('All pages are asked for, each behind the one before', async () => {
  const asked: (string | null)[] = []
  const rows = await everyRow((after) => {
    asked.push(after)
    const at = Number(after ?? 0)
    return Promise.resolve({ items: [at, null, at + 1], pageInfo: { endCursor: String(at + 2), hasNextPage: at < 4 } })
  })
  expect(rows).toEqual([0, 1, 2, 3, 4, 5])
  expect(asked).toEqual([null, '2', '4'])
})

import { expect, test } from 'vitest'
import { coloursOf } from './colours'

test('Namespaces have different colours while there are enough', () => {
  const colours = coloursOf(['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'a'])
  expect(colours.size).toBe(8)
  expect(new Set(colours.values()).size).toBe(8)
})

test('A namespace has a colour however many there are, and the same one every time', () => {
  const many = Array.from({ length: 40 }, (_, i) => `team-${i}`)
  expect([...coloursOf(many).values()].every((colour) => colour.startsWith('var('))).toBe(true)
  expect(coloursOf(many)).toEqual(coloursOf([...many].reverse()))
})

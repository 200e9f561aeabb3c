/** Dark enough for white letters on them (4.5 : 1), in light and dark alike. */
const palette = ['blue-8', 'teal-9', 'grape-8', 'pink-8', 'cyan-9', 'indigo-8', 'violet-8', 'red-9']

/** A colour for each namespace: mostly the same one on every page, and different ones side by side while there are enough. */
export function coloursOf(namespaces: string[]): Map<string, string> {
  const taken = new Map<string, string>()
  for (const namespace of [...new Set(namespaces)].sort()) {
    const wanted = hash(namespace) % palette.length
    const at = taken.size < palette.length ? palette.findIndex((_, i) => ![...taken.values()].includes(colour(wanted + i))) : 0
    taken.set(namespace, colour(wanted + at))
  }
  return taken
}

function colour(at: number): string {
  return `var(--mantine-color-${palette[at % palette.length]})`
}

function hash(text: string): number {
  let value = 0
  for (const letter of text) value = (Math.imul(value, 31) + letter.codePointAt(0)!) >>> 0
  return value
}

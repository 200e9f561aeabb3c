/** What an address says of a choice between two; undefined where it says nothing. */
export function flag(text: string | undefined): boolean | undefined {
  return text === 'true' ? true : text === 'false' ? false : undefined
}

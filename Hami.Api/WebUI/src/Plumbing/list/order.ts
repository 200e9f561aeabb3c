import { useUrl } from '../url'

/** What a list is sorted by, as the address has it: `USED_MEMORY`, or `-USED_MEMORY` for the largest first. */
export function useOrder<Sort extends string>(usual: Sort, usuallyDescending = false): { sort: Sort; descending: boolean; set: (sort: string, descending: boolean) => void } {
  const [text, setText] = useUrl('sort')
  const descending = text ? text.startsWith('-') : usuallyDescending
  const sort = (text ? text.replace(/^-/, '') : usual) as Sort
  return { sort, descending, set: (next, down) => setText(down ? `-${next}` : next) }
}

/** A card as it is registered, and what it has by its own account. */
interface Registered {
  slots: number
  cores: number
  memoryMiB: number
  usage?: { memoryTotalMiB?: number | null } | null
}

/** How far cards are promised beyond what they are: 1 is not at all. Null where the cards' own numbers are not known. */
export interface Overcommit {
  slots: number
  /** Registered device memory by the memory that the cards have. */
  memory: number | null
  /** Registered compute by whole cards. */
  cores: number | null
  /** Device memory that the cards have, in MiB, of those that are known. */
  physicalMiB: number | null
}

export function overcommit(cards: Registered[]): Overcommit {
  const known = cards.filter((card) => card.usage?.memoryTotalMiB)
  const physical = sum(known, (card) => card.usage!.memoryTotalMiB!)
  return {
    slots: sum(cards, (card) => card.slots),
    memory: physical > 0 ? sum(known, (card) => card.memoryMiB) / physical : null,
    cores: cards.length > 0 ? sum(cards, (card) => card.cores) / (100 * cards.length) : null,
    physicalMiB: physical > 0 ? physical : null,
  }
}

function sum<T>(of: T[], value: (one: T) => number): number {
  return of.reduce((total, one) => total + value(one), 0)
}

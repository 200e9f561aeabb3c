/** The words by which cards and nodes refuse, as HAMi has them; each has an explanation. */
export const reasonWords = [
  'CardInsufficientMemory', 'CardInsufficientCore', 'CardTypeMismatch', 'CardUuidMismatch', 'CardNotHealth', 'CardCordoned', 'CardTimeSlicingExhausted',
  'CardComputeUnitsExhausted', 'ExclusiveDeviceAllocateConflict', 'CardMigTopologyInfeasible', 'NumaNotFit', 'AllocatedCardsInsufficientRequest',
  'NodeInsufficientDevice', 'ResourceQuotaNotFit',
] as const

export type ReasonWord = (typeof reasonWords)[number] | 'None' | 'NodeUnregistered'

/** The word that an explanation is kept under; undefined for one that this page does not know. */
export function reasonWord(reason: string): ReasonWord | undefined {
  if (reason === 'None') return 'None'
  if (reason === 'node unregistered') return 'NodeUnregistered'
  return reasonWords.find((word) => word === reason)
}

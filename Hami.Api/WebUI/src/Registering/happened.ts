/** What an event of a node's stream tells of, as far as its body says: how many devices, which device, which pod, why. */
export interface Happened {
  devices?: number
  deviceUuid?: string
  podUid?: string
  pod?: string
  reason?: string
}

/** Reads the body of an event; what is not there stays out. */
export function readBody(body: string): Happened {
  let of: Record<string, unknown>
  try {
    of = JSON.parse(body) as Record<string, unknown>
  } catch {
    return {}
  }
  const text = (key: string) => (typeof of[key] === 'string' ? of[key] : undefined)
  const pod = text('pod')
  return {
    devices: Array.isArray(of.cards) ? of.cards.length : undefined,
    deviceUuid: text('deviceUuid'),
    podUid: text('podUid'),
    pod: pod && `${text('namespace')}/${pod}`,
    reason: text('reason'),
  }
}

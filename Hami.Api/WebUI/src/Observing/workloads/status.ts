import type { AllocationPhase, ReleaseReason } from '../../Plumbing/asked'

/** How good a status is. */
export type Tone = 'good' | 'underway' | 'bad' | 'ended'

/** Words that every cluster shows, and that are translated; others, such as CrashLoopBackOff, are shown as the API server has them. */
export const statusWords = [
  'Placed', 'Bound', 'Running', 'NotReady', 'Pending', 'Completed', 'Failed', 'Deleted', 'BindFailed', 'Terminating', 'ContainerCreating', 'PodInitializing', 'Unknown',
] as const

/** Words that have an explanation for who meets them the first time. */
export const explainedWords = [
  'CrashLoopBackOff', 'ImagePullBackOff', 'ErrImagePull', 'OOMKilled', 'Error', 'Evicted', 'UnexpectedAdmissionError', 'CreateContainerConfigError', 'CreateContainerError',
  'NotReady', 'Unknown', 'Failed', 'BindFailed', 'Placed', 'Bound', 'Pending',
] as const

export interface Status {
  word: string
  tone: Tone
}

/** What is known of a pod that its status follows from. */
export interface Known {
  live?: { phase: string; reason?: string | null; ready: boolean } | null
  phase?: AllocationPhase | null
  releaseReason?: ReleaseReason | null
}

const ends: Record<ReleaseReason, Status> = {
  COMPLETED: { word: 'Completed', tone: 'ended' },
  DELETED: { word: 'Deleted', tone: 'ended' },
  FAILED: { word: 'Failed', tone: 'bad' },
  BIND_FAILED: { word: 'BindFailed', tone: 'bad' },
}

const phases: Record<AllocationPhase, Status> = {
  PLACED: { word: 'Placed', tone: 'underway' },
  BOUND: { word: 'Bound', tone: 'underway' },
  ATTACHED: { word: 'Running', tone: 'good' },
}

/** The word that people know from kubectl, else how far the allocation has come. */
export function statusOf({ live, phase, releaseReason }: Known): Status {
  if (releaseReason) return ends[releaseReason]
  if (!live) return phase ? phases[phase] : { word: 'Unknown', tone: 'bad' }
  const word = live.reason ?? (live.phase === 'Succeeded' ? 'Completed' : live.phase)
  return { word, tone: toneOf(word, live.ready) }
}

function toneOf(word: string, isReady: boolean): Tone {
  if (word === 'Running') return isReady ? 'good' : 'underway'
  if (word === 'Completed') return 'ended'
  if (['Pending', 'ContainerCreating', 'PodInitializing', 'Terminating', 'SchedulingGated', 'NotReady'].includes(word) || /^Init:\d/.test(word)) return 'underway'
  return 'bad'
}
